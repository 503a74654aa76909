"""Arrays in, arrays out: classifiers, detectors, regressions, embeddings."""

from __future__ import annotations

from enum import StrEnum

from skerry.tasks.task import Figure, Form, Format, MetricRules, Task


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


_CLASSES = "the right class of each sample as integers"

QUALITY = Figure("quality", Form.RATIO)
COSINE = Figure("cosine", Form.ABSOLUTE)
MOVEMENT = Figure("movement of the outputs", Form.ABSOLUTE, more_is_better=False)
SPEEDUP = Figure("speed-up", Form.TIMES)
MEMORY = Figure("memory saved", Form.SHARE)
SIZE = Figure("size", Form.BYTES, more_is_better=False)

TENSOR_INFERENCE = Task(
    name="TensorInference",
    source=Format("model.onnx", ".onnx", "an ONNX model"),
    dataset=Format("dataset.npz", ".npz", "NumPy arrays, as numpy.savez writes them"),
    golden_file="golden.npz",
    metrics={
        # The interval of a ratio of accuracies is then 5 % wide.
        Metric.ACCURACY: MetricRules(200, _CLASSES),
        Metric.F1: MetricRules(200, _CLASSES),
        Metric.RMSE: MetricRules(200, "the right values as numbers"),
        # Only some hundreds of items distinguish a share of 0.95 from 0.93.
        Metric.NEAREST_NEIGHBORS: MetricRules(500, vectors=True),
    },
    gates={
        "quality": QUALITY,
        "cosine": COSINE,
        "movement": MOVEMENT,
        "speedup": SPEEDUP,
        "speedupAim": SPEEDUP,
        "memoryReduction": MEMORY,
        "memoryReductionAim": MEMORY,
        "artifactSize": SIZE,
    },
)
