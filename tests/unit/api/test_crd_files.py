"""crds/ and the chart's copy are what the models say, and their schemas keep the API server's rules."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api import KINDS
from skerry.api.crd import main, open_api_schema, stale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.api.common import Resource

ROOT = Path(__file__).parents[3]
FOLDERS = (ROOT / "crds", ROOT / "charts" / "skerry" / "crds")
STRUCTURAL = {
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-validations",
}

Schema = dict[str, Any]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_fresh(folder: Path) -> None:
    assert stale(folder) == [], f"run: python -m skerry.api.crd {folder.relative_to(ROOT)}"


def test_stale_files_are_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "crds"
    shutil.copytree(FOLDERS[0], folder)
    assert main(["--check", str(folder)]) == 0
    (folder / "skerry.dev_edgenodes.yaml").unlink()
    (folder / "skerry.dev_edgemodels.yaml").write_text("kind: Other\n")
    (folder / "skerry.dev_gone.yaml").write_text("kind: Gone\n")
    assert main(["--check", str(folder)]) == 1
    assert capsys.readouterr().err.count("is stale: run") == 3
    assert main([str(folder)]) == 0
    assert stale(folder) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_part_is_bounded_and_described(kind: type[Resource]) -> None:
    wrong = []
    for path, part in _parts(open_api_schema(kind)["properties"]["spec"], "spec"):
        wrong += [f"{path}: {key} is not structural" for key in part.keys() - STRUCTURAL]
        if not _bounded(part):
            wrong.append(f"{path}: no greatest length")
        if not path.endswith(("[]", "{}")) and not part.get("description"):
            wrong.append(f"{path}: no description")
    assert wrong == []


@pytest.mark.parametrize("kind", [k for k in KINDS if k.info.has_status], ids=lambda k: k.__name__)
def test_status_is_bounded_and_described_and_only_says_that_nobody_looked(
    kind: type[Resource],
) -> None:
    schema = open_api_schema(kind)["properties"]["status"]
    observed = "observedGeneration" in schema["properties"]
    assert schema.get("default") == ({"observedGeneration": -1} if observed else None)
    for path, part in _parts(schema, "status"):
        assert part.keys() <= STRUCTURAL, path
        assert "default" not in part or path == "status", path
        assert _bounded(part), path
        assert path.endswith(("[]", "{}")) or part.get("description"), path


def _bounded(part: Schema) -> bool:
    """Return whether the API server can tell how large a value may be, and so what a rule costs."""
    if part["type"] == "string":
        return bool(part.keys() & {"maxLength", "enum", "format"})
    if part["type"] == "array":
        return "maxItems" in part
    return "additionalProperties" not in part or "maxProperties" in part


def _parts(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield every schema in a schema, with its path."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from _parts(part, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from _parts(schema[key], path + mark)
