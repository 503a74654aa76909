"""Engines of installed distributions, of which one may be damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.engines import EngineNotFound, find_engine, installed_engines
from tests.foreign import install_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("damaged", "raise RuntimeError('no such driver')", "RuntimeError: no such driver"),
        ("lacking", "import nobody_has_this", "No module named 'nobody_has_this'"),
        ("without", "", "AttributeError"),
        ("nameless", "FOUND = object()", "AttributeError"),
    ],
)
def test_an_engine_that_fails_to_load_is_left_out_and_the_others_are_there(
    name: str, text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(installed_engines())
    install_text(tmp_path, "skerry.engines", name, text)
    monkeypatch.syspath_prepend(tmp_path)
    assert set(installed_engines()) == before
    with pytest.raises(EngineNotFound, match=f"(?s){name}:FOUND can't be loaded.*{why}"):
        find_engine("Nobody")
