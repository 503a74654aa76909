"""The chart's README: its introduction, and every value with its default, type and comment.

Types and limits are those of values.schema.json, defaults and comments those of values.yaml; where a
value has no comment, the schema's description stands.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml import MappingNode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = "<!-- values -->"
SOURCE = "README.tmpl.md"
HEAD = "| value | default | type | what it is |\n|---|---|---|---|\n"
Schema = dict[str, Any]


def render(chart: Path) -> str:
    """Return the whole file.

    Raises:
        ValueError: a value that the schema does not know, or that nobody has said anything about.
    """
    text = (chart / "values.yaml").read_text()
    schema = json.loads((chart / "values.schema.json").read_text())
    rows = list(_rows(text, schema))
    silent = [path for path, *_, said in rows if not said]
    if silent:
        raise ValueError(f"values.yaml says nothing about {', '.join(silent)}")
    table = HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return (chart.parent / "tools" / SOURCE).read_text().replace(MARK, table)


def _rows(text: str, schema: Schema) -> Iterator[tuple[str, str, str, str]]:
    """Yield path, default, type and meaning of each value, in the order of the file."""
    lines, defaults = text.splitlines(), yaml.safe_load(text)
    for path, line in _leaves(yaml.compose(text), schema, ()):
        part = _schema_of(schema, path)
        found = _resolved(schema, part)
        default = json.dumps(_at(defaults, path))
        meaning = _comment(lines, line) or found.get("description", "")
        yield f"`{'.'.join(path)}`", f"`{default}`", _type(found), meaning.replace("|", "\\|")


def _leaves(
    node: Any, part: Schema, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the path and line of each value; a part that the schema shares (a `$ref`) is one value."""
    for key, value in node.value:
        name, below = (*path, key.value), part["properties"][key.value]
        if isinstance(value, MappingNode) and "properties" in below:
            yield from _leaves(value, below, name)
        else:
            yield name, key.start_mark.line


def _comment(lines: list[str], line: int) -> str:
    """Return the comment right above a line, in one line."""
    found: list[str] = []
    while line > 0 and re.match(r"\s*#", lines[line - 1]):
        line -= 1
        found.insert(0, lines[line].strip().removeprefix("#").strip())
    return " ".join(found)


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values[name]
    return values


def _schema_of(schema: Schema, path: tuple[str, ...]) -> Schema:
    part = schema
    for name in path:
        part = _resolved(schema, part)["properties"][name]
    return part


def _resolved(root: Schema, part: Schema) -> Schema:
    """Return the part of the schema that a reference names."""
    if "$ref" not in part:
        return part
    found: Schema = root["definitions"][part["$ref"].rsplit("/", 1)[-1]]
    return found


def _type(part: Schema) -> str:
    kind = part["type"]
    named = " or ".join(kind) if isinstance(kind, list) else str(kind)
    low, high = part.get("minimum"), part.get("maximum")
    if low is None:
        return named
    return f"{named}, {low} to {high}" if high is not None else f"{named}, from {low}"
