"""`EdgeNode`: one device. The operator writes `spec`, that device's agent alone writes `status`.

The agent writes on transitions only; its heartbeat is a Lease (`skerry-system/skerry-agent-NODE`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import (
    Bool,
    Column,
    DnsLabel,
    KindInfo,
    Message,
    Model,
    Resource,
    RevisionName,
    Time,
    Uid,
)
from skerry.api.facts import DeviceFacts
from skerry.api.rules import ListMap


class EdgeNodeSpec(Model):
    """Which class the device belongs to."""

    hardware_class: DnsLabel = Field(description="Name of the HardwareClass.")


class CandidateState(StrEnum):
    """How far a candidate came on this node.

    Waiting: no pod that answers, or no golden samples yet. SmokeCheck: golden samples, no traffic yet.
    Shifting: gets its share of traffic, step by step. Soaking: at the last step. Passed and Failed:
    the guard's verdict.
    """

    WAITING = "Waiting"
    SMOKE_CHECK = "SmokeCheck"
    SHIFTING = "Shifting"
    SOAKING = "Soaking"
    PASSED = "Passed"
    FAILED = "Failed"


class VerdictOutcome(StrEnum):
    """`NoData` never passes and never fails; `Inconclusive` needs more samples."""

    PASS = "Pass"  # noqa: S105 - not a password
    FAIL = "Fail"
    NO_DATA = "NoData"
    INCONCLUSIVE = "Inconclusive"


class Verdict(Model):
    """What the guard found, with the figures behind it."""

    outcome: VerdictOutcome = Field(description="What was found.")
    rule: Annotated[str, Field(max_length=64)] = Field(
        default="", description="The rule that decided."
    )
    observed: Annotated[str, Field(max_length=128)] = Field(
        default="", description="The candidate's figure."
    )
    bound: Annotated[str, Field(max_length=64)] = Field(
        default="", description="What is tolerated."
    )
    samples: int = Field(default=0, description="Requests of the candidate that were judged.")
    message: Message = Field(default="", description="The same in a sentence for people.")
    at: Time = Field(description="When the verdict was found.")
    first_bad_at: Time | None = Field(
        default=None, description="The first bad answer that counted."
    )


class NodeCandidate(Model):
    """The candidate on this node."""

    revision: RevisionName = Field(description="Name of the revision.")
    attempt: int = Field(description="The route's attempt that this is about.")
    state: CandidateState = Field(description="How far it came.")
    traffic: int = Field(default=0, description="Per cent of the node's requests that it gets.")
    verdict: Verdict | None = Field(default=None, description="What the guard found last.")


class Veto(Model):
    """A local Fail: sticks to (revision, attempt) whatever the route says later."""

    revision: RevisionName = Field(description="What failed here.")
    attempt: int = Field(description="The attempt that failed.")
    rule: Annotated[str, Field(max_length=64)] = Field(
        default="", description="The rule that failed."
    )
    at: Time = Field(description="When it failed.")


class NodeModel(Model):
    """One EdgeModel on this node."""

    namespace: DnsLabel = Field(description="Namespace of the EdgeModel.")
    name: DnsLabel = Field(description="Name of the EdgeModel.")
    edge_model_uid: Uid | None = Field(
        default=None,
        description="spec.edgeModelUID of the ModelRoute acted on. The operator ignores what was"
        " reported about an earlier EdgeModel of this name.",
    )
    observed_route: int = Field(
        default=0, description="metadata.generation of the ModelRoute acted on."
    )
    serving: RevisionName | None = Field(
        default=None,
        description="The revision that has the traffic (the larger share while shifting).",
    )
    stable: RevisionName | None = Field(
        default=None, description="The route's stable that is acknowledged."
    )
    healthy: Bool = Field(default=False, description="The stable revision answers here.")
    candidate: NodeCandidate | None = Field(default=None, description="The revision on trial here.")
    vetoes: Annotated[tuple[Veto, ...], Field(max_length=8)] = Field(
        default=(), description="What failed here and is not tried again."
    )
    message: Message = Field(
        default="", description="What is wrong with the model on this node, if anything."
    )


class EdgeNodeStatus(Model):
    """Written by this device's agent alone."""

    agent_version: Annotated[str, Field(max_length=40)] = Field(
        default="", description="Version of the agent that wrote this."
    )
    facts: DeviceFacts | None = Field(
        default=None, description="The device's hardware, as the agent finds it."
    )
    models: Annotated[
        tuple[NodeModel, ...], Field(max_length=256), ListMap(("namespace", "name"))
    ] = Field(
        default=(),
        description="The models on this node; the most urgent ones when there are more than fit.",
    )
    models_not_reported: int | None = Field(
        default=None,
        description="Number of further models, which are served but not listed in `models`.",
    )
    message: Message | None = Field(
        default=None,
        description="What is wrong on this device apart from its models, if anything: a full disk, or"
        " a gateway that refuses its configuration.",
    )


class EdgeNode(Resource):
    """One device of the fleet."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="edgenodes",
        short="en",
        scope="Cluster",
        columns=(
            Column("Class", ".spec.hardwareClass"),
            Column("Serving", ".status.models[*].serving"),
            Column("Candidate", ".status.models[*].candidate.revision"),
            Column("State", ".status.models[*].candidate.state"),
            Column("Verdict", ".status.models[*].candidate.verdict.outcome"),
            Column("CPU", ".status.facts.cpu.model", priority=1),
            Column("Cores", ".status.facts.cpu.logicalCores", "integer", priority=1),
            Column("Accelerator", ".status.facts.accelerators[*].kind", priority=1),
            Column("Power", ".status.facts.power.source", priority=1),
            Column("Link", ".status.facts.link.kind", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )

    kind: str = "EdgeNode"
    spec: EdgeNodeSpec
    status: EdgeNodeStatus = EdgeNodeStatus()
