"""What the two stages leave in /scratch/measure, for each other and for the stage that packs.

`baseline` writes samples/ (each split's inputs as .npy, so that workers can map them), the
baseline's answers and baseline.json; `validate` writes validation.json and golden.npz.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.api.common import Model
from skerry.api.job import TensorInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry_runtime.dataset import Dataset, Split

BASELINE = "baseline.json"
VALIDATION = "validation.json"
GOLDEN = "golden.npz"


class BaselineFile(Model):
    """baseline.json: the unoptimised source in float32, on this device."""

    engine_version: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    p50_milliseconds: float
    call_seconds: float
    empty_peaks: tuple[int, ...]
    baseline_peaks: tuple[int, ...]
    anonymous_bytes: int


@dataclass(frozen=True)
class Places:
    """The mounts of the job, as directories."""

    source: Path
    dataset: Path
    scratch: Path

    @property
    def measure(self) -> Path:
        """Where the measuring stages keep their files."""
        return self.scratch / "measure"

    @property
    def candidates(self) -> Path:
        """A folder per built candidate."""
        return self.scratch / "candidates"


def places_from_environment() -> Places:
    """Return the job's mounts; the environment may name others."""
    read = os.environ.get
    return Places(
        source=Path(read("SKERRY_SOURCE_DIR", "/source")),
        dataset=Path(read("SKERRY_DATASET_DIR", "/dataset")),
        scratch=Path(read("SKERRY_SCRATCH_DIR", "/scratch")),
    )


@dataclass(frozen=True)
class Samples:
    """One split on disk: inputs by name, their count, labels and the baseline's answers."""

    folder: Path
    split: Split
    names: tuple[str, ...]

    @property
    def files(self) -> dict[str, str]:
        """The .npy file of each input."""
        return {name: str(self._input(place)) for place, name in enumerate(self.names)}

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(np.load(self._input(0), mmap_mode="r"))

    @property
    def labels(self) -> NDArray[Any] | None:
        """The right answers, where the data set has them."""
        file = self.folder / f"{self.split}.labels.npy"
        return np.load(file) if file.exists() else None

    @property
    def baseline(self) -> NDArray[Any]:
        """The baseline's answers, alone."""
        answers: NDArray[Any] = np.load(self._answers())
        return answers

    def first(self) -> dict[str, NDArray[Any]]:
        """One sample as the inputs of an inference."""
        return {name: np.load(file, mmap_mode="r")[:1].copy() for name, file in self.files.items()}

    def inputs(self) -> dict[str, NDArray[Any]]:
        """All samples in memory."""
        return {name: np.load(file) for name, file in self.files.items()}

    def write(self, dataset: Dataset) -> None:
        """Put a split on disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for place, name in enumerate(self.names):
            np.save(self._input(place), dataset.inputs[name])
        if dataset.labels is not None:
            np.save(self.folder / f"{self.split}.labels.npy", dataset.labels)

    def write_baseline(self, answers: Sequence[NDArray[Any]]) -> None:
        """Keep the baseline's answers, one per sample."""
        np.save(self._answers(), np.concatenate(list(answers)))

    def _input(self, place: int) -> Path:
        # By number: an input's name may hold a slash.
        return self.folder / f"{self.split}.{place}.npy"

    def _answers(self) -> Path:
        return self.folder / f"{self.split}.baseline.npy"


def samples_of(places: Places, split: Split, inputs: Sequence[TensorInfo]) -> Samples:
    """Return a split's place on disk."""
    return Samples(places.measure / "samples", split, tuple(info.name for info in inputs))
