"""Which node belongs to which class and shard, which EdgeNodes there shall be, and what classes say.

The fleet loop runs this over all nodes at once: labels are put back on every reconcile, so that a label
that someone took away costs no device its model for longer than that.

A class that is deleted while EdgeModels name it takes no device down: its nodes stay in it until it is
there again, or no EdgeModel names it any more. A class that exists says itself which nodes are its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from skerry.api import EdgeNodeSpec, HardwareClassStatus
from skerry.api.edgenode import MOST_RING_LABELS
from skerry.api.reasons import Cause, ClassReason, ConditionType, GeneralReason
from skerry.decide.conditions import Finding, condition_of, conditions
from skerry.decide.decision import Event
from skerry.decide.nodes import class_facts
from skerry.decide.rollout.shards import assign_shards

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from skerry.api import EdgeNode, HardwareClass
    from skerry.api.facts import DeviceFacts
    from skerry.decide.refused import Refused

OVERLAPS_NAMED = 3


@dataclass(frozen=True)
class NodeFacts:
    """What the decision needs of a Node: its labels, Skerry's two as they are now, and why it is left out."""

    name: str
    uid: str
    labels: Mapping[str, str]
    hardware_class: str | None = None
    shard: int | None = None
    reachable: bool = False
    left_out: str = ""


@dataclass(frozen=True)
class NodeAssignment:
    """What a node's labels and its EdgeNode shall say; None takes a label away.

    Attributes:
        ring_labels: of the Node, those by which rings select.
    """

    name: str
    uid: str
    hardware_class: str | None
    shard: int | None
    ring_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> EdgeNodeSpec | None:
        """The spec of the EdgeNode; None for a node without a class."""
        if self.hardware_class is None:
            return None
        return EdgeNodeSpec(
            hardware_class_name=self.hardware_class, shard=self.shard, labels=dict(self.ring_labels)
        )


@dataclass(frozen=True)
class FleetDecision:
    """Everything that the fleet loop writes.

    Attributes:
        labels: nodes whose labels are not as they shall be.
        edge_nodes: EdgeNodes to make or correct.
        gone: EdgeNodes of nodes that left every class.
        statuses: of the HardwareClasses, by name.
        events: of the HardwareClasses, by name; once, when one begins to wait for a person.
    """

    labels: tuple[NodeAssignment, ...] = ()
    edge_nodes: tuple[NodeAssignment, ...] = ()
    gone: tuple[str, ...] = ()
    statuses: Mapping[str, HardwareClassStatus] = field(default_factory=dict)
    events: Mapping[str, Event] = field(default_factory=dict)


def decide_fleet(
    nodes: Sequence[NodeFacts],
    classes: Sequence[HardwareClass],
    edge_nodes: Sequence[EdgeNode],
    remembered: Mapping[str, int],
    now: datetime,
    *,
    named: Collection[str] = frozenset(),
    ring_keys: AbstractSet[str] = frozenset(),
    refused: Sequence[Refused] = (),
) -> FleetDecision:
    """Return classes, shards and EdgeNodes for all nodes.

    Args:
        nodes: all nodes of the cluster.
        classes: all HardwareClasses.
        edge_nodes: all EdgeNodes; those without a Node (devices outside the cluster) are left alone.
        remembered: the last known shard of nodes, by the Node's uid.
        now: UTC.
        named: classes that an EdgeModel or a ModelRoute names.
        ring_keys: keys of the labels by which rings of EdgeModels select.
        refused: writes for nodes that the API server refused at the last try.
    """
    present = {edge_node.metadata.name: edge_node.spec for edge_node in edge_nodes}
    deleted = frozenset(named) - {c.metadata.name for c in classes}
    chosen = {
        node.name: _kept(node, present.get(node.name), deleted) or choose_class(node, classes)
        for node in nodes
    }
    assignments = _assign(nodes, chosen, remembered, ring_keys)
    by_name = {node.name: node for node in nodes}
    facts = {e.metadata.name: e.status.facts for e in edge_nodes if e.status.facts}
    fleet = Seen(nodes, classes, assignments, facts, refused)
    statuses = {c.metadata.name: _status(c, fleet, now) for c in classes}
    return FleetDecision(
        labels=tuple(a for a in assignments if _differs(a, by_name[a.name])),
        edge_nodes=tuple(a for a in assignments if a.spec not in (None, present.get(a.name))),
        gone=tuple(a.name for a in assignments if a.hardware_class is None and a.name in present),
        statuses=statuses,
        events=_begun(classes, statuses),
    )  # fmt: skip


def _kept(node: NodeFacts, known: EdgeNodeSpec | None, deleted: Collection[str]) -> str | None:
    """Return the deleted class in use that a node was in, by its label or else by its EdgeNode."""
    own = node.hardware_class or (known.hardware_class_name if known else None)
    return own if own in deleted else None


def choose_class(node: NodeFacts, classes: Sequence[HardwareClass]) -> str | None:
    """Return the class of a node: the selecting one of highest priority; on a tie the present class stays."""
    names = _selecting(node, classes)
    if node.hardware_class in names:
        return node.hardware_class
    return min(names, default=None)


def _selecting(node: NodeFacts, classes: Sequence[HardwareClass]) -> set[str]:
    """Return names of the classes of highest priority whose selector the node matches."""
    found = [c for c in classes if c.spec.node_selector.items() <= node.labels.items()]
    highest = max((c.spec.priority for c in found), default=0)
    return {c.metadata.name for c in found if c.spec.priority == highest}


