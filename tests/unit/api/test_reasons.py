"""Reasons are members of the enums of `skerry.api.reasons`: no code writes one as text, and each is used."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from skerry.api.reasons import SUBJECTS, AssessFailure, Cause, JobFailure, Reason, RolloutReason

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PRODUCTION = ("operator", "agents", "images", "engines")
ENUMS = ROOT / "operator/skerry/api/reasons"
DRAFTS = {"Cause", "Finding", "Event"}
"""Constructors whose first argument is a reason, or whose `reason` is one."""
PROSE = {"EngineRank", "Backend"}
"""Constructors whose `reason` is a sentence."""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Yield the product's modules without the enums themselves and tests."""
    for folder in PRODUCTION:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "tests" not in path.parts and ENUMS not in path.parents:
                yield path, ast.parse(path.read_text())


def name_of(call: ast.Call) -> str:
    """Return the last name of what is called."""
    return ast.unparse(call.func).rpartition(".")[2]


def literals(module: ast.AST) -> Iterator[ast.expr]:
    """Yield texts in a reason's place: as an argument, in an object's JSON, in a comparison."""
    for node in ast.walk(module):
        match node:
            case ast.Call() if name_of(node) not in PROSE:
                given = [word.value for word in node.keywords if word.arg == "reason"]
                if name_of(node) in DRAFTS:
                    given += node.args[:1]
            case ast.Dict():
                given = [
                    value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant) and key.value == "reason"
                ]
            case ast.Compare(left=ast.Attribute(attr="reason")):
                given = node.comparators
            case _:
                continue
        yield from (value for value in given if is_text(value))


def is_text(node: ast.expr) -> bool:
    """Return whether the expression may be a text literal of the code."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return any(map(is_text, parts))
        case ast.IfExp(body=body, orelse=otherwise):
            return is_text(body) or is_text(otherwise)
    return False


def test_no_code_writes_a_reason_as_text() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for path, module in modules()
        for node in literals(module)
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'Cause("Wave", text)',
        'replace(cause, reason="Wave")',
        'Finding("Ready", holds=True, cause=cause)',
        'conditions.Finding(kind, holds=True, reason=word or f"Assess{word}")',
        '{"type": "Ready", "reason": "Serving"}',
        'target.reason == "Wave"',
        'target.reason in ("Wave", other)',
    ],
)
def test_the_check_finds_a_text(code: str) -> None:
    assert list(literals(ast.parse(code)))


def test_the_code_gives_every_reason() -> None:
    given = {
        ast.unparse(node)
        for _, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
    }
    # An assessment's failure is chosen by the name of the job's.
    others = [reason for subject in SUBJECTS if subject is not AssessFailure for reason in subject]
    assert {f"{type(r).__name__}.{r.name}" for r in others} - given == set()
    assert set(AssessFailure.__members__) == set(JobFailure.__members__)


def test_a_word_belongs_to_one_enum_and_has_a_meaning() -> None:
    words = [reason.value for subject in SUBJECTS for reason in subject]
    assert len(words) == len(set(words))
    assert set(SUBJECTS) == set(Reason.__subclasses__())
    for subject in SUBJECTS:
        for reason in subject:
            assert re.fullmatch(r"([A-Z][a-z]*)+", reason.value)
            assert reason.meaning.endswith(".")


def test_a_reason_is_its_word() -> None:
    """So it is written to the API server, and so a program compares it."""
    cause = Cause(RolloutReason.WAVE_IN_PROGRESS, "wave 1 of 3")
    assert f"{cause.reason}" == cause.reason == "WaveInProgress"
    assert RolloutReason("WaveInProgress") is cause.reason
