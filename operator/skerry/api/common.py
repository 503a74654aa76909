"""What every kind shares: the base model, units, conditions and the names on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - pydantic reads the annotation at run time
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "skerry.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
SYSTEM_NAMESPACE = "skerry-system"

# Kubelets may not set labels with this prefix on their own node (NodeRestriction).
NODE_LABEL_CLASS = "skerry.node-restriction.kubernetes.io/class"
NODE_LABEL_SHARD = "skerry.node-restriction.kubernetes.io/shard"

LABEL_MODEL = "skerry.dev/model"
LABEL_CLASS = "skerry.dev/class"
LABEL_REVISION = "skerry.dev/revision"
LABEL_VARIANT = "skerry.dev/variant"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "skerry"

SHARD_COUNT = 64

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
RevisionName = Annotated[str, Field(pattern=r"^[0-9a-f]{10}$", max_length=10)]
OciUri = Annotated[str, Field(pattern=r"^oci://[^\s/@]+/[^\s@]+$", max_length=512)]
# Thresholds are strings with a pattern: int-or-string would refuse 0.25 in YAML.
Duration = Annotated[str, Field(pattern=r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", min_length=2, max_length=20)]
Ratio = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=12)]
Times = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?x$", max_length=12)]
CountOrPercent = Annotated[str, Field(pattern=r"^[0-9]+%?$", max_length=8)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$", max_length=16)]
Message = Annotated[str, Field(max_length=1024)]


@dataclass(frozen=True)
class Rule:
    """One CEL rule of a CRD: `expression` must hold for `self`, else the write is refused.

    `path` is where the rule is put, as field names in camelCase; empty means the object's root.
    """

    expression: str
    message: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A printer column of `kubectl get`: `priority` 0 is always shown, 1 with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True)
class KindInfo:
    """What a CRD says about a kind beyond its schema."""

    plural: str
    short: str
    scope: str
    has_status: bool = True
    columns: tuple[Column, ...] = ()
    rules: tuple[Rule, ...] = field(default=())


class Model(BaseModel):
    """Base of all API models: camelCase on the wire, unknown fields ignored, immutable in memory."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )

    def to_wire(self) -> dict[str, Any]:
        """The JSON form for the API server: camelCase, fields that are None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(Model):
    """A Kubernetes owner reference."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class Metadata(Model):
    """The part of Kubernetes' ObjectMeta that Skerry reads."""

    name: str
    namespace: str | None = None
    uid: str | None = None
    generation: int | None = None
    resource_version: str | None = None
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()


class Resource(Model):
    """A Kubernetes object of one of Skerry's kinds."""

    info: ClassVar[KindInfo]

    api_version: str = API_VERSION
    kind: str = ""
    metadata: Metadata


class ConditionStatus(StrEnum):
    """The three values of a Kubernetes condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """A Kubernetes condition (metav1.Condition); list-map keyed by `type`."""

    type: Annotated[str, Field(max_length=64)]
    status: ConditionStatus
    observed_generation: int = 0
    last_transition_time: datetime
    reason: Annotated[str, Field(max_length=128)]
    message: Message = ""


class Engine(StrEnum):
    """Who makes and runs a format. Only engines that are built can be named in a spec."""

    ONNX_RUNTIME = "OnnxRuntime"


class Precision(StrEnum):
    """The number format that the weights (and for Int8 the arithmetic) of a build use."""

    FLOAT32 = "Float32"
    FLOAT16 = "Float16"
    BFLOAT16 = "BFloat16"
    INT8 = "Int8"
    INT4 = "Int4"


class ResourceLimits(Model):
    """Limits of the serving container; a candidate is measured under the same."""

    cpu: Quantity = Field(default="1", description="CPU limit, as a Kubernetes quantity.")
    memory: Quantity = Field(default="512Mi", description="Memory limit, as a Kubernetes quantity.")
