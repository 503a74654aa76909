"""`HardwareClass`: one sort of machine in the fleet, and how to tell its nodes."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import Column, Condition, KindInfo, Model, Resource


class HardwareClassSpec(Model):
    """How the nodes of the class are told, and what is known about them."""

    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(min_length=1, max_length=8)] = Field(
        description="Node labels, all of which a node of the class carries. They are the administrator's;"
        " Skerry writes only its own class and shard labels."
    )
    architecture: Annotated[str, Field(pattern=r"^(amd64|arm64|arm)$")] = Field(
        default="amd64", description="CPU architecture, in Kubernetes' words."
    )
    features: Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(max_length=32)] = Field(
        default=(), description="Facts that a build may rely on, such as avx512_vnni. Part of the build key."
    )
    priority: int = Field(
        default=0, ge=-1000, le=1000,
        description="A node that two classes select belongs to the higher; equal is a ClassOverlap.",
    )


class HardwareClassStatus(Model):
    """What the operator sees of the class."""

    observed_generation: int = 0
    nodes: int = Field(default=0, description="Nodes that carry the class.")
    reachable: int = Field(default=0, description="Of these, nodes that are Ready.")
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8)] = ()


class HardwareClass(Resource):
    """One sort of machine in the fleet."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="hardwareclasses", short="hwc", scope="Cluster",
        columns=(
            Column("Architecture", ".spec.architecture"),
            Column("Nodes", ".status.nodes", "integer"),
            Column("Reachable", ".status.reachable", "integer"),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )

    kind: str = "HardwareClass"
    spec: HardwareClassSpec
    status: HardwareClassStatus = HardwareClassStatus()
