"""Nodes that lack a Ready pod of a revision that they should have: which, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.api.reasons import Cause, PodReason
from skerry.decide.pods.refusals import refusal
from skerry.decide.pods.states import serving_trouble
from skerry.decide.pods.trouble import of_serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import NodeView
    from skerry.decide.snapshot import Absence, JobView, Snapshot

GRACE = timedelta(seconds=20)
"""A pod is made, scheduled and begun in less on a cluster that is well."""
EAGER = timedelta(minutes=2)
"""So long it is looked at again after each `GRACE`; from then on once a minute, with all others."""


@dataclass(frozen=True)
class Lacking:
    """A node that lacks a Ready pod of a revision."""

    hardware_class: str
    node: NodeView
    revision: str


def lacking(
    routes: Mapping[str, ModelRouteSpec], nodes: Mapping[str, tuple[NodeView, ...]]
) -> Iterator[Lacking]:
    """Yield the reachable nodes without a Ready pod of candidate or stable that is meant for them."""
    for name, route in routes.items():
        roles = [role for role in (route.candidate, route.stable) if role]
        for revision in dict.fromkeys(role.revision for role in roles):
            for node in nodes.get(name, ()):
                if _should_have(node, route, revision) and revision not in node.ready_revisions:
                    yield Lacking(name, node, revision)


def causes(
    absences: Iterable[Absence], namespace: str, now: datetime
) -> dict[tuple[str, str], Cause]:
    """Return why, by node and revision, where it has lasted for longer than `GRACE` and is known."""
    late = [one for one in absences if now - one.since >= GRACE]
    found = {(one.node, one.revision): _cause(one, namespace) for one in late}
    return {place: of_serving(cause) for place, cause in found.items() if cause is not None}


def waits_for_pods(job: JobView) -> bool:
    """Return whether nothing of the job has begun."""
    return not job.finished and not job.begun


def look_again(snapshot: Snapshot, now: datetime) -> float | None:
    """Return the seconds after which Events may say more of a pod that is not there; None without one."""
    since = [one.since for absences in snapshot.absences.values() for one in absences]
    since += [job.created_at for job in snapshot.jobs if waits_for_pods(job)]
    if not any(now - at < EAGER for at in since):
        return None
    ahead = (at + GRACE - now for at in since)
    return min(
        (left.total_seconds() for left in ahead if left > timedelta()),
        default=GRACE.total_seconds(),
    )


def _should_have(node: NodeView, route: ModelRouteSpec, revision: str) -> bool:
    return node.reachable and not node.left_out and route.is_meant_for(node, revision)


def _cause(absence: Absence, namespace: str) -> Cause | None:
    if absence.pod is not None:
        return serving_trouble(absence.pod, namespace)
    if absence.taint:
        text = f"taint {absence.taint} keeps its pod out, because DaemonSet {absence.daemonset}"
        return Cause(
            PodReason.TAINT_NOT_TOLERATED, f"{text} does not tolerate it: remove the taint"
        )
    if absence.events is None:
        return None
    owner = f"daemonset/{absence.daemonset}"
    return refusal(absence.events, owner, namespace) or Cause(
        PodReason.MISSING,
        f"it has no pod of {absence.revision}, and no Event says why: run kubectl -n {namespace}"
        f" describe {owner}",
    )
