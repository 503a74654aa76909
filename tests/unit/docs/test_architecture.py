"""docs/architecture.md names files, functions and layers that there are."""

from __future__ import annotations

import re
import tomllib

import pytest

from docs.tools.__main__ import DOCS

ROOT = DOCS.parent
PAGE = (DOCS / "architecture.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", PAGE)
FOLDERS = ("", "operator/skerry/")
"""Of paths: the repository, and the operator's code."""
PLACES = sorted({code for code in CODE if re.fullmatch(r"[\w.-]+/[\w./-]*(:\w+)?", code)})


@pytest.mark.parametrize("place", PLACES)
def test_what_is_named_is_there(place: str) -> None:
    path, _, name = place.partition(":")
    found = [ROOT / folder / path for folder in FOLDERS if (ROOT / folder / path).exists()]
    assert found, place
    if name:
        assert re.search(rf"^(async )?(def|class) {name}\b", found[0].read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", sorted({code for code in CODE if re.fullmatch(r"\w+\.py", code)}))
def test_a_name_alone_is_in_a_folder_of_the_page(name: str) -> None:
    folders = {ROOT / folder / place.rpartition("/")[0] for place in PLACES for folder in FOLDERS}
    assert any((folder / name).exists() for folder in folders)


def test_the_layers_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(one["layers"] for one in contracts if one.get("containers") == ["skerry"])
    table = PAGE.split("| layer, from the top |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
    assert [set(re.findall(r"\w+", row)) for row in rows] == [
        set(re.findall(r"\w+", layer)) for layer in layers
    ]
