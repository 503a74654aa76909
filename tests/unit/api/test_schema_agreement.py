r"""What the schemas in the CRDs accept, the models read: the API server stores it, and the operator must.

The API server matches patterns by RE2, where classes such as \s are ASCII; pydantic's are Unicode. So
every field of every kind is tried with texts near the edge of its schema, by RE2 itself.
"""

from __future__ import annotations

import json
import re
import string
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from skerry.api import KINDS, EdgeModel
from skerry.api import artifact as sources
from skerry.api.crd import open_api_schema
from tests.cluster.fullest import TIME
from tests.cluster.manifests import DIGEST, HASH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.api.common import Resource
    from skerry.api.rules import Rule

    Leaf = tuple[type[Resource], "Path", "Schema"]

Schema = dict[str, Any]
Path = tuple[str | int, ...]

KEY = "example.com/key"
FORMS = (
    sources.OCI_FORM, sources.BUCKET_FORM, sources.WEB_FORM, sources.HUB_FORM, sources.CLAIM_FORM,
    sources.NO_WAY_UP,
)  # fmt: skip


@cache
def schema_of(kind: type[Resource]) -> Schema:
    """Return the schema that the API server checks."""
    return open_api_schema(kind)


URI = schema_of(EdgeModel)["properties"]["spec"]["properties"]["source"]["properties"]["uri"]
GOOD = (
    TIME, DIGEST, HASH, HASH[:10], "oci://registry.example/intent:3", f"registry.example/a@{DIGEST}",
    "https://registry.example", "1", "1.5", "10m", "1x", "1.5x", "amd64", "ONNXRuntime", "text",
)  # fmt: skip
NOT_ASCII = "\u00a0\u0085\u2003\u2028\u3000\u200b\u0661\uff11\u00e9\u0130\u017f\u212a"
"""Spaces, digits and letters that engines for regular expressions do not agree about."""
NASTY = st.sampled_from([*NOT_ASCII, *"\x0b\x1c\x00\t\n\r ", *string.printable])
ANY = st.text(NASTY, max_size=12)
TIMES = st.builds(
    "{}-{}-{}T{}:{}:{}{}{}".format,
    st.sampled_from(["0000", "0001", "1969", "1970", "2026", "2028", "2199", "2200", "9999", "10000"]),
    st.sampled_from(["00", "01", "02", "12", "13", "1"]),
    st.sampled_from(["00", "01", "29", "30", "31", "32"]),
    st.sampled_from(["00", "23", "24"]),
    st.sampled_from(["00", "59", "60"]),
    st.sampled_from(["00", "59", "60"]),
    st.sampled_from(["", ".1", ".123456", ".123456789", ".1234567890", ",5", "x5"]),
    st.sampled_from(["Z", "z", "", "+00:00", "-23:59", "+24:00", "+99:99", "+0100", "-00:60"]),
)  # fmt: skip


def leaves(schema: Schema, path: Path = ()) -> Iterator[tuple[Path, Schema]]:
    """Yield every field that is no object or list; 0 stands for a list's items, KEY for a map's."""
    for name, part in schema.get("properties", {}).items():
        yield from leaves(part, (*path, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from leaves(schema["additionalProperties"], (*path, KEY))
    if "items" in schema:
        yield from leaves(schema["items"], (*path, 0))
    if schema["type"] not in ("object", "array"):
        yield path, schema


LEAVES = [
    (kind, path, leaf)
    for kind in KINDS
    for part in ("spec", "status")
    if part in schema_of(kind)["properties"]
    for path, leaf in leaves(schema_of(kind)["properties"][part], (part,))
]
TEXTS = [one for one in LEAVES if one[2]["type"] == "string"]
ALIKE: dict[str, list[Leaf]] = {}
"""The fields of texts by what the schema says."""
for one in TEXTS:
    said = {name: value for name, value in one[2].items() if name != "description"}
    ALIKE.setdefault(json.dumps(said, sort_keys=True), []).append(one)
NUMBERS = [one for one in LEAVES if one[2]["type"] in ("integer", "number")]


@st.composite
def near(draw: st.DrawFn, schema: Schema) -> str:
    """Return a text that the schema accepts, or one that is nearly such a text."""
    if schema.get("format") == "date-time":
        return draw(TIMES)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]) | ANY)
    longest = schema.get("maxLength", 64)
    if "pattern" not in schema:
        return draw(st.sampled_from(["\u20ac" * longest, "\U0001f600" * longest, ""]) | ANY)
    return draw(texts_like(schema["pattern"]))


@cache
def texts_like(pattern: str) -> st.SearchStrategy[str]:
    """Return texts that match or nearly match, by ASCII classes, as RE2 has them."""
    return changed_texts(st.from_regex(re.compile(pattern, re.ASCII)))


@cache
def uris_like(pattern: str) -> st.SearchStrategy[str]:
    """Return uris that match or nearly match and that the schema of a uri accepts."""
    texts = st.from_regex(re.compile(pattern, re.ASCII))
    if not pattern.startswith("^"):
        texts = texts.map("https://host/a{}".format)
    return changed_texts(texts).filter(lambda text: accepts(URI, text))


