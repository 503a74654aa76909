"""Golden samples as ready-made requests: what the agent replays to see that a device answers right.

They come with the artifact, so they are verified by its digest and need no other way to the device.
The certified answers are this variant's own, computed alone, not the source model's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skerry_runtime.artifact import read_golden
from skerry_runtime.datatypes import one_sample
from skerry_runtime.tensors import json_tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skerry.engines import TensorSpec
    from skerry_runtime.artifact import Artifact
    from skerry_runtime.datatypes import Arrays


def replay_set(
    artifact: Artifact, input_specs: Sequence[TensorSpec], output_specs: Sequence[TensorSpec]
) -> dict[str, Any]:
    """Return the tolerance, the certified p50 and every golden sample as a request with its answer.

    Read from the volume each time: the agent asks once per revision, and memory stays free.
    """
    inputs, outputs, shapes = read_golden(artifact.directory)
    count = min((len(array) for array in inputs.values()), default=0)
    content: dict[str, Any] = {
        "tolerance": artifact.tolerance,
        "samples": [
            {
                "request": {
                    "inputs": json_tensors(_sample(inputs, index, input_specs), input_specs)
                },
                "outputs": json_tensors(_answer(outputs, shapes, index), output_specs),
            }
            for index in range(count)
        ],
    }
    if "p50Milliseconds" in artifact.certified:
        content["p50Milliseconds"] = float(artifact.certified["p50Milliseconds"])
    return content


def _sample(arrays: Arrays, index: int, specs: Sequence[TensorSpec]) -> Arrays:
    by_name = {spec.name: spec for spec in specs}
    return {name: one_sample(array, index, by_name[name]) for name, array in arrays.items()}


def _answer(arrays: Arrays, shapes: Arrays, index: int) -> Arrays:
    """Return a whole answer, as the server gives it; it may be a scalar, or smaller than those to others."""
    answer = {name: np.asarray(array[index]) for name, array in arrays.items()}
    for name, sizes in shapes.items():
        answer[name] = answer[name][tuple(map(slice, sizes[index]))]
    return answer
