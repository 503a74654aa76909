"""`HardwareClass`: one sort of machine in the fleet, and how to tell its nodes."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import (
    Column,
    Conditions,
    EngineName,
    Int,
    KindInfo,
    Model,
    PinnedImage,
    Resource,
)
from skerry.api.facts import ClassFacts, PowerSource
from skerry.api.labels import LabelValue, node_selector_rules
from skerry.api.rules import Rule


class ServingProtocol(StrEnum):
    """What a serving image is: which files, arguments and ports it expects."""

    OPEN_INFERENCE = "OpenInference"
    MLSERVER = "MLServer"
    OPENVINO_MODEL_SERVER = "OpenVINOModelServer"
    TRITON = "Triton"


class ReplacedRuntime(Model):
    """A serving image in place of Skerry's own, for what one engine builds."""

    engine: EngineName = Field(description="Whose builds it serves.")
    image: PinnedImage = Field(description="By digest: HOST/NAME@sha256:...")
    args: Annotated[tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=32)] = (
        Field(default=(), description="Further arguments, after those that the protocol gives.")
    )
    protocol: ServingProtocol = Field(
        default=ServingProtocol.OPEN_INFERENCE,
        description="Which server it is, and so what it is given. OpenInference: the artifact at /model"
        " and the environment of Skerry's own runtime; it must answer REST on port 8080 and gRPC on 8081."
        " MLServer, OpenVINOModelServer, Triton: their own layout, configuration and arguments.",
    )


class LinkCost(StrEnum):
    """Whether bytes over the link cost money or are few."""

    METERED = "Metered"
    UNMETERED = "Unmetered"


class ClassConstraints(Model):
    """What its devices must get by with. What is said here wins over what their agents find."""

    power: PowerSource | None = Field(
        default=None, description="What feeds the devices: Mains or Battery."
    )
    link: LinkCost | None = Field(
        default=None,
        description="Metered or Unmetered. Unsaid, a cellular link counts as metered.",
    )


class HardwareClassSpec(Model):
    """How the nodes of the class are told, and what is known about them."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        *node_selector_rules(),
        Rule(
            "!has(self.runtimes)"
            " || self.runtimes.all(one, self.runtimes.filter(o, o.engine == one.engine).size() == 1)",
            "must not name an engine twice",
            lambda spec: len({one.engine for one in spec.runtimes}) == len(spec.runtimes),
            "runtimes",
        ),
    )

    node_selector: Annotated[
        dict[str, LabelValue],
        Field(min_length=1, max_length=8),
    ] = Field(
        description="Node labels, all of which a node of the class carries. They are the"
        " administrator's; Skerry writes only its own class and shard labels."
    )
    architecture: Annotated[str, Field(pattern=r"^(amd64|arm64|arm)$", max_length=8)] = Field(
        default="amd64", description="CPU architecture in Kubernetes' words: amd64, arm64 or arm."
    )
    features: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z0-9_.]+$", max_length=40)], ...],
        Field(max_length=32),
    ] = Field(
        default=(),
        description="Facts that a build may rely on, such as avx512_vnni. Part of the build key: a"
        " change builds anew. Unsaid, the ranking of engines goes by what the agents find.",
    )
    runtimes: Annotated[tuple[ReplacedRuntime, ...], Field(max_length=8)] = Field(
        default=(),
        description="Serving images in place of Skerry's own, at most one for each engine. Builds are"
        " still measured in Skerry's; the golden samples prove each device's answers. A change is a new"
        " revision of every model that it serves.",
    )
    constraints: ClassConstraints = Field(
        default=ClassConstraints(),
        description="What the devices must get by with; explained in the plan of each model. Part of no"
        " build key.",
    )
    priority: Int = Field(
        default=0,
        ge=-1000,
        le=1000,
        description="A node that two classes select belongs to the one with the higher priority; with"
        " equal ones it keeps the class that it has, and both say ClassOverlap.",
    )


class HardwareClassStatus(Model):
    """What the operator sees of the class."""

    observed_generation: int = Field(
        default=0, description="metadata.generation that this status was found for."
    )
    nodes: int = Field(default=0, description="Nodes that carry the class.")
    reachable: int = Field(
        default=0, description="Of these, nodes that are Ready and have an agent."
    )
    facts: ClassFacts | None = Field(
        default=None, description="What its nodes are, as their agents find it."
    )
    conditions: Conditions = Field(default=(), description="What is wrong with the class, if any.")


class HardwareClass(Resource):
    """One sort of machine in the fleet: builds are made for it and measured on it."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="hardwareclasses",
        short="hwc",
        scope="Cluster",
        columns=(
            Column("Architecture", ".spec.architecture"),
            Column("Nodes", ".status.nodes", "integer"),
            Column("Reachable", ".status.reachable", "integer"),
            Column("Uniform", ".status.conditions[?(@.type=='Uniform')].status"),
            Column("CPU", ".status.facts.cpus[*].value", priority=1),
            Column("Features", ".status.facts.features", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )
    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "size(self.metadata.name) <= 63"
            " && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name must be a DNS label of at most 63 characters without dots:"
            " it becomes a label of nodes and pods",
            lambda hardware: re.fullmatch(
                "(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?", hardware.metadata.name
            ),
        ),
    )

    kind: str = "HardwareClass"
    spec: HardwareClassSpec
    status: HardwareClassStatus = HardwareClassStatus()
