"""Makes a classifier of hand-written digits: `python -m examples.digits.make OUTDIR`.

A perceptron of two hidden layers learns half of scikit-learn's digits (1,797 real images of 8 x 8
pixels, which come with the package) in a second; the other half is the data set to judge it by.
Input `image` (batch, 64) with pixels of 0 to 1, output `scores` (batch, 10).
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from examples.perceptron import Made, layers_of, network, run_script

TRAINING = 900
HIDDEN = (256, 128)
MOST_EPOCHS = 200
BRIGHTEST = 16
SEED = 0


def make() -> Made:
    """Train, say how good it is, and return the model and its data set."""
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    images = (digits.data[order] / BRIGHTEST).astype(np.float32)
    labels = digits.target[order].astype(np.int64)
    trained = MLPClassifier(HIDDEN, alpha=1e-3, tol=1e-3, max_iter=MOST_EPOCHS, random_state=SEED)
    trained.fit(images[:TRAINING], labels[:TRAINING])
    print(f"accuracy {trained.score(images[TRAINING:], labels[TRAINING:]):.3f} on the other half")
    model = network({"image": images.shape[1]}, layers_of(trained), "scores")
    return model, {"image": images[TRAINING:], "labels": labels[TRAINING:]}


if __name__ == "__main__":
    run_script(make)
