"""The caches: what a list leaves out is gone, what a watch has said since the list stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skerry.controllers.cache import Store

A, B = ("n", "a"), ("n", "b")


def store(**seen: int) -> Store[str]:
    made: Store[str] = Store()
    for name, version in seen.items():
        made.put(("n", name), version, f"{name}@{version}")
    return made


def test_an_empty_list_leaves_nothing() -> None:
    made = store(a=5)
    made.replace([], 7)
    assert list(made) == []


def test_a_ghost_newer_than_all_that_is_listed_goes() -> None:
    made = store(a=5, b=9)
    made.replace([(A, 5, "a@5")], 12)
    assert list(made) == [A]


def test_what_a_watch_brought_after_the_list_stays() -> None:
    made = store(a=13, b=14)
    made.replace([(A, 5, "a@5")], 12)
    assert dict(made.items()) == {A: "a@13", B: "b@14"}


def test_an_older_list_does_not_bring_back_what_was_deleted_after_it() -> None:
    made = store(a=5)
    made.drop(A, 14)
    made.replace([(A, 5, "a@5")], 12)
    assert list(made) == []
    made.replace([(A, 15, "a@15")], 16)
    assert list(made) == [A]


def test_the_late_news_of_a_deletion_spares_the_one_that_was_made_again() -> None:
    made = store(a=15)
    made.drop(A, 14)
    assert list(made) == [A]


def test_data_restored_from_a_backup_is_all_there_is() -> None:
    made = store(a=500, b=400)
    made.replace([(A, 500, "a@500"), (B, 400, "b@400")], 501)
    made.replace([(A, 90, "a@90")], 100)
    assert dict(made.items()) == {A: "a@90"}


events = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30)


@given(events, st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_any_list_between_any_events_ends_in_the_truth(
    said: list[tuple[str, bool]], asked: int, answered: int, lost: int
) -> None:
    """A list of moment `asked` comes in after event `answered`, and the watch loses event `lost`."""
    truth: list[dict[str, int]] = [{}]
    made: Store[int] = Store()
    for number, (name, deleted) in enumerate(said, start=1):
        after = dict(truth[-1])
        if deleted:
            after.pop(name, None)
        else:
            after[name] = number
        truth.append(after)
    for number, (name, deleted) in enumerate(said, start=1):
        if number == lost:
            continue
        if deleted:
            made.drop(("n", name), number)
        else:
            made.put(("n", name), number, number)
        if number == answered and asked <= answered:
            listed = truth[min(asked, len(said))]
            made.replace([(("n", n), v, v) for n, v in listed.items()], asked)
    if lost > len(said):
        held = {name: version for (_, name), version in made.items()}
        assert held == truth[-1]
    made.replace([(("n", n), v, v) for n, v in truth[-1].items()], len(said))
    assert {name: version for (_, name), version in made.items()} == truth[-1]
