"""What the nodes of a class have in common, and where they differ in what matters to a build. Pure.

The build and its evidence come from one node of the class. They hold for the others as far as these
have the same architecture, instructions and accelerators; cores and memory are bounded by the limits
under which is measured, and are only summed up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from skerry.api.facts import CPU_FEATURES, ClassFacts, Share, Span
from skerry.api.reasons import Cause, ClassReason, ConditionType
from skerry.decide.conditions import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from skerry.api.facts import DeviceFacts
    from skerry.api.hardwareclass import HardwareClassSpec

MOST_SHARES = 16
NAMED_NODES = 3
NAMED_DIFFERENCES = 4


def sum_up(facts: Mapping[str, DeviceFacts]) -> ClassFacts | None:
    """Return the facts of all nodes as one; None before any agent has reported."""
    if not facts:
        return None
    found, cpus = facts.values(), [one.cpu for one in facts.values() if one.cpu]
    features = Counter(name for cpu in cpus for name in cpu.features)
    return ClassFacts(
        reported=len(facts),
        architectures=_shares(one.architecture for one in found),
        cpus=_shares(cpu.model for cpu in cpus),
        features=tuple(name for name in CPU_FEATURES if cpus and features[name] == len(cpus)),
        partial_features=tuple(
            Share(value=name, nodes=features[name])
            for name in CPU_FEATURES
            if 0 < features[name] < len(cpus)
        ),
        physical_cores=_span(cpu.physical_cores for cpu in cpus),
        logical_cores=_span(cpu.logical_cores for cpu in cpus),
        memory=_span(one.memory for one in found),
        l1_data=_span(cpu.l1_data for cpu in cpus),
        l2=_span(cpu.l2 for cpu in cpus),
        l3=_span(cpu.l3 for cpu in cpus),
        accelerators=_shares(kind for one in found for kind in accelerator_kinds(one)),
        power=_shares(one.power.source.value for one in found if one.power),
        links=_shares(one.link.kind.value for one in found if one.link and one.link.kind),
    )


def accelerator_kinds(facts: DeviceFacts) -> set[str]:
    """Return the kinds of accelerators of a device."""
    return {accelerator.kind.value for accelerator in facts.accelerators}


def findings(
    spec: HardwareClassSpec, nodes: int, facts: Mapping[str, DeviceFacts]
) -> tuple[Finding, Finding]:
    """Return `Uniform` (the nodes are alike) and `AsSpecified` (they match the spec).

    Args:
        spec: of the class.
        nodes: how many nodes the class has.
        facts: of those whose agent has reported.
    """
    if not facts:
        message = (
            "no agent has reported its node's hardware yet" if nodes else "the class has no nodes"
        )
        cause = Cause(ClassReason.NO_FACTS, message)
        return (
            Finding(ConditionType.UNIFORM, holds=None, cause=cause),
            Finding(ConditionType.AS_SPECIFIED, holds=None, cause=cause),
        )
    seen = f"{len(facts)} of {nodes} nodes have reported"
    return _uniform(facts, seen), _as_specified(spec, facts, seen)


def _uniform(facts: Mapping[str, DeviceFacts], seen: str) -> Finding:
    split = [
        _split(what, having, judged)
        for what, having, judged in _holders(facts)
        if len(having) < len(judged)
    ]
    if not split:
        message = f"{seen}; they have the same architecture, instruction sets and accelerators"
        cause = Cause(ClassReason.UNIFORM, message)
        return Finding(ConditionType.UNIFORM, holds=True, cause=cause)
    message = (
        f"{_some(split)}. A build is made and measured on one node, so it may be slower or fail on the"
        " others: put them into a class of their own (spec.nodeSelector)"
    )
    cause = Cause(ClassReason.NODES_DIFFER, message)
    return Finding(ConditionType.UNIFORM, holds=False, cause=cause)


def _holders(facts: Mapping[str, DeviceFacts]) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield, for each fact that matters to a build, the nodes that have it and the nodes where it is known.

    In an order that does not hang on that of the nodes: the same facts make the same message.
    """
    known = {node for node, one in facts.items() if one.architecture}
    cpus = {node: set(one.cpu.features) for node, one in facts.items() if one.cpu}
    others: dict[str, set[str]] = defaultdict(set)
    for node in known:
        for what in (facts[node].architecture or "", *accelerator_kinds(facts[node])):
            others[what].add(node)
    yield from ((what, others[what], known) for what in sorted(others))
    for feature in sorted(set().union(*cpus.values())):
        yield feature, {node for node, has in cpus.items() if feature in has}, set(cpus)


def _split(what: str, having: set[str], judged: set[str]) -> str:
    """Return how the nodes differ; the smaller side is named, since it is the one to look at."""
    lacking = judged - having
    if len(having) <= len(lacking):
        return f"{what} is on {_nodes(having)} only, of {len(judged)}"
    return f"{what} is missing on {_nodes(lacking)} of {len(judged)}"


def _as_specified(spec: HardwareClassSpec, facts: Mapping[str, DeviceFacts], seen: str) -> Finding:
    """Return whether the agent's facts match the spec; other spec.features are the administrator's own."""
    wrong = []
    others = {n for n, one in facts.items() if one.architecture not in {None, spec.architecture}}
    if others:
        wrong.append(f"spec.architecture is {spec.architecture}, and {_nodes(others)} differs")
    for feature in spec.features:
        lacking = {
            node for node, one in facts.items()
            if feature in CPU_FEATURES and one.cpu and feature not in one.cpu.features
        }  # fmt: skip
        if lacking:
            wrong.append(f"spec.features names {feature}, which is missing on {_nodes(lacking)}")
    if not wrong:
        message = f"{seen}; they match spec.architecture and spec.features"
        cause = Cause(ClassReason.AS_SPECIFIED, message)
        return Finding(ConditionType.AS_SPECIFIED, holds=True, cause=cause)
    message = f"{_some(wrong)}: correct the spec, or narrow spec.nodeSelector"
    cause = Cause(ClassReason.SPEC_DIFFERS, message)
    return Finding(ConditionType.AS_SPECIFIED, holds=False, cause=cause)


def _nodes(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - NAMED_NODES
    named = ", ".join(ordered[:NAMED_NODES])
    return f"{named} and {more} more" if more > 0 else named


def _some(parts: list[str]) -> str:
    more = len(parts) - NAMED_DIFFERENCES
    named = "; ".join(parts[:NAMED_DIFFERENCES])
    return f"{named}; and {more} more differences" if more > 0 else named


def _shares(values: Iterable[str | None]) -> tuple[Share, ...]:
    """Return the shares, most frequent first, then by name: the same nodes give the same list."""
    counted = Counter(value for value in values if value)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Share(value=value, nodes=nodes) for value, nodes in ordered[:MOST_SHARES])


def _span(values: Iterable[int | None]) -> Span | None:
    known = [value for value in values if value is not None]
    return Span(least=min(known), most=max(known)) if known else None
