"""`HardwareClass`: one kind of machine in the fleet, and how its nodes are selected."""

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
from skerry.engines.flavors import Flavor

Architecture = Annotated[str, Field(pattern=r"^(amd64|arm64|arm)$", max_length=8)]
Feature = Annotated[str, Field(pattern=r"^[a-z0-9_.]+$", max_length=40)]


class ServingRuntime(Model):
    """A server in place of the engine's own, for the builds of one engine."""

    engine: EngineName = Field(description="The engine whose builds the image serves.")
    image: PinnedImage = Field(description="The image by digest, HOST/NAME@sha256:...")
    args: Annotated[tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=32)] = (
        Field(default=(), description="Arguments to append to those of the flavor.")
    )
    flavor: Flavor = Field(
        default=Flavor.OPEN_INFERENCE,
        description="The server in the image. OpenInference: it gets the artifact at /model and the"
        " environment of Skerry's own runtime, and must answer REST on port 8080 and gRPC on 8081."
        " MLServer, OpenVINOModelServer, Triton: they get their own layout, configuration and arguments.",
    )


class LinkCost(StrEnum):
    """Whether traffic over the link is charged or limited."""

    METERED = "Metered"
    UNMETERED = "Unmetered"


class ClassConstraints(Model):
    """Power and network constraints of the devices. They override what the agents detect."""

    power: PowerSource | None = Field(
        default=None, description="The power source of the devices: Mains or Battery."
    )
    link: LinkCost | None = Field(
        default=None,
        description="Metered or Unmetered. Unset: a cellular link counts as metered.",
    )


class HardwareClassSpec(Model):
    """How the nodes of the class are selected, and what is known about them."""

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
        description="Labels that a node must have, all of them, to belong to the class. The"
        " administrator sets them; Skerry sets only its own class and shard labels."
    )
    architecture: Architecture = Field(
        default="amd64", description="CPU architecture: amd64, arm64 or arm."
    )
    features: Annotated[tuple[Feature, ...], Field(max_length=32)] = Field(
        default=(),
        description="Hardware features that a build may rely on, such as avx512_vnni. They are part of"
        " the build key, so a change starts new builds. Unset: engines are ranked by what the agents"
        " detect.",
    )
    runtimes: Annotated[tuple[ServingRuntime, ...], Field(max_length=8)] = Field(
        default=(),
        description="Servers in place of the engines' own, at most one for each engine. Builds are"
        " still measured in Skerry's image; golden samples verify the answers on each device. A change"
        " makes a new revision of every model that the image serves.",
    )
    constraints: ClassConstraints = Field(
        default=ClassConstraints(),
        description="Power and network constraints of the devices. The status of each model explains"
        " their consequences. They are not part of the build key.",
    )
    priority: Int = Field(
        default=0,
        ge=-1000,
        le=1000,
        description="A node that two classes select belongs to the one with the higher priority. With"
        " equal priorities it keeps its current class, and both classes report ClassOverlap.",
    )


class HardwareClassStatus(Model):
    """What the operator reports about the class."""

    observed_generation: int = Field(
        default=0, description="metadata.generation that this status was written for."
    )
    nodes: int = Field(default=0, description="Nodes of the class.")
    reachable: int = Field(
        default=0, description="Of these, nodes that are Ready and have an agent."
    )
    facts: ClassFacts | None = Field(
        default=None, description="Hardware of its nodes, as their agents report it."
    )
    conditions: Conditions = Field(default=(), description="Conditions of the class.")


class HardwareClass(Resource):
    """One kind of machine in the fleet. Builds are made for it and measured on it."""

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
