"""The order of writes, as data: the urgent first, dependencies named, and a kill anywhere loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from skerry.api.modelroute import (
    Halt,
    ModelRouteSpec,
    RouteCandidate,
    RoutePrevious,
    RouteRevision,
)
from skerry.api.placement import ANNOTATION_PLACEMENT
from skerry.api.reasons import Cause, WriteRefusal
from skerry.controllers import writes
from skerry.controllers.gather import Gathered
from skerry.controllers.writes import Plan, Write, takes_away
from skerry.decide.decision import Deletions
from skerry.decide.refused import Concern, Refused
from skerry.render import variants as render_variants
from skerry.render.parts import Owner
from tests.unit.decide.plan_world import (
    CONFIG,
    NOW,
    World,
    assessed,
    built,
    recipe_result,
    summary,
    world,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.api.edgemodel import EdgeModelStatus
    from skerry.decide.decision import Decision

OWNER = Owner("intent", "assist", "u1")
A, B, C = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
LATER = NOW + timedelta(hours=1)
HALT = Halt(revision=B, attempt=0, rule="Errors", rollback_time=NOW)


def plan_of(made: World, decision: Decision | None = None) -> Plan:
    """Return the plan of the current decision; of its children, only variants exist already."""
    present = {
        ("ModelVariant", name): render_variants.variant(OWNER, name, variant.spec)
        for name, variant in made.snapshot.variants.items()
    }
    for name, item in present.items():
        item["metadata"]["uid"] = f"uid-{name[1]}"
    gathered = Gathered(made.snapshot, present)
    return Plan(decision or made.decide(), gathered, OWNER, CONFIG)


def labels(found: tuple[Write, ...]) -> list[str]:
    """Return each kind of write once, in order."""
    return list(dict.fromkeys(write.label for write in found))


def route(
    stable: str | None = None,
    candidate: str | None = None,
    previous: str | None = None,
    halted: Halt | None = None,
) -> ModelRouteSpec:
    """Return a route of these roles."""
    return ModelRouteSpec(
        edge_model_name="intent",
        hardware_class_name="x86",
        stable=RouteRevision(revision=stable) if stable else None,
        candidate=RouteCandidate(revision=candidate) if candidate else None,
        previous=RoutePrevious(revision=previous, expiration_time=LATER) if previous else None,
        halted=halted,
    )


@pytest.mark.parametrize(
    ("before", "after", "urgent"),
    [
        (route(A, B), route(A, halted=HALT), True),  # the candidate is rolled back
        (route(B, None, A), route(A, halted=HALT), True),  # stable is rolled back
        (route(B, C, A), route(A, halted=HALT), True),
        (route(None, B), route(halted=HALT), True),  # the first is rolled back
        (route(A, B), route(A), True),  # aborted, superseded
        (route(A, B), route(B, None, A), False),  # promoted
        (route(A, B), route(A, C), False),  # another is tried
        (route(A), route(A, B), False),
        (route(A, None, B), route(B, None, A), True),  # the way back
        (route(A, None, B), route(A), False),  # the window is over
        (route(A, B), route(A, B), False),
        (None, route(None, A), False),
    ],
)
def test_urgent_is_what_only_takes_something_away(
    before: ModelRouteSpec | None, after: ModelRouteSpec, *, urgent: bool
) -> None:
    assert takes_away(before, after) is urgent


def test_a_rollback_is_written_before_everything_else_and_needs_nothing() -> None:
    """The other class has variant statuses, a route and a job to write."""
    made = built("x86", "arm")
    made = made.with_(routes={"arm": route(A, B)})
    decision = made.decide()
    back = route(A, halted=HALT).model_copy(update={"hardware_class_name": "arm"})
    routes = {**decision.routes, "arm": back}
    found = writes.before_status(plan_of(made, replace(decision, routes=routes)))
    assert found[0].name == "intent.arm"
    assert found[0].urgent
    assert not found[0].needs
    assert labels(found)[:2] == ["route", "variant-status"]
    assert [write.name for write in found if write.label == "route"] == ["intent.arm", "intent.x86"]


def test_a_route_needs_the_variant_statuses_of_its_class_alone() -> None:
    found = writes.before_status(plan_of(built("x86", "arm")))
    (one,) = [write for write in found if write.label == "route"]
    stored = {write.id: write for write in found if write.label == "variant-status"}
    assert one.needs
    assert {stored[needed].hardware_class for needed in one.needs} == {one.hardware_class}


def test_a_job_needs_its_variant() -> None:
    found = writes.before_status(plan_of(assessed("x86", "arm")))
    for job in (write for write in found if write.label == "job"):
        (needed,) = job.needs
        (variant,) = [write for write in found if write.id == needed]
        assert variant.hardware_class == job.hardware_class
        assert found.index(variant) < found.index(job)


def test_a_daemonset_needs_the_route_of_its_class() -> None:
    plan = plan_of(built())
    (written,) = [write for write in writes.before_status(plan) if write.label == "route"]
    (daemonset,) = writes.after_status(plan)
    assert daemonset.needs == {written.id}
    ((entry),) = written.body["spec"]["placements"]
    assert daemonset.name == f"intent-{entry['revision']}"
    carried = json.loads(daemonset.body["metadata"]["annotations"][ANNOTATION_PLACEMENT])
    assert carried == {key: entry[key] for key in ("kind", "shards", "rings")}


def test_a_daemonset_that_is_gone_is_made_again_while_the_route_is_refused() -> None:
    made = built().step()
    cause = Cause(WriteRefusal.ADMISSION_DENIED, "no", stalls=True)
    refused = Refused("ModelRoute", "intent.x86", Concern.ROUTE, "x86", cause)
    (daemonset,) = writes.after_status(plan_of(made.with_(daemonsets={}, refused=(refused,))))
    assert daemonset.label == "daemonset"
    assert daemonset.needs == frozenset()


def test_the_first_pass_asks_for_a_job_and_a_service_before_it_reports_them() -> None:
    plan = plan_of(world())
    assert labels(writes.before_status(plan)) == ["job", "service"]
    assert writes.after_status(plan) == ()
    (job, service) = writes.before_status(plan)
    assert (job.hardware_class, job.slots, service.slots) == ("", None, None)


def test_nothing_is_written_twice() -> None:
    found = [*writes.before_status(plan_of(built())), *writes.after_status(plan_of(built()))]
    assert len({write.id for write in found}) == len(found)


STAGES: tuple[Callable[[Decision, Decision], Decision], ...] = (
    lambda so_far, whole: replace(so_far, variant_statuses=whole.variant_statuses),
    lambda so_far, whole: replace(so_far, routes=whole.routes),
    lambda so_far, whole: replace(so_far, variants=whole.variants),
    lambda so_far, whole: replace(so_far, jobs=whole.jobs),
    lambda so_far, whole: replace(so_far, status=whole.status),
    lambda so_far, whole: replace(so_far, daemonsets=whole.daemonsets),
    lambda so_far, whole: replace(so_far, deletions=whole.deletions),
)
"""The order of `controllers.writes`, one more kind of write each time."""


def killed_after(made: World, stages: int) -> World:
    """Return the state when the operator was killed after so many kinds of writes of a reconcile."""
    whole = made.decide()
    so_far = replace(
        whole,
        status=made.snapshot.model.status, variant_statuses={}, routes={}, daemonsets=(),
        variants={}, jobs=(), deletions=Deletions(),
    )  # fmt: skip
    for stage in STAGES[:stages]:
        so_far = stage(so_far, whole)
    return made.after(so_far)


def outcome(made: World) -> tuple[object, ...]:
    """Return the final state."""
    settled = made.settle().snapshot
    status: EdgeModelStatus = settled.model.status
    targets = [
        (t.reason, t.rollout.stable, t.rollout.candidate, t.rollout.desired, t.build.variant_name)
        for t in status.targets
    ]
    roles = dict(settled.routes)
    jobs = sorted(job.name for job in settled.jobs)
    return targets, roles, jobs, sorted(settled.variants), settled.daemonsets, status.assessment


@pytest.mark.parametrize("stages", range(len(STAGES) + 1))
@pytest.mark.parametrize("where", ["new", "assessed", "measured", "other limits"])
def test_killed_after_any_kind_of_write_it_ends_as_without(where: str, stages: int) -> None:
    limits = {"resources": {"limits": {"cpu": "250m", "memory": "64Mi"}}}
    made = {
        "new": lambda: world("x86", "arm"),
        "assessed": lambda: assessed("x86", "arm"),
        "measured": lambda: assessed("x86").step().job_ends(
            summary(recipe_result()).model_dump_json(by_alias=True)
        ),
        "other limits": lambda: built("x86").settle().model(serving=limits),
    }[where]()  # fmt: skip
    assert outcome(killed_after(made, stages)) == outcome(made)
