"""`EdgeModel.spec.evaluation`: the data set and metric that a model is measured with."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from skerry.api.artifact import Artifact
from skerry.api.common import Int, Model


class Metric(StrEnum):
    """How quality is measured, compared with the baseline: the unoptimized source in float32.

    Accuracy: share of correct labels, as a ratio to the baseline's.
    F1: macro-averaged F1 score, so that rare classes count, as a ratio to the baseline's.
    RMSE: root mean square error; the baseline's divided by the build's, so higher is better.
    NearestNeighbors: share of nearest neighbors kept, with a mean cosine of at least 0.99 (for embeddings).
    """

    ACCURACY = "Accuracy"
    F1 = "F1"
    RMSE = "RMSE"
    NEAREST_NEIGHBORS = "NearestNeighbors"


class Evaluation(Model):
    """The data set for calibration, quality measurement and golden samples.

    The splits are disjoint: samples that calibrated or chose a build never certify it.
    """

    dataset: Artifact = Field(
        description="An image or a folder with dataset.npz in its root, or a single .npz file of any"
        " name. Its arrays are named after the model's inputs, with samples along the first axis."
        " Every metric but NearestNeighbors also needs `labels`: classes as integers, or values for RMSE."
    )
    metric: Metric
    calibration_samples: Int = Field(
        default=128, ge=16, le=4096, description="Samples to calibrate static quantization with."
    )
    golden_samples: Int = Field(
        default=8,
        ge=1,
        le=64,
        description="Samples that the agent replays on every device and compares with the certified"
        " answers. They let the guard judge a candidate even without traffic.",
    )
