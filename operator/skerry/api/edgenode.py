"""`EdgeNode`: one device. The operator writes `spec`, that device's agent alone writes `status`.

The agent writes on transitions only; its heartbeat is a Lease (`skerry-system/skerry-agent-NODE`).
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotation at run time
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import Column, DnsLabel, KindInfo, Message, Model, Resource, RevisionName


class EdgeNodeSpec(Model):
    """Which class the device belongs to."""

    hardware_class: DnsLabel


class CandidateState(StrEnum):
    """How far a candidate came on this node."""

    WAITING = "Waiting"  # no ready pod, or golden samples not had yet
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

    outcome: VerdictOutcome
    rule: Annotated[str, Field(max_length=64)] = ""
    observed: Annotated[str, Field(max_length=128)] = ""
    bound: Annotated[str, Field(max_length=64)] = ""
    samples: int = 0
    message: Message = ""
    at: datetime
    first_bad_at: datetime | None = Field(default=None, description="The first bad answer that counted.")


class NodeCandidate(Model):
    """The candidate on this node."""

    revision: RevisionName
    attempt: int
    state: CandidateState
    traffic: int = Field(default=0, description="Per cent of the node's requests.")
    verdict: Verdict | None = None


class Veto(Model):
    """A local Fail: sticks to (revision, attempt) whatever the route says later."""

    revision: RevisionName
    attempt: int
    rule: Annotated[str, Field(max_length=64)] = ""
    at: datetime


class NodeModel(Model):
    """One EdgeModel on this node; list-map keyed by namespace and name."""

    namespace: DnsLabel
    name: DnsLabel
    observed_route: int = Field(default=0, description="metadata.generation of the ModelRoute acted on.")
    serving: RevisionName | None = Field(
        default=None, description="The revision that has the traffic (the larger share while shifting)."
    )
    stable: RevisionName | None = Field(default=None, description="The route's stable that is acknowledged.")
    healthy: bool = Field(default=False, description="The stable revision answers here.")
    candidate: NodeCandidate | None = None
    vetoes: Annotated[tuple[Veto, ...], Field(max_length=8)] = ()
    message: Message = ""


class EdgeNodeStatus(Model):
    """Written by this device's agent alone."""

    agent_version: Annotated[str, Field(max_length=40)] = ""
    models: Annotated[tuple[NodeModel, ...], Field(max_length=64)] = ()


class EdgeNode(Resource):
    """One device of the fleet."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="edgenodes", short="en", scope="Cluster",
        columns=(
            Column("Class", ".spec.hardwareClass"),
            Column("Serving", ".status.models[*].serving"),
            Column("Candidate", ".status.models[*].candidate.revision"),
            Column("State", ".status.models[*].candidate.state"),
            Column("Verdict", ".status.models[*].candidate.verdict.outcome"),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )

    kind: str = "EdgeNode"
    spec: EdgeNodeSpec
    status: EdgeNodeStatus = EdgeNodeStatus()
