"""What a model is measured with: `EdgeModel.spec.evaluation`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from skerry.api.artifact import Artifact
from skerry.api.common import Int, Model


class Metric(StrEnum):
    """How quality is measured, against the unoptimised source in float32.

    accuracy: share of right labels, as a ratio to the baseline's.
    f1: F1 score, the mean over the classes, as a ratio to the baseline's (rare classes count).
    rmse: root mean square error; the baseline's over the candidate's, so more is better.
    neighbours: share of nearest neighbours kept, with a cosine of at least 0.99 (embeddings).
    """

    ACCURACY = "accuracy"
    F1 = "f1"
    RMSE = "rmse"
    NEIGHBOURS = "neighbours"


class Evaluation(Model):
    """The data that quality, calibration and golden samples are taken from.

    The parts are disjoint: what calibrated or chose a build never certifies it.
    """

    dataset: Artifact = Field(
        description="Holds dataset.npz: arrays named as the model's inputs, first axis samples, and"
        " `labels` for every metric but neighbours: classes as integers, or values for rmse. A"
        " single .npz file may have any name."
    )
    metric: Metric
    calibration_samples: Int = Field(
        default=128, ge=16, le=4096, description="Samples that static quantisation calibrates on."
    )
    golden_samples: Int = Field(
        default=8,
        ge=1,
        le=64,
        description="Samples that are replayed on every device and compared with the certified"
        " answers; they keep the guard supplied where there is no traffic.",
    )
