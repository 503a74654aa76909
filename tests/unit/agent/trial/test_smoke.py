"""The smoke check's policy, without a server: a device as a table of times plays both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from skerry.api.edgenode import VerdictOutcome
from skerry.judging.guard import Answer, Side
from skerry_agent.trial.smoke import (
    LEAST_TIMED,
    MOST_CHECKED,
    PACE_SECONDS,
    ROUND_PAUSE_SECONDS,
    TIMED_ROUNDS,
    Probe,
    Replay,
    check,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.judging.guard import Finding

PASS, FAIL = VerdictOutcome.PASS, VerdictOutcome.FAIL


class Device:
    """Plays both sides, and notes what it is asked.

    `candidate` and `stable` give milliseconds by round; None: stable has no samples to answer.
    """

    def __init__(
        self,
        candidate: Callable[[int], float],
        stable: Callable[[int], float | None] = lambda _: 1.0,
        wrong: frozenset[int] = frozenset(),
    ) -> None:
        """Begin; `wrong` are the numbers of the candidate's answers that are not as certified."""
        self.candidate, self.stable, self.wrong = candidate, stable, wrong
        self.asked: list[Probe] = []
        self.round = -1
        self.now = self.answered = 0.0

    def run(self, samples: int = 8, certified: float | None = None, **more: Any) -> Finding:
        """Drive a check to its end."""
        it = check(samples, certified, **{"compared": True, **more})
        probe = next(it)
        while True:
            try:
                probe = it.send(self._answer(probe))
            except StopIteration as end:
                return cast("Finding", end.value)

    def _answer(self, probe: Probe) -> Replay:
        self.asked.append(probe)
        self.round += probe.opens_round
        self.now += probe.pause_seconds
        mine = probe.side is Side.CANDIDATE
        took = (self.candidate if mine else self.stable)(max(self.round, 0))
        start, self.now = self.now, self.now + (took or 0.0) / 1000
        number = sum(one.side is Side.CANDIDATE for one in self.asked) - 1
        self.answered = self.now if mine else self.answered
        wrong = "not as certified" if mine and number in self.wrong else None
        return Replay(Answer(start, self.now, failed=took is None), wrong)

    def samples(self, side: Side = Side.CANDIDATE) -> list[int]:
        """Return the samples that a side was asked for, without the first one, which wakes it up."""
        asked = self.asked[1:]
        return [probe.sample for probe in asked if probe.side is side]


def always(milliseconds: float | None) -> Callable[[int], Any]:
    return lambda _: milliseconds


@pytest.mark.parametrize(
    ("candidate", "stable", "certified", "outcome"),
    [
        (1.0, 1.0, None, PASS),
        (22.9, 1.0, None, PASS),  # three times stable's, and 20 ms
        (23.1, 1.0, None, FAIL),
        (319.0, 100.0, None, PASS),
        (321.0, 100.0, None, FAIL),
        (321.0, 200.0, 100.0, PASS),  # what stable takes here, not what was certified elsewhere
        (319.0, None, 100.0, PASS),  # stable has no samples
        (321.0, None, 100.0, FAIL),
        (9999.0, None, None, PASS),  # nothing to compare with
    ],
)
def test_slower_than_the_slack_fails(
    candidate: float, stable: float | None, certified: float | None, outcome: VerdictOutcome
) -> None:
    found = Device(always(candidate), always(stable)).run(certified=certified)
    assert found.outcome is outcome
    assert found.samples == 8


def test_without_stable_the_certified_median_counts() -> None:
    slow = Device(always(321.0))
    assert slow.run(certified=100.0, compared=False).outcome is FAIL
    assert slow.samples(Side.STABLE) == []


@pytest.mark.parametrize("slow_rounds", range(TIMED_ROUNDS + 1))
def test_only_what_is_slow_in_every_round_fails(slow_rounds: int) -> None:
    device = Device(lambda number: 500.0 if number < slow_rounds else 1.0)
    found = device.run()
    assert found.outcome is (FAIL if slow_rounds == TIMED_ROUNDS else PASS)
    assert device.round + 1 == min(slow_rounds + 1, TIMED_ROUNDS)


