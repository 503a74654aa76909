"""Makes the largest value that a schema takes: what the models produce at most must be accepted."""

from __future__ import annotations

from typing import Any

from tests.cluster.manifests import DIGEST, HASH

TIME = "2026-11-23T12:34:56.123456Z"
WIDE = "\u20ac"
"""Lengths are counted in characters; this one is three bytes."""

PLAIN = {"integer": 2**53, "number": 1e300, "boolean": True}
BY_PATTERN = {
    r"^sha256:[0-9a-f]{64}$": DIGEST,
    r"^[0-9a-f]{10}$": HASH[:10],
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "a" * 63,
    r"^[A-Z][A-Za-z0-9]{1,39}$": "A" + "a" * 39,
    r"^[0-9]+(\.[0-9]+)?$": "0.1234567890",
    r"^-?[0-9]+(\.[0-9]+)?$": "-12345678901.12345678901",
    r"^-?[0-9]+\.[0-9]+$": "-1234567.123",
}


def fullest(schema: dict[str, Any], index: int = 0) -> Any:
    """Return the largest value; `index` makes strings of list items differ, as the keys of a map must."""
    if "enum" in schema:
        return schema["enum"][index % len(schema["enum"])]
    make = {"object": _fields, "array": _items, "string": _text}.get(schema["type"])
    return make(schema, index) if make else PLAIN[schema["type"]]


def _fields(schema: dict[str, Any], index: int) -> dict[str, Any]:
    if "additionalProperties" in schema:
        part = schema["additionalProperties"]
        return {f"{n:080}": fullest(part) for n in range(schema["maxProperties"])}
    return {name: fullest(part, index) for name, part in schema["properties"].items()}


def _items(schema: dict[str, Any], _: int) -> list[Any]:
    return [fullest(schema["items"], n) for n in range(_most(schema))]


def _most(schema: dict[str, Any]) -> int:
    """Return how many items a list may have; a map by an enum has as many as the enum has values."""
    keys = schema.get("x-kubernetes-list-map-keys", [])
    values = [schema["items"]["properties"][key].get("enum") for key in keys]
    limits = [len(enum) for enum in values if enum is not None]
    return int(min([schema["maxItems"], *limits]))


def _text(schema: dict[str, Any], index: int) -> str:
    if schema.get("format") == "date-time":
        return TIME
    if "pattern" in schema:
        text = BY_PATTERN[schema["pattern"]]
        return text[:-3] + f"{index:03}" if set(text[1:]) == {"a"} else text
    return f"{index:03}" + WIDE * (int(schema["maxLength"]) - 3)
