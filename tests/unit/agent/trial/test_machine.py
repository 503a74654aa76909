"""The state machine of a trial: tables of what is observed and what follows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.api.attempt import Attempt
from skerry.api.edgenode import CandidateState, VerdictOutcome, Veto
from skerry.api.modelroute import ModelRouteSpec
from skerry.judging.guard import Finding
from skerry_agent.trial import machine, traffic
from skerry_agent.trial.machine import Observation
from skerry_agent.trial.memory import MOST_VETOES, Memory, NodeTrial

A, B, C = "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PASSES = Finding(VerdictOutcome.PASS, "")
FAILS = Finding(VerdictOutcome.FAIL, "Errors")
DOUBTS = Finding(VerdictOutcome.NO_DATA, "LatencyShift")


def route(**roles: Any) -> ModelRouteSpec:
    return ModelRouteSpec.model_validate({"edgeModelName": "m", "hardwareClassName": "c", **roles})


STABLE = {"stable": {"revision": A}}
TRYING = {"candidate": {"revision": B, "traffic": [10, 50], "soakSeconds": 60}}
WAY_BACK = {"previous": {"revision": A, "expirationTime": NOW}}


def trial(state: CandidateState, step: int = 0, **more: Any) -> Memory:
    return Memory(trial=NodeTrial(revision=B, attempt=0, state=state, step=step, **more))


def veto(revision: str) -> Veto:
    return Veto(revision=revision, attempt=0, rule="Errors", failure_time=NOW)


S = CandidateState


@pytest.mark.parametrize(
    ("before", "seen", "after"),
    [
        (S.WAITING, Observation(0, frozenset({A})), S.WAITING),
        (S.WAITING, Observation(0, frozenset({A, B})), S.SMOKE_CHECK),
        (S.SMOKE_CHECK, Observation(9, frozenset({A, B})), S.SMOKE_CHECK),
        (S.SMOKE_CHECK, Observation(9, frozenset({A, B}), smoke=PASSES), S.SHIFTING),
        (S.SMOKE_CHECK, Observation(9, frozenset({A, B}), smoke=FAILS), S.FAILED),
        (S.SHIFTING, Observation(29, frozenset({A, B}), finding=PASSES, samples=99), S.SHIFTING),
        (S.SHIFTING, Observation(31, frozenset({A, B}), finding=PASSES, samples=19), S.SHIFTING),
        (S.SHIFTING, Observation(31, frozenset({A, B}), finding=DOUBTS, samples=99), S.SHIFTING),
        (S.SHIFTING, Observation(31, frozenset({A, B}), finding=PASSES, samples=99), S.SOAKING),
        (S.SHIFTING, Observation(1, frozenset({A, B}), finding=FAILS), S.FAILED),
        (S.SOAKING, Observation(59, frozenset({A, B}), finding=PASSES, samples=99), S.SOAKING),
        (S.SOAKING, Observation(61, frozenset({A, B}), finding=DOUBTS, samples=99), S.SOAKING),
        (S.SOAKING, Observation(61, frozenset({A, B}), finding=PASSES, samples=99), S.PASSED),
        (S.SOAKING, Observation(61, frozenset({A}), finding=PASSES, samples=99), S.WAITING),
        (S.PASSED, Observation(99, frozenset({A, B}), finding=FAILS), S.FAILED),
    ],
)
def test_way_of_a_candidate(before: S, seen: Observation, after: S) -> None:
    memory = trial(before, step=1 if before in {S.SOAKING, S.PASSED} else 0)
    found = machine.advance(route(**STABLE, **TRYING), memory, seen)
    assert found.trial is not None
    assert found.trial.state is after
    assert found.vetoed(Attempt(B)) is (after is S.FAILED)


def test_a_candidate_that_keeps_losing_its_check_fails() -> None:
    memory, spec = trial(S.SOAKING, 1), route(**STABLE, **TRYING)
    for _ in range(machine.LOSSES):
        memory = machine.advance(
            spec,
            trial(S.SOAKING, 1, losses=memory.trial.losses if memory.trial else 0),
            Observation(1, frozenset({A})),
        )
    memory = machine.advance(spec, memory, Observation(2, frozenset({A, B})))
    assert memory.vetoed(Attempt(B))


def test_a_pod_that_is_stopped_is_no_loss() -> None:
    memory = machine.advance(
        route(**STABLE, **TRYING),
        trial(S.SOAKING, 1),
        Observation(1, frozenset({A}), frozenset({B})),
    )
    assert memory.trial is not None
    assert (memory.trial.state, memory.trial.losses) == (S.WAITING, 0)


@pytest.mark.parametrize(
    ("roles", "memory", "up", "shares"),
    [
        (STABLE, Memory(), {A}, {A: 100}),
        (STABLE | TRYING, trial(S.SMOKE_CHECK), {A, B}, {A: 100}),
        (STABLE | TRYING, trial(S.SHIFTING), {A, B}, {A: 90, B: 10}),
        (STABLE | TRYING, trial(S.SOAKING, 1), {A, B}, {A: 50, B: 50}),
        (STABLE | TRYING, trial(S.SOAKING, 1), {B}, {B: 100}),
        (STABLE | TRYING, trial(S.SMOKE_CHECK), {B}, {}),
        (TRYING, trial(S.SMOKE_CHECK), {B}, {}),
        (TRYING, trial(S.SOAKING, 1), {B}, {B: 100}),
        (TRYING, Memory(vetoes=(veto(B),)), {B}, {}),
        (STABLE | TRYING, Memory(vetoes=(veto(B),)), {A, B}, {A: 100}),
        (STABLE | TRYING, Memory(vetoes=(veto(B),)), {B}, {B: 100}),
        ({"stable": {"revision": B}} | WAY_BACK, Memory(), {A, B}, {B: 100}),
        ({"stable": {"revision": B}} | WAY_BACK, Memory(), {A}, {A: 100}),
        ({"stable": {"revision": B}} | WAY_BACK, Memory(vetoes=(veto(B),)), {A, B}, {A: 100}),
        ({"stable": {"revision": B}} | WAY_BACK, Memory(vetoes=(veto(B),)), {B}, {B: 100}),
        ({"stable": {"revision": B, "attempt": 1}}, Memory(vetoes=(veto(B),)), {B}, {B: 100}),
    ],
)
def test_shares(
    roles: dict[str, Any], memory: Memory, up: set[str], shares: dict[str, int]
) -> None:
    assert traffic.shares(route(**roles), memory, frozenset(up)) == shares


def test_after_promotion_the_guard_stays_armed_while_there_is_a_way_back() -> None:
    promoted = route(stable={"revision": B}, **WAY_BACK)
    memory = machine.advance(
        promoted, trial(S.PASSED, 1), Observation(1, frozenset({A, B}), finding=FAILS)
    )
    assert traffic.shares(promoted, memory, frozenset({A, B})) == {A: 100}
    final = machine.advance(
        route(stable={"revision": B}), trial(S.PASSED, 1), Observation(1, frozenset({B}))
    )
    assert final.trial is None


ROLES = st.sampled_from([A, B, C])
FINDINGS = st.sampled_from([None, PASSES, FAILS, DOUBTS])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [STABLE, STABLE | TRYING, TRYING, {"stable": {"revision": B}} | WAY_BACK]
            ),
            st.frozensets(ROLES),
            FINDINGS,
            FINDINGS,
            st.integers(0, 40),
        ),
        max_size=40,
    )
)
def test_traffic_goes_only_where_something_answers(
    events: list[tuple[dict[str, Any], frozenset[str], Finding | None, Finding | None, int]],
) -> None:
    memory, now = Memory(), 0.0
    for roles, up, smoke, finding, samples in events:
        now += 10
        spec = route(**roles)
        before = memory.vetoes
        memory = machine.advance(
            spec, memory, Observation(now, up, frozenset(), smoke, finding, samples)
        )
        assert set(before) <= set(memory.vetoes) or len(memory.vetoes) == MOST_VETOES
        given_shares = traffic.shares(spec, memory, up)
        assert set(given_shares) <= up
        assert sum(given_shares.values()) in {0, 100}
        if spec.stable is not None and spec.stable.revision in up:
            assert given_shares, "a node where stable answers is never left without an answer"
        better = spec.stable is not None and spec.stable.revision == A and A in up
        if better and memory.vetoed(Attempt(B)):
            assert B not in given_shares, "a veto sticks"


def test_a_candidate_that_waits_for_its_pod_says_so_and_the_gateway_has_no_message() -> None:
    waits, both = route(**STABLE, **TRYING), frozenset({A, B})
    found = traffic.awaited(waits, trial(S.WAITING))
    assert found == f"no pod of candidate {B} answers on this node yet"
    assert traffic.message(waits, trial(S.WAITING), frozenset({A})) == ""
    assert traffic.awaited(waits, trial(S.SMOKE_CHECK)) == ""
    assert traffic.awaited(route(**STABLE), trial(S.WAITING)) == ""
    assert (
        traffic.awaited(waits, machine.advance(waits, trial(S.WAITING), Observation(0, both))) == ""
    )
