"""What every kind shares: the base model, conditions, the types of fields, the names on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    model_validator,
)

from skerry.api.rules import ListMap, Rule, with_rules
from skerry.api.units import parse_bytes, parse_duration, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

GROUP = "skerry.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
SYSTEM_NAMESPACE = "skerry-system"

# Kubelets may not set labels with this prefix on their own node (NodeRestriction).
NODE_LABEL_CLASS = "skerry.node-restriction.kubernetes.io/hardware-class"
NODE_LABEL_SHARD = "skerry.node-restriction.kubernetes.io/shard"

LABEL_MODEL = "skerry.dev/model"
ANNOTATION_PROTOCOL = "skerry.dev/protocol"  # how a serving pod is asked
LABEL_CLASS = "skerry.dev/hardware-class"
LABEL_REVISION = "skerry.dev/revision"
LABEL_NAME = "app.kubernetes.io/name"
LABEL_PART_OF = "app.kubernetes.io/part-of"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "skerry"
OWN_LABELS = {LABEL_NAME: "skerry", LABEL_PART_OF: "skerry", LABEL_MANAGED_BY: MANAGED_BY}
"""Labels of everything that the operator makes."""

SHARD_COUNT = 64

_POSITIVE_DURATION = Rule(
    "duration(self) > duration('0s')",
    "must be longer than 0s",
    lambda text: parse_duration(text) > 0,
)
LEAST_CPU = 0.001
_POSITIVE_QUANTITY = "quantity(self).isGreaterThan(quantity('0'))"


def _no_text(value: Any) -> Any:
    """Refuse "5" and true where a number is asked for, as the API server does."""
    if isinstance(value, str | bool):
        raise ValueError(f"must be a number without quotes, not {value!r}")  # noqa: TRY004
    return value


def cut(limit: int) -> Callable[[Any], Any]:
    """Shorten text for people to `limit` characters: a long reason must not cost the whole write."""

    def shorten(value: Any) -> Any:
        if not isinstance(value, str) or len(value) <= limit:
            return value
        return value[: limit - 1] + "\u2026"

    return shorten


Bool = Annotated[bool, Strict()]
Int = Annotated[int, BeforeValidator(_no_text)]
Percent = Annotated[int, Field(ge=1, le=100), BeforeValidator(_no_text)]
TrafficShare = Annotated[int, Field(ge=1, le=99), BeforeValidator(_no_text)]
# No class such as \s: the API server's is ASCII and pydantic's is Unicode, so that one takes what the
# other refuses. Visible ASCII without @ is written out.
PinnedImage = Annotated[str, Field(pattern=r"^[!-?A-~]+@sha256:[0-9a-f]{64}$", max_length=512)]
DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
RevisionName = Annotated[str, Field(pattern=r"^[0-9a-f]{10}$", max_length=10)]
Duration = Annotated[
    str,
    Field(pattern=r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$", min_length=2, max_length=20),
    _POSITIVE_DURATION,
]
Ratio = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=12)]
Times = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?x?$", max_length=12)]
CountOrPercent = Annotated[
    str,
    Field(pattern=r"^[0-9]{1,6}%?$", max_length=8),
    Rule(
        "int(self.replace('%', '')) > 0"
        " && (!self.endsWith('%') || int(self.replace('%', '')) <= 100)",
        "must be a number of nodes from 1, or 1% to 100%",
        lambda text: int(text.rstrip("%")) in (range(1, 101) if "%" in text else range(1, 10**6)),
    ),
]
CpuQuantity = Annotated[
    str,
    Field(pattern=r"^[0-9]+(\.[0-9]+)?m?$", max_length=16),
    Rule(
        "quantity(self).compareTo(quantity('1m')) >= 0",
        "must be at least 1m, a thousandth of a CPU: Kubernetes counts in no smaller parts",
        lambda text: parse_quantity(text) >= LEAST_CPU,
    ),
]
MemoryQuantity = Annotated[
    str,
    Field(pattern=r"^[0-9]+(\.[0-9]+)?(k|M|G|Ki|Mi|Gi)?$", max_length=16),
    Rule(
        _POSITIVE_QUANTITY,
        "must be more than 0 bytes",
        lambda text: parse_bytes(text) > 0,
    ),
]
Uid = Annotated[str, Field(max_length=64)]
Message = Annotated[str, Field(max_length=1024), BeforeValidator(cut(1024))]
# Of jobs and containers it comes from outside: a long one must not cost the whole write.
Reason = Annotated[str, Field(max_length=128), BeforeValidator(cut(128))]
Note = Annotated[str, Field(max_length=256), BeforeValidator(cut(256))]
# The schema's format alone takes the year 0 and an offset of +99:99, which Python can't hold.
_TIME = (
    r"^(19[789][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
Time = Annotated[AwareDatetime, Field(json_schema_extra={"pattern": _TIME})]
"""In the years 1970 to 2199, with an offset that there is."""


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


_ACRONYMS = frozenset({"http", "ip", "uid", "uri", "url"})


def wire_name(field: str) -> str:
    """Return a field's name on the wire: camelCase, each acronym in one case, as in clusterIPURL."""
    first, *rest = field.split("_")
    return first + "".join(
        word.upper() if word in _ACRONYMS else word.capitalize() for word in rest
    )


