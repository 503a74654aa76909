"""`EdgeNode`: one device. The operator writes `spec`; only that device's agent writes `status`.

The agent writes on transitions only. Its heartbeat is a Lease (`skerry-system/skerry-agent-NODE`).
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
from skerry.api.labels import LabelValue
from skerry.api.placement import Shard
from skerry.api.rules import ListMap

MOST_RING_LABELS = 256
"""Of one node: anybody who may write an EdgeModel chooses keys."""


class EdgeNodeSpec(Model):
    """The class that the device belongs to, and its place in the waves of rollouts."""

    hardware_class_name: DnsLabel = Field(description="Name of the HardwareClass.")
    shard: Shard | None = Field(
        default=None, description="The 64th of the class that the device belongs to."
    )
    labels: Annotated[dict[str, LabelValue], Field(max_length=MOST_RING_LABELS)] = Field(
        default={}, description="Labels of the Node by which rings of EdgeModels select."
    )


class CandidateState(StrEnum):
    """The progress of a candidate on this node.

    Waiting: no pod answers, or the golden samples are not there yet. SmokeCheck: the agent replays
    golden samples; no traffic yet. Shifting: the candidate gets its share of traffic, step by step.
    Soaking: it holds the last step. Passed and Failed: the guard's verdict.
    """

    WAITING = "Waiting"
    SMOKE_CHECK = "SmokeCheck"
    SHIFTING = "Shifting"
    SOAKING = "Soaking"
    PASSED = "Passed"
    FAILED = "Failed"


class VerdictOutcome(StrEnum):
    """The outcome of a test. `NoData` neither passes nor fails; `Inconclusive` needs more samples."""

    PASS = "Pass"  # noqa: S105 - not a password
    FAIL = "Fail"
    NO_DATA = "NoData"
    INCONCLUSIVE = "Inconclusive"


class Verdict(Model):
    """The guard's finding and its figures."""

    outcome: VerdictOutcome = Field(description="The outcome of the test.")
    rule: Annotated[str, Field(max_length=64)] = Field(
        default="", description="The rule that decided."
    )
    observed: Annotated[str, Field(max_length=128)] = Field(
        default="", description="The candidate's figure."
    )
    bound: Annotated[str, Field(max_length=64)] = Field(
        default="", description="The limit that the rule tolerates."
    )
    samples: int = Field(default=0, description="Requests of the candidate that were judged.")
    message: Message = Field(default="", description="The finding in a sentence, for people.")
    decision_time: Time = Field(description="When the guard reached the verdict.")
    first_bad_answer_time: Time | None = Field(
        default=None, description="The first bad answer that counted."
    )


class NodeCandidate(Model):
    """The candidate on this node."""

    revision: RevisionName = Field(description="Name of the revision.")
    attempt: int = Field(description="The attempt, as the ModelRoute numbers it.")
    state: CandidateState = Field(description="The candidate's progress.")
    traffic: int = Field(
        default=0, description="Percentage of the node's requests that the candidate gets."
    )
    verdict: Verdict | None = Field(default=None, description="The guard's latest verdict.")


class Veto(Model):
    """This node's refusal of a revision and attempt. It lasts, whatever the route says later."""

    revision: RevisionName = Field(description="The revision that failed here.")
    attempt: int = Field(description="The attempt that failed.")
    rule: Annotated[str, Field(max_length=64)] = Field(
        default="", description="The rule that failed."
    )
    failure_time: Time = Field(description="When it failed.")


class NodeModel(Model):
    """One EdgeModel on this node."""

    namespace: DnsLabel = Field(description="Namespace of the EdgeModel.")
    name: DnsLabel = Field(description="Name of the EdgeModel.")
    edge_model_uid: Uid | None = Field(
        default=None,
        description="spec.edgeModelUID of the ModelRoute that the agent applied. The operator ignores"
        " reports about an earlier EdgeModel of the same name.",
    )
    observed_route_generation: int = Field(
        default=0, description="spec.rolesGeneration of the ModelRoute that the agent acts on."
    )
    serving: RevisionName | None = Field(
        default=None,
        description="The revision that gets the traffic (the larger share while shifting).",
    )
    stable: RevisionName | None = Field(
        default=None, description="The route's stable revision that the agent acknowledged."
    )
    healthy: Bool = Field(
        default=False, description="Whether the stable revision answers on this node."
    )
    candidate: NodeCandidate | None = Field(
        default=None, description="The revision on trial on this node."
    )
    vetoes: Annotated[tuple[Veto, ...], Field(max_length=8)] = Field(
        default=(), description="Revisions that failed here and are not tried again."
    )
    message: Message = Field(
        default="", description="What is wrong with the model on this node, if anything."
    )


class EdgeNodeStatus(Model):
    """What the device's agent reports. Only the agent writes it."""

    agent_version: Annotated[str, Field(max_length=40)] = Field(
        default="", description="Version of the agent that wrote this."
    )
    facts: DeviceFacts | None = Field(
        default=None, description="The device's hardware, as the agent detects it."
    )
    models: Annotated[
        tuple[NodeModel, ...], Field(max_length=256), ListMap(("namespace", "name"))
    ] = Field(
        default=(),
        description="The models on this node. If there are more than fit, the most urgent ones.",
    )
    models_not_reported: int | None = Field(
        default=None,
        description="Number of models that are served but not listed in `models`.",
    )
    message: Message | None = Field(
        default=None,
        description="What is wrong on this device apart from its models, if anything, such as a full"
        " disk or a gateway that rejects its configuration.",
    )


class EdgeNode(Resource):
    """One device of the fleet."""

    info: ClassVar[KindInfo] = KindInfo(
        plural="edgenodes",
        short="en",
        scope="Cluster",
        columns=(
            Column("Class", ".spec.hardwareClassName"),
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
