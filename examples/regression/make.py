"""Makes a regression model: `python -m examples.regression.make OUTDIR`.

A perceptron learns Friedman's first benchmark, as scikit-learn draws it (J. H. Friedman,
"Multivariate adaptive regression splines", Annals of Statistics 19, 1991): five of ten readings make
the value, y = 10 sin(pi x0 x1) + 20 (x2 - 0.5)^2 + 10 x3 + 5 x4, and noise of deviation 1 is added.
No model can have an error below 1. Input `readings` (batch, 10), output `value` (batch, 1).
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.neural_network import MLPRegressor

from examples.perceptron import Made, layers_of, network, run_script

SAMPLES = 4000
TRAINING = 2500
NOISE = 1.0
HIDDEN = (256, 128)
MOST_EPOCHS = 200
SEED = 0


def make() -> Made:
    """Train, say how good it is, and return the model and its data set."""
    drawn, values = make_friedman1(SAMPLES, noise=NOISE, random_state=SEED)
    readings = drawn.astype(np.float32)
    mean, deviation = values[:TRAINING].mean(), values[:TRAINING].std()
    trained = MLPRegressor(
        hidden_layer_sizes=HIDDEN,
        alpha=1e-3,
        max_iter=MOST_EPOCHS,
        early_stopping=True,
        random_state=SEED,
    )
    trained.fit(readings[:TRAINING], (values[:TRAINING] - mean) / deviation)
    # The network learned standardized values; its last layer returns them in their own unit.
    *hidden, (kernel, bias) = layers_of(trained)
    last = (kernel * np.float32(deviation), bias * np.float32(deviation) + np.float32(mean))
    answers = trained.predict(readings[TRAINING:]) * deviation + mean
    error = np.sqrt(np.mean(np.square(answers - values[TRAINING:])))
    print(f"root mean square error {error:.3f} on samples that it has not seen")
    model = network({"readings": readings.shape[1]}, [*hidden, last], "value")
    labels = values[TRAINING:, None].astype(np.float32)
    return model, {"readings": readings[TRAINING:], "labels": labels}


if __name__ == "__main__":
    run_script(make)
