"""Each statistic against figures that can be had elsewhere, and against its own edge cases."""

from __future__ import annotations

import pytest

from skerry.api.edgenode import VerdictOutcome
from skerry.api.modelroute import RouteGuard
from skerry.jobs.files import Tolerance
from skerry.judging.guard import Answer, Evidence, Side, errors, golden, judge, past, shift, tail
from skerry.judging.guard.owntime import own_times
from skerry.judging.guard.recent import Recent, Window

FAIL, PASS = VerdictOutcome.FAIL, VerdictOutcome.PASS
NO_DATA, INCONCLUSIVE = VerdictOutcome.NO_DATA, VerdictOutcome.INCONCLUSIVE
LEAST = 20


def counted(answers: int, failed: int, *, every: float = 0.05) -> errors.Counts:
    """Return answers evenly over time, with the failures evenly among them."""
    counts = errors.Counts()
    for number in range(answers):
        bad = (
            failed > 0
            and number % (answers // failed) == 0
            and number // (answers // failed) < failed
        )
        counts.add(number * every, failed=bad)
    return counts


def test_mann_whitney_is_that_of_the_textbook() -> None:
    # one slice of time: U = 13 of 16, mean 8, variance 12
    points = [
        [(0.0, value, False) for value in side]
        for side in ([3.0, 5.0, 7.0, 8.0], [1.0, 2.0, 6.0, 4.0])
    ]
    z = shift.excess(Window(points[0], points[1], 0.0, 20.0), 1.0)
    assert z == pytest.approx((13 - 8) / 12**0.5)


def test_ties_are_halves() -> None:
    same = [(0.0, 4.0, False)] * 30
    assert shift.excess(Window(same, same, 0.0, 20.0), 1.0) == 0.0


@pytest.mark.parametrize(
    ("table", "p"), [((3, 4, 1, 4), 17 / 70), ((10, 10, 0, 10), 1 / 184756), ((0, 5, 5, 5), 1.0)]
)
def test_fisher_is_exact(table: tuple[int, int, int, int], p: float) -> None:
    assert tail.fisher(*table) == pytest.approx(p)


def test_binomial_tail_is_exact() -> None:
    assert errors.at_least(2, 3, 0.5) == pytest.approx(0.5)
    assert errors.at_least(0, 3, 0.5) == 1.0


@pytest.mark.parametrize(
    ("candidate", "stable", "outcome"),
    [
        ((10, 0), (10, 0), NO_DATA),
        ((200, 0), (200, 0), PASS),
        ((600, 30), (600, 1), FAIL),
        ((600, 30), (600, 28), INCONCLUSIVE),
        ((20, 3), (180, 0), INCONCLUSIVE),
    ],
)
def test_errors(
    candidate: tuple[int, int], stable: tuple[int, int], outcome: VerdictOutcome
) -> None:
    found = errors.judge(counted(*candidate), counted(*stable), 0.01, LEAST, 30.0)
    assert found.outcome is outcome


def test_errors_alone_need_to_be_beyond_doubt() -> None:
    assert errors.judge(counted(20, 3), None, 0.01, LEAST, 5.0).outcome is INCONCLUSIVE
    assert errors.judge(counted(200, 20), None, 0.01, LEAST, 10.0).outcome is FAIL


def test_a_stall_that_fills_the_queue_fails_no_build_that_is_alone() -> None:
    """As a demonstration met it: a node stood still for seconds, 10 of 80 requests were refused."""
    alone = errors.Counts()
    for number in range(80):
        alone.add(number / 16, failed=number in {8, 9, 11, 28, 29, 30, 31, 32, 33, 34})
    assert errors.judge(alone, None, 0.01, LEAST, 5.0).outcome is INCONCLUSIVE
    alone.add(6.0, failed=True)
    found = errors.judge(alone, None, 0.01, LEAST, 6.0)
    assert (found.outcome, found.first_bad_at) == (FAIL, 0.5)


def test_five_in_a_row_fail_at_once_unless_stable_fails_too() -> None:
    candidate, stable = errors.Counts(), errors.Counts()
    for number in range(5):
        candidate.add(number, failed=True)
    found = errors.judge(candidate, stable, 0.01, LEAST, 5.0)
    assert (found.outcome, found.first_bad_at) == (FAIL, 0)
    stable.add(4.0, failed=True)
    assert errors.judge(candidate, stable, 0.01, LEAST, 5.0).outcome is NO_DATA
    stable.add(4.5, failed=False)
    assert errors.judge(candidate, stable, 0.01, LEAST, 5.0).outcome is NO_DATA
    for number in range(60):
        stable.add(4.5 + number / 1000, failed=False)
    assert errors.judge(candidate, stable, 0.01, LEAST, 5.0).outcome is FAIL


def test_one_late_failure_of_stable_does_not_hide_what_the_rates_show() -> None:
    candidate, stable = errors.Counts(), errors.Counts()
    for second in range(60):
        candidate.add(second, failed=second >= 55 or second % 2 == 0)
        if second % 3 == 0:
            stable.add(second, failed=second == 48)
    found = errors.judge(candidate, stable, 0.01, LEAST, 60.0)
    assert (found.outcome, found.observed) == (FAIL, "33 of 60 failed (55.0%)")


def test_a_minute_that_shows_too_little_leaves_the_word_to_the_quarter_of_an_hour() -> None:
    """Stable with a tenth of the traffic: six answers a minute prove nothing, sixty in ten minutes do."""
    candidate, stable = errors.Counts(), errors.Counts()
    for second in range(600):
        candidate.add(second, failed=second % 4 == 0)
        if second % 10 == 0:
            stable.add(second, failed=second == 560)
    found = errors.judge(candidate, stable, 0.01, LEAST, 600.0)
    assert (found.outcome, found.observed) == (FAIL, "150 of 600 failed (25.0%)")


def test_a_burst_of_failures_at_one_instant_is_one_event() -> None:
    candidate = errors.Counts()
    for number in range(8):
        candidate.add(10 + number / 100, failed=True)
    assert errors.judge(candidate, errors.Counts(), 0.01, LEAST, 10.1).outcome is not FAIL
    candidate.add(11.1, failed=True)
    assert errors.judge(candidate, errors.Counts(), 0.01, LEAST, 11.1).outcome is FAIL


def test_own_times_leave_the_queue_out() -> None:
    times, free_at = own_times([(0.0, 0.01), (0.005, 0.02), (0.1, 0.11)])
    assert [(round(ms), queued) for _, ms, queued in times] == [
        (10, False),
        (10, True),
        (10, False),
    ]
    assert free_at == 0.11


def test_span_grows_where_there_is_little_traffic() -> None:
    recent = Recent()
    recent.candidate.extend([(float(t), 1.0, False) for t in range(0, 200, 5)])
    recent.stable.extend([(float(t), 1.0, False) for t in range(200)])
    window = recent.window(200.0, LEAST)
    assert len(window.candidate) == LEAST
    assert window.stable[0][0] == window.start == 100.0


def test_one_stall_is_no_tail() -> None:
    evidence = Evidence()
    for second in range(60):
        for side in Side:
            slow = side is Side.CANDIDATE and second == 30
            span = 0.1 if slow else 0.01
            answers = [Answer(second + n / 30, second + n / 30 + span) for n in range(30)]
            evidence.live.add(side, answers)
    tails = evidence.live.tails
    found = tail.judge(tails[Side.CANDIDATE], tails[Side.STABLE], 1.5, LEAST)
    assert found.outcome is PASS


def test_a_recurring_tail_is_found() -> None:
    evidence = Evidence()
    for second in range(120):
        for side in Side:
            slow = side is Side.CANDIDATE
            answers = [
                Answer(second + n / 10, second + n / 10 + (0.1 if slow and n == 0 else 0.01))
                for n in range(10)
            ]
            evidence.live.add(side, answers)
    tails = evidence.live.tails
    found = tail.judge(tails[Side.CANDIDATE], tails[Side.STABLE], 1.5, LEAST)
    assert found.outcome is FAIL


def test_golden_answers_are_compared_within_the_tolerance() -> None:
    close = Tolerance(absolute=0.01, relative=0.1)
    want = [{"name": "y", "data": [1.0, 2.0]}]
    assert golden.difference(want, [{"name": "y", "data": [1.05, 2.1]}], close) is None
    assert "certified" in str(golden.difference(want, [{"name": "y", "data": [1.5, 2]}], close))
    assert "missing" in str(golden.difference(want, [], close))
    assert "values" in str(golden.difference(want, [{"name": "y", "data": [1.0]}], close))
    assert "number" in str(
        golden.difference(want, [{"name": "y", "data": [float("nan"), 2]}], close)
    )
    angle = Tolerance(absolute=0, relative=0, cosine=0.99)
    assert golden.difference(want, [{"name": "y", "data": [[2.0, 4.1]]}], angle) is None
    assert "cosine" in str(golden.difference(want, [{"name": "y", "data": [2.0, -1]}], angle))


@pytest.mark.parametrize("cosine", [None, 0.99])
def test_nan_and_infinities_have_to_be_where_they_are_certified(cosine: float | None) -> None:
    """Each word that servers write for them is read; a float's own, from a token, as well."""
    close = Tolerance(absolute=0.01, relative=0.1, cosine=cosine)

    def differs(*answered: object) -> str | None:
        want = {"name": "y", "datatype": "FP32", "data": ["NaN", "-Infinity", 1.0]}
        have = {"name": "y", "datatype": "FP32", "data": list(answered)}
        return golden.difference([want], [have], close)

    assert differs("NaN", "-Infinity", 1.0) is None
    assert differs(None, float("-inf"), 1.0) is None
    assert differs(float("nan"), "-Infinity", 1.05) is None
    assert differs("NaN", "Infinity", 1.0) == "output y: inf instead of -inf"
    assert differs(0.0, "-Infinity", 1.0) == "output y: 0 instead of nan"
    assert differs("NaN", "-Infinity", None) == "output y: nan is not a number"
    text = [{"name": "y", "datatype": "BYTES", "data": ["NaN", "a"]}]
    assert golden.difference(text, [{**text[0], "data": ["NaN", "b"]}], close) is not None


def test_golden_fails_on_the_second_wrong_answer_in_a_row() -> None:
    record = golden.Record()
    assert golden.judge(record).outcome is NO_DATA
    for reason, outcome in (
        ("off", INCONCLUSIVE),
        (None, PASS),
        ("off", INCONCLUSIVE),
        ("off", FAIL),
    ):
        record.add(1.0, reason)
        assert golden.judge(record).outcome is outcome


def test_own_past_holds_and_never_fails() -> None:
    recent = Recent()
    recent.stable.extend([(float(n), 50.0, False) for n in range(30)])
    held = past.judge(recent, 10.0, LEAST, 30.0)
    assert held is not None
    assert held.outcome is INCONCLUSIVE
    assert past.judge(recent, 40.0, LEAST, 30.0) is None
    assert past.judge(recent, None, LEAST, 30.0) is None


def test_idle_device_has_no_data_and_replays_stand_in() -> None:
    evidence = Evidence()
    evidence.golden.add(0.0, None)
    assert judge(evidence, RouteGuard(), 100.0).outcome is NO_DATA
    for number in range(30):
        for side in Side:
            evidence.replays.add(
                side, [Answer(number * 3.0, number * 3.0 + 0.01 + number % 3 / 1000)]
            )
    assert judge(evidence, RouteGuard(), 100.0).outcome is PASS
