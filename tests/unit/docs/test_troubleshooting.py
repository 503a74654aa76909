"""Troubleshooting explains every reason that a status can give, and none that it can't."""

from __future__ import annotations

import re

from docs.tools.__main__ import DOCS
from docs.tools.index import CONDITIONS
from skerry.api.reasons import SUBJECTS, ConditionType

PAGE = (DOCS / "troubleshooting.md").read_text()


REASONS = {reason.value: reason for subject in SUBJECTS for reason in subject}


def rows() -> list[tuple[set[str], str]]:
    """Return the reasons in the first cells of the tables, with the second cells."""
    found = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", PAGE, re.MULTILINE)
    return [(set(re.findall(r"`([A-Z]\w+)`", cell)), meaning) for cell, meaning in found]


def test_it_explains_every_reason_and_no_other() -> None:
    assert set().union(*(words for words, _ in rows())) == REASONS.keys()


def test_it_says_of_a_reason_what_the_reference_says() -> None:
    """The first sentences; the page may say more."""
    for words, meaning in rows():
        for word in words:
            assert meaning.startswith(REASONS[word].meaning), word


def test_every_condition_is_explained() -> None:
    assert {name for _, name, _ in CONDITIONS} == set(ConditionType)
