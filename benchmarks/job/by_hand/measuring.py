"""What a person writes to measure two models honestly, with numpy and nothing of Skerry's.

Every figure and every count is the job's: 40 calls to know the baseline, every sample of both splits alone,
full batches where they differ, blocks of 20 calls A B B A, peaks of memory in fresh processes. Otherwise
the time of one could not be compared with that of the other.

    python measuring.py MODEL SAMPLES.npz      prints the peak memory of a fresh process in bytes
"""

from __future__ import annotations

import hashlib
import importlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Sample = dict[str, NDArray[Any]]
    Run = Callable[[Sample], NDArray[Any]]

GOLDEN, CALIBRATION, TO_CHOOSE = 16, 100, 500
WARM, BASELINE_CALLS, BLOCKS, BLOCK_CALLS = 10, 40, 10, 20
BATCH, PROBES = 16, 4


@dataclass
class Data:
    """The samples of one use."""

    arrays: Sample

    def __len__(self) -> int:
        """Count of samples."""
        return len(next(iter(self.arrays.values())))

    def one(self, row: int) -> Sample:
        """Return a sample as a batch of one."""
        return {name: array[row : row + 1] for name, array in self.arrays.items()}

    def some(self, rows: Sequence[int]) -> Sample:
        """Return samples as a batch."""
        return {name: array[list(rows)] for name, array in self.arrays.items()}


def split(file: Path) -> dict[str, Data]:
    """Share out the samples as the job does, so that quality can be compared to the last neighbor."""
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    digest = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    count = len(next(iter(arrays.values())))
    order = sorted(
        range(count), key=lambda row: hashlib.sha256(f"{digest}/{row}".encode()).digest()
    )
    rest = order[GOLDEN + CALIBRATION :]
    rows = {
        "golden": order[:GOLDEN],
        "calibration": order[GOLDEN : GOLDEN + CALIBRATION],
        "choice": rest[: len(rest) // 2][:TO_CHOOSE],
        "certification": rest[len(rest) // 2 :],
    }
    return {
        use: Data({name: a[chosen] for name, a in arrays.items()}) for use, chosen in rows.items()
    }


@dataclass
class Quality:
    """Answers judged against the baseline's: nearest neighbors kept, mean cosine."""

    kept: int
    of: int
    cosine: float


def judge(baseline: NDArray[Any], answers: NDArray[Any]) -> Quality:
    """Compare nearest neighbors by cosine."""
    theirs, ours = (
        a.reshape(len(a), -1).astype(np.float64) / np.linalg.norm(a, axis=-1, keepdims=True)
        for a in (baseline, answers)
    )
    nearest = []
    for unit in (theirs, ours):
        likeness = unit @ unit.T
        np.fill_diagonal(likeness, -np.inf)
        nearest.append(likeness.argmax(axis=1))
    kept = int((nearest[0] == nearest[1]).sum())
    return Quality(kept, len(answers), float((theirs * ours).sum(axis=1).mean()))


def alone(run: Run, data: Data) -> NDArray[Any]:
    """Answer each sample by itself."""
    return np.concatenate([run(data.one(row)) for row in range(len(data))])


def worse_of_batches(
    run: Run, data: Data, baseline: NDArray[Any], by_itself: NDArray[Any]
) -> Quality:
    """Judge alone, and in full batches of shuffled samples where these answer differently."""
    order = np.random.default_rng(len(data)).permutation(len(data)).tolist()
    batches = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    batches[-1] += order[: BATCH - len(batches[-1])]
    quality = judge(baseline, by_itself)
    together: dict[int, NDArray[Any]] = {}
    for number, rows in enumerate(batches):
        if number == PROBES and _same(together, by_itself):
            return quality
        together |= dict(zip(rows, run(data.some(rows)), strict=True))
    in_batches = judge(baseline, np.stack([together[row] for row in sorted(together)]))
    return min(quality, in_batches, key=lambda one: one.kept)


def _same(together: dict[int, NDArray[Any]], by_itself: NDArray[Any]) -> bool:
    rows = sorted(together)
    one, other = np.stack([together[row] for row in rows]), by_itself[rows]
    lengths = np.linalg.norm(other, axis=-1)
    return bool((np.linalg.norm(one - other, axis=-1) <= 1e-3 * lengths).all())


@dataclass
class Timing:
    """Latencies in milliseconds, block by block."""

    baseline: list[list[float]] = field(default_factory=list)
    candidate: list[list[float]] = field(default_factory=list)

    @property
    def speedup(self) -> float:
        """Median over the pairs of blocks."""
        pairs = zip(self.baseline, self.candidate, strict=True)
        return median(median(one) / median(other) for one, other in pairs)

    @property
    def calls(self) -> int:
        """Calls of both sides."""
        return sum(len(block) for block in (*self.baseline, *self.candidate))


def race(baseline: Run, candidate: Run, data: Data) -> Timing:
    """Take times in blocks A B B A, the baseline first."""
    found = Timing()
    for run in (baseline, candidate):
        _block(run, data, range(WARM))
    for pair in range(0, BLOCKS, 2):
        first, second = (
            [row % len(data) for row in range(at * BLOCK_CALLS, (at + 1) * BLOCK_CALLS)]
            for at in (pair, pair + 1)
        )
        one, two = _block(baseline, data, first), _block(candidate, data, first)
        three, four = _block(candidate, data, second), _block(baseline, data, second)
        found.baseline += [one, four]
        found.candidate += [two, three]
    return found


def _block(run: Run, data: Data, rows: Sequence[int]) -> list[float]:
    times = []
    for row in rows:
        sample = data.one(row)
        begun = time.perf_counter()
        run(sample)
        times.append((time.perf_counter() - begun) * 1000)
    return times


def know(baseline: Run, data: Data) -> float:
    """Return the baseline's median call in milliseconds, for the report."""
    _block(baseline, data, [0] * WARM)
    return median(_block(baseline, data, range(BASELINE_CALLS)))


def peaks(module: str, model: Path, data: Data, work: Path, processes: int) -> list[int]:
    """Return the peak memory of fresh processes that load `model` by `module`.open_model and warm up."""
    sample = work / "sample.npz"
    np.savez(sample, allow_pickle=False, **data.one(0))
    command = [sys.executable, __file__, module, str(model), str(sample)]
    found = []
    for _ in range(processes):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(int(done.stdout))
    return found


def saved(baseline: Sequence[int], candidate: Sequence[int], empty: Sequence[int]) -> float:
    """Return the share of the baseline's memory over the empty runtime that the candidate saves."""
    floor = median(empty)
    return 1 - (median(candidate) - floor) / (median(baseline) - floor)


def main() -> None:
    """Load a model, warm it up, print the peak."""
    module, model, file = sys.argv[1:4]
    run: Run = importlib.import_module(module).open_model(Path(model))
    with np.load(file) as archive:
        sample = {name: archive[name] for name in archive.files}
    for _ in range(WARM):
        run(sample)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    sys.stdout.write(json.dumps(peak * 1024))


if __name__ == "__main__":
    main()
