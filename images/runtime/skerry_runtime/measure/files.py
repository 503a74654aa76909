"""What the measuring stages leave in /scratch/measure, for each other and for the stage that packs.

`baseline` writes samples/ (each split's inputs as .npy, so that workers can map them) and
baseline.json; `quality` the baseline's answers beside the samples and quality/ (what it found of
each candidate on each split, with the answers); `validate` writes validation.json and golden.npz.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.api.common import Model
from skerry.api.job import CandidateFile, TensorInfo
from skerry.api.modelvariant import Interval, Trial
from skerry_runtime.measure.process import ModelFile, WorkerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry.engines import EnginePlugin
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
    empty_peaks: tuple[int, ...]
    baseline_peaks: tuple[int, ...]
    anonymous_bytes: int


class JudgedFile(Model):
    """quality/SPLIT/RECIPE.json: what the stage `quality` found of one candidate on one split.

    `seen` of `count` samples were judged: all, or those before a required gate had failed.
    `failure` says why a candidate can't be judged at all; the rest is empty then.
    """

    count: int
    seen: int = 0
    quality: Interval | None = None
    cosine: Interval | None = None
    kept: int = 0
    of: int = 0
    batching: bool = False
    failure: str = ""


@dataclass(frozen=True)
class Candidate:
    """A built candidate on disk."""

    file: CandidateFile
    model: ModelFile

    def trial(self, **figures: Any) -> Trial:
        """Return a trial of it with what was measured."""
        file = self.file
        return Trial(recipe=file.recipe, precision=file.precision, bytes=file.bytes, **figures)


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

    def judged(self, candidate: Candidate, split: Split) -> Path:
        """Where the stage `quality` keeps what it found; its answers lie beside as .npy."""
        return self.measure / "quality" / split / f"{candidate.file.recipe}.json"


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


def read_baseline(places: Places) -> BaselineFile:
    """Return what the first stage found.

    Raises:
        WorkerError: It did not run.
    """
    return BaselineFile.model_validate_json(
        _left(places.measure / BASELINE, "baseline-measurement").read_text()
    )


def candidates_of(places: Places, engine: EnginePlugin) -> list[Candidate]:
    """Return what the optimizer left of an engine, by name.

    Raises:
        WorkerError: Nothing.
    """
    files = sorted(places.candidates.glob("*/candidate.json"))
    if not files:
        raise WorkerError(f"there are no candidates in {places.candidates}")
    return [
        Candidate(
            CandidateFile.model_validate_json(file.read_text()),
            ModelFile(engine.name, engine.model_in(file.parent)),
        )
        for file in files
    ]


def write_judged(
    places: Places,
    candidate: Candidate,
    split: Split,
    found: tuple[JudgedFile, NDArray[Any] | None],
) -> None:
    """Keep what was found of a candidate on a split, and its answers alone."""
    judged, answers = found
    file = places.judged(candidate, split)
    file.parent.mkdir(parents=True, exist_ok=True)
    if answers is not None:
        np.save(file.with_suffix(".npy"), answers)
    file.write_text(judged.model_dump_json(by_alias=True))


def read_judged(
    places: Places, candidate: Candidate, split: Split
) -> tuple[JudgedFile, NDArray[Any]]:
    """Return what was found of a candidate on a split, and its answers alone.

    Raises:
        WorkerError: The stage `quality` did not run.
    """
    file = _left(places.judged(candidate, split), "quality")
    judged = JudgedFile.model_validate_json(file.read_text())
    return judged, np.empty(0) if judged.failure else np.load(file.with_suffix(".npy"))


def _left(file: Path, stage: str) -> Path:
    if not file.exists():
        raise WorkerError(f"{file} is missing: the stage {stage} has to run before")
    return file


def samples_of(places: Places, split: Split, inputs: Sequence[TensorInfo]) -> Samples:
    """Return a split's place on disk."""
    return Samples(places.measure / "samples", split, tuple(info.name for info in inputs))