def changed_texts(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts with, now and then, a character more."""

    def change(text: str, at: int, more: str) -> str:
        return text[: at % (len(text) + 1)] + more + text[at % (len(text) + 1) :]

    return st.builds(change, texts, st.integers(0, 600), st.just("") | NASTY)


@cache
def matcher(pattern: str) -> Any:
    """Return the API server's regular-expression engine for a pattern."""
    return re2.compile(pattern)


def accepts(schema: Schema, value: str) -> bool:
    """Return whether the API server accepts a text by its schema alone."""
    return (
        ("enum" not in schema or value in schema["enum"])
        and ("pattern" not in schema or matcher(schema["pattern"]).search(value) is not None)
        and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        and (schema.get("format") != "date-time" or is_date(value[:10]))
    )


def is_date(text: str) -> bool:
    """Check what `format: date-time` checks beyond the pattern: kube-openapi's strfmt parses the date."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def good(schema: Schema) -> Any:
    """Return a value that the schema accepts: the required fields of an object, the fewest items of a list."""
    match schema["type"]:
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return {KEY: good(schema["additionalProperties"])}
        case "object":
            return {name: good(schema["properties"][name]) for name in schema.get("required", ())}
        case "array":
            return [good(schema["items"])] * schema.get("minItems", 0)
        case "string":
            return next(text for text in (*schema.get("enum", ()), *GOOD) if accepts(schema, text))
        case "boolean":
            return False
    return schema.get("minimum", 1)


def holding(schema: Schema, path: Path, value: Any) -> Any:
    """Return a good value with another one at the path."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if first == 0:
        return [holding(schema["items"], rest, value)]
    if first == KEY:
        return {KEY: holding(schema["additionalProperties"], rest, value)}
    return good(schema) | {first: holding(schema["properties"][str(first)], rest, value)}


def faults(kind: type[Resource], path: Path, value: Any) -> list[str]:
    """Return the model's errors for a value at a path, without those of its rules, which no schema has."""
    schema = schema_of(kind)
    whole = holding({**schema, "required": ["spec"]}, path, value)
    try:
        kind.model_validate({**whole, "metadata": {"name": "intent"}})
    except ValidationError as error:
        kinds = {one["type"] for one in error.errors()}
        # An item that breaks a rule is not counted among the items of its list.
        ours = {"value_error", "too_short"} if "value_error" in kinds else set()
        return [f"{one['loc']}: {one['msg']}" for one in error.errors() if one["type"] not in ours]
    return []


def name_of(leaf: Leaf) -> str:
    return f"{leaf[0].__name__}.{'.'.join(map(str, leaf[1]))}"


def test_no_pattern_uses_a_class_that_differs_between_engines() -> None:
    written = json.dumps([schema_of(kind) for kind in KINDS], indent=1)
    assert len({leaf["pattern"] for _, _, leaf in TEXTS if "pattern" in leaf}) > 10
    assert re.findall(r".*(?:\\[sSdDwWbB]|\[\[:).*", written) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_good_value_is_good_for_both(kind: type[Resource]) -> None:
    """Else a fault elsewhere would hide what is tried."""
    leaves_of = [leaf for leaf in LEAVES if leaf[0] is kind]
    found = {name_of(leaf): faults(kind, leaf[1], good(leaf[2])) for leaf in leaves_of}
    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_texts_at_the_edge(kind: type[Resource]) -> None:
    """Each field, with the same few texts."""
    for leaf in TEXTS:
        if leaf[0] is kind:
            agree_at_the_edge(leaf)


def agree_at_the_edge(leaf: Leaf) -> None:
    schema = leaf[2]
    text = good(schema)
    longest = schema.get("maxLength", 64)
    for value in ("", f"{text}\n", f" {text}", f"{text}\u00a0", "\u0661", text * longest):
        agree(leaf, value)
    for length in (longest, longest + 1):
        agree(leaf, "a" * length)
        agree(leaf, "1" * length)


@given(st.data(), st.sampled_from(list(ALIKE)))
@settings(max_examples=4 * settings().max_examples)
def test_texts(data: st.DataObject, schema: str) -> None:
    """Each schema as often as any other: most fields share one with many."""
    leaf = data.draw(st.sampled_from(ALIKE[schema]))
    agree(leaf, data.draw(near(leaf[2])))


def agree(leaf: Leaf, value: str) -> None:
    """Check that the model reads what the API server stores, and refuses what a pattern refuses."""
    kind, path, schema = leaf
    name, found = name_of(leaf), faults(kind, path, value)
    if accepts(schema, value):
        assert found == [], f"{name}: the API server stores {value!r} and the model can't read it"
    elif schema.keys() & {"pattern", "enum"} and "format" not in schema:
        assert found, f"{name}: the API server refuses {value!r} and the model takes it"


@given(st.data(), st.sampled_from(NUMBERS))
def test_numbers(data: st.DataObject, leaf: Leaf) -> None:
    kind, path, schema = leaf
    lowest, highest = schema.get("minimum", -(2**53)), schema.get("maximum", 2**53)
    value = data.draw(st.sampled_from([lowest - 1, lowest, highest, highest + 1, 0]))
    refused = ("minimum" in schema and value < lowest) or ("maximum" in schema and value > highest)
    assert bool(faults(kind, path, value)) == refused


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.message[:20])
@given(st.data())
@settings(max_examples=settings().max_examples // 2)
def test_forms_of_a_uri(form: Rule, data: st.DataObject) -> None:
    """CEL's `matches` is RE2, and the models' is Python's."""
    patterns = re.findall(r"matches\('(.*?)'\)", form.expression)
    uri = data.draw(uris_like(patterns[-1]))
    begins, *whole = (matcher(pattern).search(uri) is not None for pattern in patterns)
    assert bool(form.check and form.check(uri)) == (not begins or any(whole))
