"""How far the outputs of a build move from the source's, output by output.

A metric looks at the first output, and often at its best class alone. Callers read every output, and put
thresholds on scores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.judging.intervals import Estimate, mean_of
from skerry_runtime.measure.quality import QualityError
from skerry_runtime.nonfinite import finite, kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry_runtime.datatypes import TensorLike

# A spread below this share of the values' size is rounding: such an output is constant.
CONSTANT = 1e-6


def movement(name: str, source: NDArray[Any], build: NDArray[Any]) -> Estimate:
    """Return how far an output moves, and the 95 % interval; 0 when every answer is the source's.

    It is the root mean square of the differences, divided by the spread of the source's own answers. Integers,
    booleans and text are names, of which each is as far from any other: a difference is that of two indicator
    vectors, and the spread is theirs. A hundredth of other answers to two classes of equal size is 0.2.

    Args:
        name: Of the output.
        source: Its answers, (samples, ...).
        build: Those to the same samples.

    Raises:
        QualityError: An answer has another shape or type, or is not finite where the source's is.
    """
    if source.shape != build.shape or source.dtype.kind != build.dtype.kind:
        ours, theirs = (f"{side.dtype} {side.shape[1:]}" for side in (build, source))
        raise QualityError(f"the output `{name}` is {ours}, the source's is {theirs}")
    if not source.size:  # such as what was found in samples that have nothing to find
        return Estimate(0.0, 0.0, 0.0)
    if source.dtype.kind != "f":
        return _of_names(source, build)
    return _of_numbers(name, source, build)


def _of_names(source: NDArray[Any], build: NDArray[Any]) -> Estimate:
    counts = np.unique(source, return_counts=True)[1]
    spread = 1 - float(np.square(counts / counts.sum()).sum())
    others = (source != build).reshape(len(source), -1).mean(axis=1)
    return _root_of_mean(2 * others / (spread or 1.0))


def _root_of_mean(errors: NDArray[np.float64]) -> Estimate:
    return mean_of(errors.tolist()).map(lambda error: math.sqrt(max(error, 0.0)))


def _of_numbers(name: str, source: NDArray[Any], build: NDArray[Any]) -> Estimate:
    others = np.argwhere(kinds(source) != kinds(build))
    if len(others):
        row = int(others[0][0])
        raise QualityError(
            f"the output `{name}` is NaN or infinite for sample {row}, or of another size, and the source's is"
            " not, or the reverse"
        )
    first, second = (finite(side).reshape(len(side), -1) for side in (source, build))
    return _root_of_mean(np.square((second - first) / _spread(first)).mean(axis=1))


def _spread(rows: NDArray[np.float64]) -> float:
    """Return the root mean square deviation from the mean sample; for constant answers, their size."""
    spread = float(np.sqrt(rows.var(axis=0).mean()))
    size = float(np.sqrt(np.square(rows).mean()))
    return spread if spread > CONSTANT * size else size or 1.0


def interface_difference(source: Sequence[TensorLike], build: Sequence[TensorLike]) -> str:
    """Say how the tensors of a build differ from the source's; an empty string if they do not.

    The order counts: the metrics read the first output. An axis that is open in one of the two is no difference.
    """
    names, others = [one.name for one in source], [one.name for one in build]
    if names != others:
        return f"its tensors are {', '.join(others)}, the source's are {', '.join(names)}"
    for ours, theirs in zip(source, build, strict=True):
        if ours.datatype != theirs.datatype or not _agree(ours.shape, theirs.shape):
            wanted, given = (f"{one.datatype} {list(one.shape)}" for one in (ours, theirs))
            return f"its tensor `{ours.name}` is {given}, the source's is {wanted}"
    return ""


def _agree(one: Sequence[int], other: Sequence[int]) -> bool:
    # A source that states no shape, as some exporters leave it, reads as one without axes.
    if not one or not other:
        return True
    return len(one) == len(other) and all(
        -1 in (a, b) or a == b for a, b in zip(one, other, strict=True)
    )
