"""The source's whole answers to a few samples, alone and together, for the stage that converts it.

An engine may read a model in another way than it was meant. Compared with itself, it would confirm its own
error, so each is held to these answers, which are the baseline engine's.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from skerry_runtime.datatypes import storable, usable
from skerry_runtime.measure.process import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.measure.files import Samples

MOST_ANSWERS = 8
TOGETHER = 3

Rows = list[int]


def source_answers(ask: Callable[[Rows], Arrays], count: int) -> list[tuple[Rows, Arrays]]:
    """Return the answers to the first samples alone, and to some together where the source takes them.

    Args:
        ask: Lets the source answer samples in one inference; raises WorkerError where it does not.
        count: How many samples there are.

    Raises:
        WorkerError: The source does not run on a sample.
    """
    found = [([row], ask([row])) for row in range(min(MOST_ANSWERS, count))]
    together = [*range(min(TOGETHER, count))]
    with suppress(WorkerError):
        found.append((together, ask(together)))
    return found


def write_source_answers(samples: Samples, answers: Sequence[tuple[Rows, Arrays]]) -> None:
    """Keep the answers to samples of a split."""
    kept = {
        f"{number}.{place}": storable(array)
        for number, (_rows, answer) in enumerate(answers)
        for place, array in enumerate(answer.values())
    }
    kept |= {f"{number}.rows": np.array(rows) for number, (rows, _) in enumerate(answers)}
    names = np.array([*answers[0][1]], np.str_)
    np.savez(_file(samples), allow_pickle=False, names=names, **kept)


def read_source_answers(samples: Samples) -> list[tuple[Rows, Arrays]]:
    """Return what was kept: samples, and all outputs by name; nothing where an older release measured."""
    if not _file(samples).exists():
        return []
    with np.load(_file(samples), allow_pickle=False) as archive:
        names = archive["names"].tolist()
        count = sum(name.endswith(".rows") for name in archive.files)
        return [
            (
                archive[f"{number}.rows"].tolist(),
                {name: usable(archive[f"{number}.{place}"]) for place, name in enumerate(names)},
            )
            for number in range(count)
        ]


def _file(samples: Samples) -> Path:
    # By number within: an output's name may hold a slash.
    return samples.folder / f"{samples.split}.source.npz"