def test_some_slow_answers_do_not_move_a_median() -> None:
    numbers = iter(range(1000))
    device = Device(lambda _: 1.0 if next(numbers) % 3 else 500.0)
    assert device.run().outcome is PASS


@pytest.mark.parametrize(
    ("samples", "asked"),
    [
        (1, LEAST_TIMED),
        (5, LEAST_TIMED),
        (LEAST_TIMED, LEAST_TIMED),
        (20, 20),
        (MOST_CHECKED, MOST_CHECKED),
        (500, MOST_CHECKED),
    ],
)
def test_each_sample_once_and_enough_of_them(samples: int, asked: int) -> None:
    device = Device(always(1.0))
    device.run(samples)
    assert device.samples() == device.samples(Side.STABLE) == list(range(asked))


@pytest.mark.parametrize(
    ("milliseconds", "pause"), [(2.0, 0.008), (40.0, 0.16), (60.0, PACE_SECONDS)]
)
def test_the_first_round_is_paced_by_the_quickest_answer(milliseconds: float, pause: float) -> None:
    device = Device(always(milliseconds), always(milliseconds))
    device.run()
    later = [one.pause_seconds for one in device.asked[3:] if one.side is Side.CANDIDATE]
    assert later == pytest.approx([pause] * 7)
    assert device.asked[0].pause_seconds == device.asked[1].pause_seconds == 0.0


@pytest.mark.parametrize(("rest", "outcome"), [(0.15, PASS), (0.25, FAIL)])
def test_a_cpu_limit_that_is_enough_for_traffic_is_enough(
    rest: float, outcome: VerdictOutcome
) -> None:
    """A server that is quick after a rest of so many seconds, and else slow."""
    device = Device(always(1.0), always(20.0))
    device.candidate = lambda _: 5.0 if device.now - device.answered > rest else 200.0
    assert device.run().outcome is outcome
    assert device.round, "at the first round's pace alone it is too slow"


def test_later_rounds_rest_longer() -> None:
    device = Device(lambda number: 0.0 if number else 500.0)
    device.run()
    opens = [place for place, one in enumerate(device.asked) if one.opens_round]
    first, *later = [one for one in device.asked[opens[1] :] if one.side is Side.CANDIDATE]
    assert first.pause_seconds == ROUND_PAUSE_SECONDS
    assert {one.pause_seconds for one in later} == {PACE_SECONDS}


def test_the_sides_are_asked_in_turn() -> None:
    device = Device(always(1.0))
    device.run()
    assert [one.side for one in device.asked[1:]] == [Side.CANDIDATE, Side.STABLE] * 8


@pytest.mark.parametrize("wrong", [{0}, {1}, {5}, {1, 3}])
def test_a_wrong_answer_is_asked_for_once_more(wrong: set[int]) -> None:
    """The first of all wakes the server up, and counts for nothing."""
    device = Device(always(1.0), wrong=frozenset(wrong))
    assert device.run().outcome is PASS
    repeated = [n for n, one in enumerate(device.samples()) if one == device.samples()[n - 1]]
    assert len(repeated) == len(wrong - {0})


def test_two_wrong_answers_end_it_at_once() -> None:
    device = Device(always(1.0), wrong=frozenset({3, 4}))
    found = device.run()
    assert (found.outcome, found.samples, found.rule) == (FAIL, 3, "Golden")
    assert found.first_bad_at == device.now
    assert found.message == "smoke check: not as certified"
    assert device.samples() == [0, 1, 2, 2]


def test_stable_is_asked_again_for_samples_in_each_round() -> None:
    device = Device(always(500.0), lambda number: 200.0 if number else None)
    assert device.run(certified=1.0).outcome is PASS
    assert device.round == 1
