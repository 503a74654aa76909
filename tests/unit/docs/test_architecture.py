"""docs/architecture.md names files, functions and layers that there are."""

from __future__ import annotations

import re
import tomllib

import pytest

from docs.tools.__main__ import DOCS

ROOT = DOCS.parent
PAGE = (DOCS / "architecture.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", PAGE)
PLACES = sorted(
    {code for code in CODE if re.match(r"(operator|agents|images|engines|tests|docs)/", code)}
)


@pytest.mark.parametrize("place", PLACES)
def test_what_is_named_is_there(place: str) -> None:
    name, _, function = place.partition(":")
    assert (ROOT / name).exists()
    if function:
        assert re.search(
            rf"^(async )?(def|class) {function}\b", (ROOT / name).read_text(), re.MULTILINE
        )


@pytest.mark.parametrize("name", sorted({code for code in CODE if re.fullmatch(r"\w+\.py", code)}))
def test_short_names_are_of_folders_named_nearby(name: str) -> None:
    folders = {(ROOT / place.partition(":")[0]).parent for place in PLACES}
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