class Model(BaseModel):
    """Base of all API models: camelCase on the wire, unknown fields ignored, immutable in memory.

    A null counts as a field that was left out, as it does for the API server.
    """

    model_config = ConfigDict(
        alias_generator=wire_name, populate_by_name=True, frozen=True, extra="ignore"
    )
    invariants: ClassVar[tuple[Rule, ...]] = ()

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form for the API server: camelCase, fields that are None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict) or None not in data.values():
            return data
        fields = cls.model_fields.items()
        takes_null = {
            key
            for name, field in fields
            if NoneType in get_args(field.annotation)
            for key in (name, field.alias)
        }
        return {k: value for k, value in data.items() if value is not None or k in takes_null}

    @model_validator(mode="after")
    def _enforce_rules(self) -> Self:
        for rule in self.invariants:
            rule.enforce(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the model's rules to its schema."""
        written = handler(schema)
        target = handler.resolve_ref_schema(written)
        target.update(with_rules(target, cls.invariants))
        return written


class OwnerReference(Model):
    """A Kubernetes owner reference."""

    api_version: str
    kind: str
    name: str
    uid: str


class Metadata(Model):
    """The part of Kubernetes' ObjectMeta that Skerry reads."""

    name: str
    namespace: str | None = None
    uid: str | None = None
    generation: int | None = None
    resource_version: str | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
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
    """A Kubernetes condition (metav1.Condition)."""

    type: Annotated[str, Field(max_length=64)] = Field(description="Type of the condition.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    observed_generation: int = Field(
        default=0, description="metadata.generation that the condition was set for."
    )
    last_transition_time: Time = Field(description="When `status` last changed.")
    reason: Reason = Field(description="The cause as one CamelCase word, for programs.")
    message: Message = Field(default="", description="The cause in a sentence, for people.")


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), ListMap(("type",))]


# Any engine can be installed, so any name is accepted; the status reports one that is not installed.
EngineName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{1,39}$", max_length=40)]
MOST_ENGINES = 8
"""Of an installation: the status of each target has an entry for every one."""
MOST_RANKS = 12
"""Of a target: the installed engines, and those that would suit it."""


class ResourceLimits(Model):
    """Limits of the serving container. Builds are measured under the same limits."""

    cpu: CpuQuantity = Field(
        default="1",
        description="CPU limit in cores, such as 250m or 2. Inference uses one thread for each whole"
        " core, at least one.",
    )
    memory: MemoryQuantity = Field(
        default="512Mi", description="Memory limit in bytes, such as 512Mi or 1.5Gi."
    )
