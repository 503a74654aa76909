"""Golden samples: the certified variant's own answers, alone, and how near a device must come.

The tolerance comes from what was measured: how much the answers differ when the same samples are
run again, in the same process and in a fresh one. A floor stands for rounding that another
processor of the class may do otherwise; a build that is really different is far outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.jobs.files import Tolerance
from skerry.jobs.names import INPUT_PREFIX, OUTPUT_PREFIX, SHAPE_PREFIX
from skerry.tasks import TENSOR_INFERENCE
from skerry_runtime.datatypes import storable
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.nonfinite import FINITE, finite, kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.measure.bench import Bench
    from skerry_runtime.measure.files import Candidate, Samples
    from skerry_runtime.measure.process import Process

# How many times the greatest deviation that was seen is still taken for the same answer.
MARGIN = 10.0
LEAST_RELATIVE = 1e-3
MOST_COSINE = 0.9999
LEAST_COSINE = 0.9
"""However much a build's answers vary: below it, another model's answers would pass."""


def golden_runs(process: Process, samples: Samples) -> list[Arrays]:
    """Run the golden samples twice in one process."""
    process.use(samples.files)
    return [joined(process.outputs(range(samples.count))) for _ in range(2)]


def write_golden(
    bench: Bench, candidate: Candidate, samples: Samples, runs: Sequence[Arrays]
) -> Tolerance:
    """Run the golden samples in one more process, write golden.npz, return the tolerance.

    Args:
        bench: The plan and the mounts.
        candidate: The certified one.
        samples: The golden ones.
        runs: The answers of the process that was certified.
    """
    with bench.started(candidate.model) as process:
        runs = [*runs, *golden_runs(process, samples)]
        answers = process.outputs(range(samples.count))
    certified = runs[0]
    arrays = {INPUT_PREFIX + name: storable(array) for name, array in samples.inputs().items()}
    arrays |= {OUTPUT_PREFIX + name: array for name, array in certified.items()}
    arrays |= {SHAPE_PREFIX + name: sizes for name, sizes in _shapes(answers).items()}
    np.savez(bench.workspace.golden, allow_pickle=False, **arrays)
    vectors = TENSOR_INFERENCE.metrics[bench.metric].vectors
    return tolerance_of(certified, runs[1:], with_cosine=vectors)


def tolerance_of(certified: Arrays, again: Sequence[Arrays], *, with_cosine: bool) -> Tolerance:
    """Return the tolerance from repeated answers: an answer may differ by absolute + relative."""
    numbers = {name: array for name, array in certified.items() if array.dtype.kind == "f"}
    seen = max(
        (_deviation(array, run[name]) for name, array in numbers.items() for run in again),
        default=0.0,
    )
    size = max((_root_mean_square(array) for array in numbers.values()), default=0.0)
    first = next(iter(certified))
    angle = max((1 - _cosine(certified[first], run[first]) for run in again), default=0.0)
    return Tolerance(
        absolute=max(MARGIN * seen, LEAST_RELATIVE * size),
        relative=LEAST_RELATIVE,
        cosine=min(MOST_COSINE, max(LEAST_COSINE, 1 - MARGIN * angle)) if with_cosine else None,
    )


def joined(answers: Sequence[Arrays]) -> Arrays:
    """Return whole answers along a new first axis: an output need not have one for samples.

    Those of an output whose shape depends on the sample are padded.

    Raises:
        WorkerError: The count of its axes does.
    """
    return {name: storable(_stacked(name, [one[name] for one in answers])) for name in answers[0]}


def _stacked(name: str, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    shapes = {array.shape for array in arrays}
    if len(shapes) == 1:
        return np.stack(arrays)
    if len({len(shape) for shape in shapes}) > 1:
        raise WorkerError(
            f"the output `{name}` has more axes for some samples than for others: export the model without it"
        )
    whole = np.full(
        (len(arrays), *np.max(list(shapes), axis=0)), _padding(arrays[0].dtype), arrays[0].dtype
    )
    for row, array in enumerate(arrays):
        whole[row][tuple(slice(size) for size in array.shape)] = array
    return whole


def _padding(kind: np.dtype[Any]) -> Any:
    """Return what no answer holds, so that another count of numbers is another answer."""
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return limits.min if kind.kind == "i" else limits.max
    return {"f": np.nan, "b": False}.get(kind.kind, "")


def _shapes(answers: Sequence[Arrays]) -> Arrays:
    """Return the shapes of outputs that have not the same for each sample: (samples, axes)."""
    found = {name: [one[name].shape for one in answers] for name in answers[0]}
    return {name: np.array(shapes) for name, shapes in found.items() if len(set(shapes)) > 1}


def _deviation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the greatest difference of numbers that are finite; the others have to be the same."""
    if one.shape != other.shape or (kinds(one) != kinds(other)).any():
        raise WorkerError(
            "it answers a golden sample with NaN or an infinity in one call and a number in another, so that"
            " nothing can be certified"
        )
    return float(np.abs(finite(one) - finite(other)).max(initial=0.0))


def _root_mean_square(array: NDArray[Any]) -> float:
    numbers = array[kinds(array) == FINITE].astype(np.float64)
    return float(np.sqrt(np.mean(np.square(numbers)))) if numbers.size else 0.0


def _cosine(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the least cosine of the rows of two arrays."""
    first, second = (finite(a).reshape(len(a), -1) for a in (one, other))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    same = (first == second).all(axis=1)  # also where all are zero, which has no direction
    cosines = (first * second).sum(axis=1) / np.maximum(lengths, 1e-12)
    return float(np.where(same, 1.0, cosines).min())
