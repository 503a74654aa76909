"""Where things lie in a job's pod: the mounted source and data set, and the scratch between stages.

    /scratch/found/                         finished work of before, when there is any
    /scratch/built                          says that candidates were pulled, not made
    /scratch/candidates/RECIPE/             the files of a candidate, and candidate.json
    /scratch/measure/                       what `skerry_runtime.measure` found

Other folders can be given by environment variables, for tests and for trying a stage by hand.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from skerry.api.job import AssessPlan, CandidateFile, JobPlan
from skerry.api.modelvariant import TrialOutcome
from skerry_optimizer.errors import StageError

Plan = TypeVar("Plan", JobPlan, AssessPlan)

MODEL = "model.onnx"
"""The source, whatever the engine."""

CANDIDATE = "candidate.json"
SUMMARY = "summary.json"
"""In `found`: the result of finished work."""


@dataclass(frozen=True)
class Workspace:
    """The three folders that all stages share."""

    source: Path = Path("/source")
    dataset: Path = Path("/dataset")
    scratch: Path = Path("/scratch")

    @classmethod
    def from_environment(cls) -> Workspace:
        """Take SKERRY_SOURCE_DIR, SKERRY_DATASET_DIR and SKERRY_SCRATCH_DIR where they are set."""
        return cls(
            Path(os.environ.get("SKERRY_SOURCE_DIR", cls.source)),
            Path(os.environ.get("SKERRY_DATASET_DIR", cls.dataset)),
            Path(os.environ.get("SKERRY_SCRATCH_DIR", cls.scratch)),
        )

    @property
    def found(self) -> Path:
        """The evidence of finished work."""
        return self.scratch / "found"

    @property
    def built(self) -> Path:
        """A marker: the candidates are those of an earlier job with the same build key."""
        return self.scratch / "built"

    @property
    def candidates(self) -> Path:
        """A folder per recipe."""
        return self.scratch / "candidates"

    @property
    def measure(self) -> Path:
        """What the measuring stages wrote."""
        return self.scratch / "measure"

    @property
    def work(self) -> Path:
        """Intermediate files; nobody else reads them."""
        folder = self.scratch / "work"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def folder(self, recipe: str) -> Path:
        """Where a candidate lies."""
        return self.candidates / recipe

    def model_files(self, recipe: str) -> list[Path]:
        """Return the files of a candidate's model: all that its engine wrote."""
        files = sorted(self.folder(recipe).glob("*"))
        return [file for file in files if file.name != CANDIDATE]

    def model_bytes(self, recipe: str) -> int:
        """Return the size of a candidate's model in bytes."""
        return sum(file.stat().st_size for file in self.model_files(recipe))

    def remove_model(self, recipe: str) -> None:
        """Remove what is there of a candidate's model."""
        for file in self.model_files(recipe):
            file.unlink()

    def write_candidate(self, candidate: CandidateFile) -> None:
        """Say what became of a recipe, beside its model, if it has one."""
        file = self.folder(candidate.recipe) / CANDIDATE
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(candidate.model_dump_json(by_alias=True, exclude_none=True))

    def read_candidates(self) -> list[CandidateFile]:
        """Return what became of each recipe, by name."""
        files = sorted(self.candidates.glob(f"*/{CANDIDATE}"))
        return [CandidateFile.model_validate_json(file.read_text()) for file in files]

    def built_candidates(self) -> list[CandidateFile]:
        """Return the candidates that have a model."""
        return [one for one in self.read_candidates() if one.outcome is TrialOutcome.MEASURED]


def read_plan() -> JobPlan:
    """Read what the operator put into SKERRY_PLAN.

    Raises:
        StageError: It is missing or no plan.
    """
    return _read("SKERRY_PLAN", JobPlan)


def read_assess_plan() -> AssessPlan:
    """Read what the operator put into SKERRY_ASSESS_PLAN.

    Raises:
        StageError: It is missing or no plan.
    """
    return _read("SKERRY_ASSESS_PLAN", AssessPlan)


def _read(variable: str, kind: type[Plan]) -> Plan:
    try:
        return kind.model_validate_json(os.environ.get(variable, ""))
    except ValidationError as error:
        raise StageError(
            f"{variable} does not hold a job's plan; operator and optimizer image must be of the"
            f" same release of Skerry ({error.error_count()} errors, first: {error.errors()[0]})"
        ) from error
