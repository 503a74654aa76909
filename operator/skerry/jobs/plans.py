"""What the operator asks of a job. A plan travels as JSON in one environment variable of each container."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, ValidationError

from skerry.api.artifact import Role
from skerry.api.common import Digest, EngineName, Model, ResourceLimits
from skerry.api.edgemodel import Gates, Weights
from skerry.api.mistakes import mistakes
from skerry.api.modelvariant import EvaluationPlan, PinnedArtifact
from skerry.jobs.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class RegistryAccess(Model):
    """Where the job pushes. Credentials, if any, are a mounted docker config."""

    address: str = Field(description="HOST[:PORT]")
    repository: str = Field(description="Repository to push to, without the host.")
    insecure: bool = Field(default=False, description="Plain HTTP.")
    docker_config: str | None = Field(default=None, description="Path of a mounted config.json.")


class Plan(Model):
    """What the plans of all jobs share: the way from the operator into a container."""

    variable: ClassVar[str]

    def to_environment(self) -> dict[str, str]:
        """Return the environment variable that carries the plan."""
        return {self.variable: self.model_dump_json(by_alias=True, exclude_none=True)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the plan that the operator wrote.

        Raises:
            StageError: It is missing, or of another release.
        """
        try:
            return cls.model_validate_json(environment.get(cls.variable, ""))
        except ValidationError as error:
            first, *others = mistakes(error, whole="the variable")
            more = f"; mistakes: {len(others) + 1}" if others else ""
            raise StageError(
                f"{cls.variable} holds no plan of this release: the operator and the image must be of the"
                f" same release of Skerry ({first}{more})"
            ) from error


class AssessPlan(Plan):
    """Everything that an assessing job needs to know."""

    variable: ClassVar[str] = "SKERRY_ASSESS_PLAN"

    source_digest: Digest
    evaluation: EvaluationPlan
    engine: EngineName
    assessment_key: str = Field(description="64 hex digits; see skerry.decide.build.identity.")
    registry: RegistryAccess


class JobPlan(Plan):
    """Everything that an optimization job needs to know."""

    variable: ClassVar[str] = "SKERRY_PLAN"

    edge_model: str
    namespace: str
    hardware_class: str
    features: tuple[str, ...] = ()
    build_key: str = Field(description="64 hex digits; see skerry.decide.build.identity.")
    evidence_key: str = Field(description="64 hex digits: build key, limits, gates and weights.")
    engine: EngineName
    engine_version: str
    recipe_set: str
    baseline_engine: EngineName = Field(
        description="Every engine is compared with the source in float32 on this one: else their ratios"
        " could not be compared with each other (docs/adr/0013)."
    )
    source: PinnedArtifact
    evaluation: EvaluationPlan
    max_recipes: int
    time_limit_seconds: int | None = Field(default=None, description="Of the whole job.")
    limits: ResourceLimits
    gates: Gates
    weights: Weights
    registry: RegistryAccess


class FetchPlan(Plan):
    """Everything that a fetch job needs to know.

    A private `oci` image is looked up by the same job, so that the operator never reads a Secret; nothing
    is copied then.
    """

    variable: ClassVar[str] = "SKERRY_FETCH"

    role: Role
    uri: str
    pin: Digest | None = None
    endpoint: str | None = None
    region: str | None = None
    secret: str | None = Field(default=None, description="Name of the Secret, for messages.")
    size_limit: int = Field(description="Bytes of all files together.")
    registry: RegistryAccess = Field(description="Where the image of the files goes.")
