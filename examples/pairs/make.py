"""Makes a model of two inputs: `python -m examples.pairs.make OUTDIR`.

Do two images show the same digit? A perceptron sees how scikit-learn's digits differ and where both
are bright. One pair in five is the same, as rare as a match is in the field: a model that always
says "different" is right four times in five, so it is judged by F1. The images of training and data
set are different ones. Inputs `left` and `right` (batch, 64), output `scores` (batch, 2): different,
same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.neural_network import MLPClassifier

from examples.perceptron import Floats, Layer, Made, layers_of, network, run_script

if TYPE_CHECKING:
    from numpy.typing import NDArray

BRIGHTEST = 16
IMAGES_OF_TRAINING = 900
TRAINING = 8000
SAMPLES = 1500
SAME = 0.2
HIDDEN = (256, 64)
MOST_EPOCHS = 100
SEED = 0


def make() -> Made:
    """Train, say how good it is, and return the model and its data set."""
    digits = load_digits()
    random = np.random.default_rng(SEED)
    order = random.permutation(len(digits.target))
    images = (digits.data[order] / BRIGHTEST).astype(np.float32)
    known, other = order[:IMAGES_OF_TRAINING], order[IMAGES_OF_TRAINING:]
    left, right, labels = drawn(digits.target[known], TRAINING, random)
    trained = MLPClassifier(HIDDEN, alpha=1e-3, tol=3e-3, max_iter=MOST_EPOCHS, random_state=SEED)
    trained.fit(features(images[left], images[right]), labels)
    left, right, labels = drawn(digits.target[other], SAMPLES, random)
    pair = [images[IMAGES_OF_TRAINING:][side] for side in (left, right)]
    score = f1_score(labels, trained.predict(features(*pair)), average="macro")
    print(f"F1 {score:.3f} (the mean of both classes) on images that it has not seen")
    width = images.shape[1]
    model = network({"left": width, "right": width}, two_scores(trained), "scores", comparison())
    return model, {"left": pair[0], "right": pair[1], "labels": labels}


def drawn(
    shown: NDArray[np.int64], count: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Draw pairs of places in `shown`, the digit that each image shows; 1 where both are the same."""
    left = random.integers(len(shown), size=count)
    same = random.random(count) < SAME
    right = [
        random.choice(np.flatnonzero((shown == shown[one]) == alike))
        for one, alike in zip(left, same, strict=True)
    ]
    return left, np.array(right), same.astype(np.int64)


def features(left: Floats, right: Floats) -> Floats:
    """Return how far the pixels differ, and where both are bright; `comparison` does it in ONNX."""
    return np.hstack([np.abs(left - right), left * right])


def comparison() -> list[onnx.NodeProto]:
    """Return `features` as nodes."""
    return [
        helper.make_node("Sub", ["left", "right"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("Mul", ["left", "right"], ["overlap"]),
        helper.make_node("Concat", ["distance", "overlap"], ["features"], axis=1),
    ]


def two_scores(trained: MLPClassifier) -> list[Layer]:
    """Return the layers with a score for each class: of two classes scikit-learn keeps one score."""
    *hidden, (kernel, bias) = layers_of(trained)
    return [*hidden, (np.hstack([-kernel, kernel]), np.hstack([-bias, bias]))]


if __name__ == "__main__":
    run_script(make)
