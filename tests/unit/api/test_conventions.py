"""The API follows Kubernetes' own conventions (contributors/devel/sig-architecture/api-conventions.md).

Checked on the generated CRDs, which are what users and their tools see.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from skerry.api.common import OWN_LABELS
from skerry.engines import installed_engines
from skerry.engines.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
CRDS = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]

ACRONYMS = frozenset(
    {
        "CPP",
        "CPU",
        "DNS",
        "GPU",
        "HTTP",
        "IP",
        "MLX",
        "NPU",
        "ONNX",
        "RMSE",
        "RT",
        "TPU",
        "UID",
        "URI",
        "URL",
    }
)
NAMED = r"EdgeModel|HardwareClass|ModelVariant|Secret|optimization job|[Nn]ode"
"""Objects that a field can name: of Kubernetes, or of Skerry."""
NAMES_ONE = re.compile(rf"(Name of (a|an|the) ({NAMED})\b(?!')|Node that|The node that)")
STATES = frozenset({"phase", "state", "outcome", "status"})


class Field(NamedTuple):
    """A field of a CRD: where it is, its name, and its schema."""

    where: str
    name: str
    schema: dict[str, Any]


def _fields(schema: dict[str, Any], where: str) -> Iterator[Field]:
    for name, inner in schema.get("properties", {}).items():
        yield Field(f"{where}.{name}", name, inner)
        yield from _fields(inner, f"{where}.{name}")
    for part in ("items", "additionalProperties"):
        if isinstance(inner := schema.get(part), dict):
            yield Field(f"{where}[]", "", inner)
            yield from _fields(inner, f"{where}[]")


def _root(crd: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


FIELDS = [field for crd in CRDS for field in _fields(_root(crd), crd["spec"]["names"]["kind"])]
NAMED_FIELDS = [field for field in FIELDS if field.name]
ENGINES = {engine.name for engine in CATALOG} | installed_engines().keys()
VALUES = {value for field in FIELDS for value in field.schema.get("enum", ())}


def _mixed(name: str) -> list[str]:
    """Return the acronyms in a name that are in two cases."""
    humps = re.findall(r"[A-Z][a-z]+", name)
    return [hump for hump in humps if hump.upper() in ACRONYMS]


def test_every_kind_is_looked_at() -> None:
    assert len(CRDS) == 5
    assert len(FIELDS) > 400
    assert {"LatencyShift", "NvidiaGPU", "Certified", "Soaking"} <= VALUES


def test_no_number_is_a_float() -> None:
    assert not [field.where for field in FIELDS if field.schema.get("type") == "number"]


def test_a_time_is_named_so() -> None:
    """Every somethingTime is a time, and every time is a somethingTime."""
    times = {field.where for field in FIELDS if field.schema.get("format") == "date-time"}
    assert times == {field.where for field in FIELDS if field.name.endswith("Time")}
    assert not [f.where for f in NAMED_FIELDS if re.search(r"(^at|At|^until|Until)$", f.name)]


def test_constants_begin_with_a_capital() -> None:
    assert not [value for value in VALUES if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", value)]


def test_fields_are_in_camel_case() -> None:
    assert not [f.where for f in NAMED_FIELDS if not re.fullmatch(r"[a-z][A-Za-z0-9]*", f.name)]


@pytest.mark.parametrize(
    "names", [[field.name for field in NAMED_FIELDS], VALUES, ENGINES],
    ids=["fields", "constants", "engines"],
)  # fmt: skip
def test_an_acronym_is_in_one_case(names: list[str]) -> None:
    assert not {name: _mixed(name) for name in names if _mixed(name)}


def test_a_reference_by_name_says_so() -> None:
    said = [f for f in NAMED_FIELDS if NAMES_ONE.match(f.schema.get("description", ""))]
    assert len(said) >= 15
    assert not [
        f.where
        for f in said
        if not f.name.endswith(("Name", "name")) and f.schema["type"] == "string"
    ]


def test_a_generation_is_an_integer_and_named_so() -> None:
    said = [f for f in NAMED_FIELDS if "metadata.generation" in f.schema.get("description", "")]
    assert len(said) >= 5
    assert {f.schema["type"] for f in said} == {"integer"}
    assert not [f.where for f in said if not f.name.endswith("Generation")]


def test_states_and_outcomes_are_constants() -> None:
    found = [f for f in NAMED_FIELDS if f.name in STATES and f.schema["type"] == "string"]
    assert len(found) >= 8
    assert not [f.where for f in found if "enum" not in f.schema]


def test_what_is_true_or_false_is_named_without_a_verb() -> None:
    booleans = [f for f in NAMED_FIELDS if f.schema.get("type") == "boolean"]
    assert not [f.where for f in booleans if re.match(r"(is|has|should)[A-Z]", f.name)]


def test_keys_of_lists_are_fields_of_their_entries() -> None:
    lists = [f for f in FIELDS if "x-kubernetes-list-map-keys" in f.schema]
    assert len(lists) >= 10
    for field in lists:
        entry = field.schema["items"]
        assert set(field.schema["x-kubernetes-list-map-keys"]) <= set(entry["required"]), (
            field.where
        )


@pytest.mark.parametrize("crd", CRDS, ids=lambda crd: crd["spec"]["names"]["kind"])
def test_printer_columns_show_fields_that_there_are(crd: dict[str, Any]) -> None:
    columns = crd["spec"]["versions"][0]["additionalPrinterColumns"]
    paths = [re.sub(r"\[[^]]*\]", "[]", column["jsonPath"]) for column in columns]
    known = {field.where.partition(".")[2] for field in _fields(_root(crd), "")}
    assert {p.removeprefix(".") for p in paths if not p.startswith(".metadata.")} <= known


def test_own_objects_carry_the_recommended_labels() -> None:
    recommended = {
        "app.kubernetes.io/name",
        "app.kubernetes.io/part-of",
        "app.kubernetes.io/managed-by",
    }
    assert set(OWN_LABELS) == recommended


def test_metrics_are_in_base_units() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    names = re.findall(r"^\| `(skerry_\w+)`", page, re.MULTILINE)
    assert len(names) > 20
    assert not [n for n in names if re.search(r"_(percent|milliseconds|minutes|[kmg]i?b)(_|$)", n)]


@pytest.mark.parametrize(
    "folder", ["operator/skerry/cli", "operator/skerry/controllers", "agents", "examples"]
)
def test_no_code_decides_by_the_phase(folder: str) -> None:
    """It is for people: conditions, reasons and what lies behind them decide."""
    for path in (ROOT / folder).rglob("*.py"):
        compared = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Compare)]
        sides = [side for n in compared for side in (n.left, *n.comparators)]
        assert not [
            s.lineno for s in sides if isinstance(s, ast.Attribute) and s.attr == "phase"
        ], path
