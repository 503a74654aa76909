"""Every object that one reconcile writes for a whole EdgeModel, as files: read `cases/*/objects.yaml`.

`make goldens` rewrites them, and nothing else. What a `snapshot.yaml` says that its case shows is written by
hand: a rewrite can't hide that a rollback, say, has become something else.
"""

from __future__ import annotations

import os

import pytest

from skerry.api import EdgeModelStatus
from skerry.api.reasons import ConditionType
from skerry.controllers.writes import Verb
from skerry.decide.conditions import condition_of
from tests.unit.render.goldens import CASES, case, shown

UPDATE = "UPDATE_GOLDENS"
FILES = {"snapshot.yaml", "objects.yaml"}
FOLDERS = sorted(path.name for path in CASES.iterdir() if path.is_dir())
MOST_LINES = 450


@pytest.mark.parametrize("name", FOLDERS)
def test_all_writes_are_those_of_the_golden_file(name: str) -> None:
    golden = CASES / name / "objects.yaml"
    found = shown(case(name).writes)
    if os.environ.get(UPDATE):
        golden.write_text(found)
    assert golden.exists(), f"{golden} is missing: run `make goldens`"
    assert found == golden.read_text(), "if the change means this, run `make goldens`"
    assert len(found.splitlines()) <= MOST_LINES, "nobody sees so much at a glance"


@pytest.mark.parametrize("name", FOLDERS)
def test_each_case_still_shows_what_it_is_there_for(name: str) -> None:
    found = case(name).writes
    (status,) = [one for one in found if one.verb is Verb.STATUS and one.kind.name == "EdgeModel"]
    conditions = EdgeModelStatus.model_validate(status.body["status"]).conditions
    ready = condition_of(conditions, ConditionType.READY)
    assert ready is not None
    assert case(name).header["shows"] == {
        "writes": [f"{one.verb.value} {one.kind.name}" for one in found],
        "ready": ready.reason,
    }


def test_there_is_nothing_else_among_the_cases() -> None:
    assert {path.name for path in CASES.iterdir()} == {"config.yaml", *FOLDERS}
    surplus = {path for name in FOLDERS for path in (CASES / name).iterdir()}
    assert surplus == {CASES / name / file for name in FOLDERS for file in FILES}
