"""The arrays between the measuring stages, and candidates as these load them. `skerry.jobs.scratch` says where.

`baseline` writes each split's inputs as .npy, so that workers can map them; `quality` the baseline's
answers next to these, and each candidate's answers next to what it found of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.api.modelvariant import RecipeResult
from skerry.engines import SOURCE
from skerry_runtime.datatypes import is_whole, one_sample, storable, usable
from skerry_runtime.measure.process import ModelFile, WorkerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.engines import EnginePlugin
    from skerry.jobs.files import CandidateFile, JudgedFile, TensorInfo
    from skerry.jobs.scratch import Workspace
    from skerry_runtime.dataset import Dataset, Split


@dataclass(frozen=True)
class Candidate:
    """A built candidate on disk."""

    file: CandidateFile
    model: ModelFile

    def result(self, **figures: Any) -> RecipeResult:
        """Return a recipe result of it with what was measured."""
        file = self.file
        return RecipeResult(
            recipe=file.recipe, precision=file.precision, bytes=file.bytes, **figures
        )


@dataclass(frozen=True)
class Samples:
    """One split on disk: inputs by name, their count, labels and the baseline's answers."""

    folder: Path
    split: Split
    inputs_as_taken: tuple[TensorInfo, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return tuple(info.name for info in self.inputs_as_taken)

    @property
    def whole(self) -> frozenset[str]:
        """Inputs whose samples are whole inputs of the model, not rows of one."""
        return frozenset(
            info.name
            for place, info in enumerate(self.inputs_as_taken)
            if is_whole(np.load(self._input(place), mmap_mode="r"), info)
        )

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

    @property
    def others(self) -> dict[str, NDArray[Any]]:
        """The baseline's outputs after the first, of the first samples, by name."""
        with np.load(self._others()) as archive:
            return {name: archive[name] for name in archive.files}

    def first(self) -> dict[str, NDArray[Any]]:
        """Return one sample as the inputs of an inference."""
        return {
            info.name: usable(
                one_sample(np.load(self._input(place), mmap_mode="r"), 0, info).copy()
            )
            for place, info in enumerate(self.inputs_as_taken)
        }

    def inputs(self) -> dict[str, NDArray[Any]]:
        """Return all samples in memory."""
        return {name: usable(np.load(file)) for name, file in self.files.items()}

    def write(self, dataset: Dataset) -> None:
        """Put a split on disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for place, name in enumerate(self.names):
            np.save(self._input(place), storable(dataset.inputs[name]))
        if dataset.labels is not None:
            np.save(self.folder / f"{self.split}.labels.npy", dataset.labels)

    def write_baseline(self, answers: Sequence[NDArray[Any]]) -> None:
        """Keep the baseline's answers, one per sample."""
        np.save(self._answers(), np.concatenate(list(answers)))

    def write_others(self, outputs: dict[str, NDArray[Any]]) -> None:
        """Keep the baseline's outputs after the first, of the first samples."""
        np.savez(self._others(), allow_pickle=False, **outputs)

    def _input(self, place: int) -> Path:
        # By number: an input's name may hold a slash.
        return self.folder / f"{self.split}.{place}.npy"

    def _others(self) -> Path:
        return self.folder / f"{self.split}.others.npz"

    def _answers(self) -> Path:
        return self.folder / f"{self.split}.baseline.npy"


def candidates_of(workspace: Workspace, engine: EnginePlugin) -> list[Candidate]:
    """Return what the optimizer left of an engine, the most promising first and the source last.

    Raises:
        WorkerError: Nothing.
    """
    files = sorted(
        workspace.read_candidates(), key=lambda one: (one.recipe == SOURCE, one.place, one.recipe)
    )
    if not files:
        raise WorkerError(f"there are no candidates in {workspace.candidates}")
    return [
        Candidate(file, ModelFile(engine.name, engine.model_in(workspace.folder(file.recipe))))
        for file in files
    ]


def write_judged(
    workspace: Workspace,
    candidate: Candidate,
    split: Split,
    found: tuple[JudgedFile, NDArray[Any] | None],
) -> None:
    """Keep what was found of a candidate on a split, and its answers alone."""
    judged, answers = found
    workspace.write_judged(split, candidate.file.recipe, judged)
    if answers is not None:
        np.save(workspace.judged_answers(split, candidate.file.recipe), answers)


def read_judged(
    workspace: Workspace, candidate: Candidate, split: Split
) -> tuple[JudgedFile, NDArray[Any]]:
    """Return what was found of a candidate on a split, and its answers alone.

    Raises:
        StageError: The stage `quality` did not run.
    """
    recipe = candidate.file.recipe
    judged = workspace.read_judged(split, recipe)
    answers = workspace.judged_answers(split, recipe)
    return judged, np.empty(0) if judged.failure else np.load(answers)


def samples_of(workspace: Workspace, split: Split, inputs: Sequence[TensorInfo]) -> Samples:
    """Return a split's place on disk."""
    return Samples(workspace.samples, split, tuple(inputs))
