"""Whether answers depend on the batch that a request is computed in.

A server joins the requests of several callers. So a batch is tried with samples of the data set, and with a
last sample whose numbers are far outside of it: a build that scales its activations over the whole batch then
gives the others coarser answers, and one caller would spoil those of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry_runtime.limits import MOST_ROWS
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.measure.quality import same_answers
from skerry_runtime.session import rows_are_free

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.measure.process import Process

# Full batches that are compared with the answers alone. When all agree but for rounding, the model
# computes rows independently, and the quality alone holds for batches too.
PROBE_BATCHES = 4
HOSTILE_SCALES = (100.0, 1e30)


@dataclass(frozen=True)
class Batches:
    """Full batches of one candidate's samples.

    Attributes:
        process: The candidate's, with the samples open.
        alone: What it answers to each sample alone, by output; outputs may have fewer samples than the first.
    """

    process: Process
    alone: Mapping[str, NDArray[Any]]

    @property
    def are_taken(self) -> bool:
        """Whether the model takes samples together: one that fixes a first axis does not."""
        loaded = self.process.loaded
        return rows_are_free([*loaded.inputs, *loaded.outputs])

    @property
    def first(self) -> str:
        """The name of the first output."""
        return next(iter(self.alone))

    def are_like_alone(self) -> bool:
        """Return whether samples of the data set are answered as they are alone, but for rounding."""
        return all(self._is_like_alone(rows, self.process.batch(rows)) for rows in self._probes())

    def survive_hostile_mates(self) -> bool:
        """Return whether a last sample far outside of the data leaves the answers to the others as they are."""
        if not any(spec.datatype.startswith("FP") for spec in self.process.loaded.inputs):
            return True
        rows = next(self._probes())
        return all(self._survive(rows, scale) for scale in HOSTILE_SCALES)

    def answers(self) -> NDArray[Any]:
        """Return the first output of every sample, computed in full batches."""
        found: dict[int, NDArray[Any]] = {}
        for rows in full_batches(len(self.alone[self.first])):
            together = self.process.batch(rows)[self.first]
            found |= {row: together[place : place + 1] for place, row in enumerate(rows)}
        return np.concatenate([found[row] for row in sorted(found)])

    def _survive(self, rows: Sequence[int], scale: float) -> bool:
        try:
            together = self.process.batch(rows, scale)
        except WorkerError:
            return False
        return self._is_like_alone(rows[:-1], {name: part[:-1] for name, part in together.items()})

    def _is_like_alone(self, rows: Sequence[int], together: Arrays) -> bool:
        return all(
            are_alike(
                alone, [row for row in enumerate(rows) if row[1] < len(alone)], together[name]
            )
            for name, alone in self.alone.items()
        )

    def _probes(self) -> Iterator[list[int]]:
        probes = full_batches(len(self.alone[self.first]))
        return (rows for _, rows in zip(range(PROBE_BATCHES), probes, strict=False))


def are_alike(
    alone: NDArray[Any], places: Iterable[tuple[int, int]], together: NDArray[Any]
) -> bool:
    """Return whether rows of a batch (place, sample) are answered as they are alone."""
    pairs = list(places)
    if not pairs:
        return True
    ours = together[[place for place, _ in pairs]]
    wanted = alone[[sample for _, sample in pairs]]
    if ours.size != wanted.size:  # an axis depends on the longest sample of the batch
        return False
    wanted = wanted.reshape(ours.shape)
    if ours.dtype.kind in "OUSbiu":
        return bool((ours == wanted).all())
    return same_answers(ours, wanted)


def full_batches(count: int) -> Iterator[list[int]]:
    """Yield full batches of shuffled samples; a last short one is filled up with others."""
    order = np.random.default_rng(count).permutation(count).tolist()
    size = min(MOST_ROWS, count)
    for start in range(0, count, size):
        rows = order[start : start + size]
        yield rows + order[: size - len(rows)]
