"""`EdgeModel.spec.evaluation`: the data set and metric that a model is measured with."""

from __future__ import annotations

from pydantic import Field

from skerry.api.artifact import Artifact
from skerry.api.common import Int, Model
from skerry.tasks import Metric


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