def _assign(
    nodes: Sequence[NodeFacts],
    chosen: Mapping[str, str | None],
    remembered: Mapping[str, int],
    ring_keys: AbstractSet[str],
) -> list[NodeAssignment]:
    shards: dict[str, int] = {}
    known = {node.name: remembered[node.uid] for node in nodes if node.uid in remembered}
    for name in {name for name in chosen.values() if name is not None}:
        members = {node.name: node.shard for node in nodes if chosen[node.name] == name}
        shards |= assign_shards(members, known)
    return [
        NodeAssignment(
            node.name,
            node.uid,
            chosen[node.name],
            shards.get(node.name),
            _ring_labels(node, ring_keys),
        )
        for node in nodes
    ]


def _ring_labels(node: NodeFacts, ring_keys: AbstractSet[str]) -> dict[str, str]:
    """Return the labels by which rings select, as many as an EdgeNode takes."""
    found = sorted(ring_keys & node.labels.keys())
    return {key: node.labels[key] for key in found[:MOST_RING_LABELS]}


def _differs(wanted: NodeAssignment, node: NodeFacts) -> bool:
    return (wanted.hardware_class, wanted.shard) != (node.hardware_class, node.shard)


@dataclass(frozen=True)
class Seen:
    """What a class's status is found from.

    Attributes:
        facts: what agents found, by node.
        refused: what the API server refused to write for nodes.
    """

    nodes: Sequence[NodeFacts]
    classes: Sequence[HardwareClass]
    assignments: Sequence[NodeAssignment]
    facts: Mapping[str, DeviceFacts]
    refused: Sequence[Refused] = ()


def _status(hardware_class: HardwareClass, fleet: Seen, now: datetime) -> HardwareClassStatus:
    name = hardware_class.metadata.name
    generation = hardware_class.metadata.generation or 0
    members = {a.name for a in fleet.assignments if a.hardware_class == name}
    facts = {node: found for node, found in fleet.facts.items() if node in members}
    overlap = _overlap(name, fleet.nodes, fleet.classes)
    findings = (
        *overlap,
        *(_refused(name, fleet.refused) if not _is_stalled(overlap) else ()),
        *class_facts.findings(hardware_class.spec, len(members), facts),
        _complete([node for node in fleet.nodes if node.name in members]),
    )
    return HardwareClassStatus(
        observed_generation=generation,
        nodes=len(members),
        reachable=sum(node.name in members and node.reachable for node in fleet.nodes),
        facts=class_facts.sum_up(facts),
        conditions=conditions(findings, hardware_class.status.conditions, generation, now),
    )


def _complete(members: Sequence[NodeFacts]) -> Finding:
    """Return `Complete`: every node can take part in rollouts, or the first that can't is named with its cause."""
    outside = sorted((node for node in members if node.left_out), key=lambda node: node.name)
    if not outside:
        cause = Cause(ClassReason.COMPLETE, "all nodes of the class take part in rollouts")
        return Finding(ConditionType.COMPLETE, holds=True, cause=cause)
    named = ", ".join(node.name for node in outside[:OVERLAPS_NAMED])
    message = (
        f"rollouts leave out {len(outside)} of {len(members)} nodes ({named}), {outside[0].name}:"
        f" {outside[0].left_out}. If they are not devices, narrow spec.nodeSelector"
    )
    cause = Cause(GeneralReason.NODES_LEFT_OUT, message)
    return Finding(ConditionType.COMPLETE, holds=False, cause=cause)


def _refused(name: str, refused: Sequence[Refused]) -> Iterable[Finding]:
    """Yield `Stalled` while the API server refuses writes for nodes of the class."""
    found = [r for r in refused if r.hardware_class == name and r.cause and r.cause.stalls]
    causes = [r.cause for r in found if r.cause]
    if not causes:
        return
    named = ", ".join(sorted({r.name for r in found})[:OVERLAPS_NAMED])
    message = f"the API server refuses writes for {len(found)} nodes ({named}): {causes[0].message}"
    yield Finding(ConditionType.STALLED, holds=True, cause=replace(causes[0], message=message))


def _is_stalled(findings: Iterable[Finding]) -> bool:
    return any(finding.type == ConditionType.STALLED for finding in findings)


def _begun(
    classes: Sequence[HardwareClass], statuses: Mapping[str, HardwareClassStatus]
) -> dict[str, Event]:
    """Return an event for each class that newly needs a person, by name of the class."""
    found = {}
    for hardware_class in classes:
        name = hardware_class.metadata.name
        now = condition_of(statuses[name].conditions, ConditionType.STALLED)
        if now is not None and not condition_of(
            hardware_class.status.conditions, ConditionType.STALLED
        ):
            found[name] = Event(now.reason, now.message, warning=True)
    return found


def _overlap(
    name: str, nodes: Sequence[NodeFacts], classes: Sequence[HardwareClass]
) -> tuple[Finding, ...]:
    """Return `Distinct`: no other class claims a node with equal priority; `Stalled` while one does."""
    shared = {node.name: _selecting(node, classes) for node in nodes}
    both = sorted(node for node, names in shared.items() if name in names and len(names) > 1)
    if not both:
        cause = Cause(ClassReason.DISTINCT, "no other class of the same priority selects its nodes")
        return (Finding(ConditionType.DISTINCT, holds=True, cause=cause),)
    others = sorted(set().union(*(shared[node] for node in both)) - {name})
    named = ", ".join(both[:OVERLAPS_NAMED])
    message = (
        f"{len(both)} nodes ({named}) are also selected by {', '.join(others)} with the same priority;"
        " each keeps its current class: give one class a higher spec.priority or narrow a selector"
    )
    cause = Cause(ClassReason.OVERLAP, message)
    return (
        Finding(ConditionType.DISTINCT, holds=False, cause=cause),
        Finding(ConditionType.STALLED, holds=True, cause=cause),
    )
