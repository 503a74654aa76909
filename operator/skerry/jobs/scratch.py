"""Where things lie in a job's pod, and the files that one stage leaves for another.

    /source/, /dataset/                     the mounted images
    /scratch/found/summary.json             finished work of an earlier job, when there is any
    /scratch/begun                          when the first stage began, by the node's clock since boot
    /scratch/built                          says that candidates were pulled, not made
    /scratch/candidates/RECIPE/             the files of a candidate, and candidate.json
    /scratch/measure/baseline.json          what the baseline came to
    /scratch/measure/samples/               the parts of the data set, and the baseline's answers
    /scratch/measure/quality/SPLIT/         what was judged of each candidate, and its answers
    /scratch/measure/screening.json         what every candidate came to at full speed
    /scratch/measure/validation.json        what was chosen and certified
    /scratch/measure/golden.npz             the golden samples of what was certified

A fetch job has no source and no data set, but the origin's credentials or claim:

    /credentials/                           the Secret that the spec names, a file a key
    /claim/                                 the PersistentVolumeClaim of a pvc uri
    /scratch/listing.json                   what `look` found
    /scratch/files/                         what came in, and what is on its way

Other folders can be given by environment variables, for tests and for trying a stage by hand.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from skerry.api.common import Model
from skerry.api.modelvariant import RecipeOutcome
from skerry.jobs import names
from skerry.jobs.errors import StageError
from skerry.jobs.files import BaselineFile, CandidateFile, JudgedFile, Screening, Validation
from skerry.jobs.results import JobSummary
from skerry.jobs.stages import BASELINE_MEASUREMENT, QUALITY, VALIDATION
from skerry.tasks import TENSOR_INFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.jobs.stages import StageSpec

T = TypeVar("T", bound=Model)

CANDIDATE = "candidate.json"


@dataclass(frozen=True)
class Workspace:
    """The mounts of a job's pod."""

    source: Path = Path(names.SOURCE_DIRECTORY)
    dataset: Path = Path(names.DATASET_DIRECTORY)
    scratch: Path = Path(names.SCRATCH_DIRECTORY)
    credentials: Path = Path(names.CREDENTIALS_DIRECTORY)
    claim: Path = Path(names.CLAIM_DIRECTORY)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Workspace:
        """Return the mounts; the environment may name other folders."""
        return cls(
            Path(environment.get(names.SOURCE_VARIABLE, cls.source)),
            Path(environment.get(names.DATASET_VARIABLE, cls.dataset)),
            Path(environment.get(names.SCRATCH_VARIABLE, cls.scratch)),
            Path(environment.get(names.CREDENTIALS_VARIABLE, cls.credentials)),
            Path(environment.get(names.CLAIM_VARIABLE, cls.claim)),
        )

    @property
    def source_file(self) -> Path:
        """The source as it came; others of its files may lie next to it."""
        return self.source / TENSOR_INFERENCE.source.main

    @property
    def dataset_file(self) -> Path:
        """The data set."""
        return self.dataset / TENSOR_INFERENCE.dataset.main

    @property
    def temporary(self) -> Path:
        """The folder for temporary files, which the programs of a job make."""
        return self.scratch / names.TEMPORARY_FOLDER

    @property
    def work(self) -> Path:
        """Intermediate files; nobody else reads them."""
        folder = self.scratch / "work"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # Time

    def begin(self) -> None:
        """Keep when the job's first stage began. The node's clock may be set meanwhile: it does not count."""
        self._begun.write_text(str(time.clock_gettime(time.CLOCK_BOOTTIME)))

    def seconds_since_begun(self) -> float:
        """Return how long ago the first stage began; 0 where none did."""
        if not self._begun.exists():
            return 0.0
        return time.clock_gettime(time.CLOCK_BOOTTIME) - float(self._begun.read_text())

    @property
    def _begun(self) -> Path:
        return self.scratch / "begun"

    # Of earlier jobs

    @property
    def found(self) -> Path:
        """The evidence of finished work."""
        return self.scratch / names.FOUND_FOLDER

    @property
    def built(self) -> Path:
        """A marker: the candidates are those of an earlier job with the same build key."""
        return self.scratch / "built"

    def write_found(self, summary: JobSummary) -> None:
        """Keep the result of finished work; the stages after this one end at once."""
        self.found.mkdir()
        self._found_summary.write_text(summary.model_dump_json(by_alias=True))

    def read_found(self) -> JobSummary:
        """Return the result of finished work."""
        return JobSummary.model_validate_json(self._found_summary.read_bytes())

    @property
    def _found_summary(self) -> Path:
        return self.found / "summary.json"

    # Candidates

    @property
    def candidates(self) -> Path:
        """A folder per recipe."""
        return self.scratch / "candidates"

    def folder(self, recipe: str) -> Path:
        """Return the folder of a candidate."""
        return self.candidates / recipe

    def candidate_file(self, recipe: str) -> Path:
        """Return the file that records what became of a recipe."""
        return self.folder(recipe) / CANDIDATE

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
        """Write what became of a recipe, next to its model, if it has one."""
        file = self.candidate_file(candidate.recipe)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(candidate.model_dump_json(by_alias=True, exclude_none=True))

    def add_candidate(self, candidate: CandidateFile) -> None:
        """Write what became of a recipe; its place is after those that were tried before it."""
        place = len(self.read_candidates())
        self.write_candidate(candidate.model_copy(update={"place": place}))

    def read_candidates(self) -> list[CandidateFile]:
        """Return what became of each recipe, by name."""
        files = sorted(self.candidates.glob(f"*/{CANDIDATE}"))
        return [CandidateFile.model_validate_json(file.read_text()) for file in files]

    def built_candidates(self) -> list[CandidateFile]:
        """Return the candidates that have a model."""
        return [one for one in self.read_candidates() if one.outcome is RecipeOutcome.MEASURED]

    # Measurements

    @property
    def measure(self) -> Path:
        """What the measuring stages wrote."""
        return self.scratch / "measure"

    @property
    def samples(self) -> Path:
        """The parts of the data set as arrays, and the baseline's answers."""
        return self.measure / "samples"

    @property
    def golden(self) -> Path:
        """The golden samples of what was certified."""
        return self.measure / TENSOR_INFERENCE.golden_file

    def write_baseline(self, found: BaselineFile) -> None:
        """Write what the baseline came to."""
        self._baseline.write_text(found.model_dump_json(by_alias=True, indent=1))

    def read_baseline(self) -> BaselineFile:
        """Return what the baseline came to.

        Raises:
            StageError: It was not measured.
        """
        return _read(BaselineFile, self._baseline, BASELINE_MEASUREMENT)

    def judged_answers(self, split: str, recipe: str) -> Path:
        """Return the file of a candidate's answers to a part of the data set, each sample alone."""
        return self._judged(split, recipe).with_suffix(".npy")

    def write_judged(self, split: str, recipe: str, judged: JudgedFile) -> None:
        """Write what was judged of a candidate on a part of the data set."""
        file = self._judged(split, recipe)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(judged.model_dump_json(by_alias=True))

    def read_judged(self, split: str, recipe: str) -> JudgedFile:
        """Return what was judged of a candidate on a part of the data set.

        Raises:
            StageError: It was not judged.
        """
        return _read(JudgedFile, self._judged(split, recipe), QUALITY)

    def has_judged(self, split: str, recipe: str) -> bool:
        """Return whether a candidate was judged on a part of the data set."""
        return self._judged(split, recipe).exists()

    def write_screening(self, found: Screening) -> None:
        """Write what every candidate came to at full speed."""
        self._screening.write_text(found.model_dump_json(by_alias=True, exclude_none=True))

    def read_screening(self) -> Screening:
        """Return what every candidate came to at full speed.

        Raises:
            StageError: The candidates were not screened.
        """
        return _read(Screening, self._screening, QUALITY)

    def write_validation(self, found: Validation) -> None:
        """Write what was chosen and certified."""
        self._validation.write_text(found.model_dump_json(by_alias=True, exclude_none=True))

    def read_validation(self) -> Validation:
        """Return what was chosen and certified.

        Raises:
            StageError: Nothing was validated, or the file can't be read.
        """
        return _read(Validation, self._validation, VALIDATION)

    @property
    def _baseline(self) -> Path:
        return self.measure / "baseline.json"

    def _judged(self, split: str, recipe: str) -> Path:
        return self.measure / "quality" / split / f"{recipe}.json"

    @property
    def _screening(self) -> Path:
        return self.measure / "screening.json"

    @property
    def _validation(self) -> Path:
        return self.measure / "validation.json"

    # Of a fetch job

    @property
    def listing(self) -> Path:
        """What the origin offers."""
        return self.scratch / "listing.json"

    @property
    def files(self) -> Path:
        """What came in."""
        return self.scratch / "files"


def _read(kind: type[T], file: Path, writer: StageSpec) -> T:
    """Read the file that another stage has written.

    Raises:
        StageError: It is missing, or can't be read.
    """
    if not file.exists():
        raise StageError(f"{file} is missing: the stage {writer.name} has to run before")
    try:
        return kind.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise StageError(
            f"{file} can't be read ({error}): see the log of the stage {writer.name}"
        ) from error
