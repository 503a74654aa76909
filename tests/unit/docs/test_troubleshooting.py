"""Troubleshooting tells of every reason that a status can give, and of none that it can't."""

from __future__ import annotations

import re

import pytest

from docs.tools.__main__ import DOCS
from docs.tools.index import CONDITIONS
from tests.unit.docs import reasons

PAGE = (DOCS / "troubleshooting.md").read_text()


def documented() -> set[str]:
    """The reasons in the first cells of the tables."""
    cells = re.findall(r"^\| (`[^|]+`) \|", PAGE, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([A-Z]\w+)`", cell)}


def test_every_reason_is_told() -> None:
    assert reasons.collect() - documented() == set()


def test_no_reason_is_told_that_there_is_not() -> None:
    assert documented() - reasons.collect() == set()


def test_every_condition_is_told() -> None:
    assert {name for _, name, _ in CONDITIONS} == reasons.condition_types()


def test_a_reason_from_an_unknown_place_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the collector can't read it must not pass over."""
    monkeypatch.delitem(reasons.ELSEWHERE, ("stages", "failure", "reason"))
    monkeypatch.delitem(reasons.ELSEWHERE, ("fetches", "_refusal", "word"))
    with pytest.raises(reasons.UnknownReasonError, match="gives a reason by `word`"):
        reasons.collect()
