"""A page for each kind: every field with type, bounds, default, meaning and the rules that it must hold.

Made from the schema that the API server gets (`skerry.api.crd`), not from the models behind it, so that
the page says what is checked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docs.tools.table import code, table
from skerry.api.common import API_VERSION
from skerry.api.crd import open_api_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.api.common import Resource

Schema = dict[str, Any]

RULES = "x-kubernetes-validations"
KEYS = "x-kubernetes-list-map-keys"
BOUNDS = (
    ("minimum", "maximum", ""), ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " keys"), ("minLength", "maxLength", " characters"),
)  # fmt: skip


@dataclass(frozen=True)
class FieldRow:
    """One field of a kind.

    Attributes:
        path: dotted, from the kind's root; `[]` behind a list, `{}` behind a map.
        rules: messages of the rules that the API server checks beyond the type.
    """

    path: str
    type: str
    default: str
    text: str
    rules: tuple[str, ...]
    required: bool

    def cells(self) -> tuple[str, str, str, str]:
        """Return the cells of the field's row in the table."""
        default = "**required**" if self.required else code(self.default)
        rule_lines = "".join(f"<br>*Rule:* {rule}" for rule in self.rules)
        return code(self.path), self.type, default, self.text + rule_lines


def render(kind: type[Resource]) -> str:
    """Return the page of one kind."""
    schema, info = open_api_schema(kind), kind.info
    parts = schema["properties"]
    text = f"# {kind.__name__}\n\n{parts.get('description', '') or schema['description']}\n\n"
    scope = "in a namespace" if info.scope == "Namespaced" else "of the whole cluster"
    text += f"`{API_VERSION}`, {scope}; `kubectl get {info.plural}` or `{info.short}`.\n"
    columns = ", ".join(
        column.name + (" (with `-o wide`)" if column.priority else "") for column in info.columns
    )
    text += f"Columns: {columns}.\n"
    own = tuple(map(_rule, schema.get(RULES, ())))
    text += "".join(f"\n*Rule:* {message}\n" for message in own)
    for name, heading in (("spec", "Spec"), ("status", "Status")):
        if name in parts:
            text += f"\n## {heading}\n\n{_section(name, parts[name], with_default=name == 'spec')}"
    return text


def rows(path: str, schema: Schema, *, required: bool) -> Iterator[FieldRow]:
    """Yield the field and all below it, in the order of the schema."""
    children = _children(schema)
    # The parts of an object show its default.
    default = None if children else schema.get("default")
    yield FieldRow(
        path=path,
        type=_type(schema),
        default="" if default is None else _json(default),
        text=_text(schema),
        rules=tuple(map(_rule, _rules(schema))),
        required=required,
    )
    for suffix, name, child, needed in children:
        yield from rows(f"{path}{suffix}.{name}", child, required=needed)


def _section(name: str, schema: Schema, *, with_default: bool) -> str:
    first, *others = rows(name, schema, required=False)
    rules = "".join(f"\n*Rule:* {rule}\n" for rule in first.rules)
    if with_default:
        cells = [row.cells() for row in others]
        return f"{first.text}\n{rules}\n" + table(("field", "type", "default", "what it is"), cells)
    shown = [(code(row.path), row.type, row.text) for row in others]
    return f"{first.text}\n\n" + table(("field", "type", "what it is"), shown)


def _children(schema: Schema) -> list[tuple[str, str, Schema, bool]]:
    """Return what lies below a field: suffix of its path, name, schema, whether it must be given."""
    suffix, inner = "", schema
    while "items" in inner or isinstance(inner.get("additionalProperties"), dict):
        suffix += "[]" if "items" in inner else "{}"
        inner = inner.get("items") or inner["additionalProperties"]
    needed = inner.get("required", ())
    return [
        (suffix, name, part, name in needed) for name, part in inner.get("properties", {}).items()
    ]


def _type(schema: Schema) -> str:
    kind = schema.get("type", "any")
    if "items" in schema:
        kind = f"list of {_plain(schema['items'])}"
    elif isinstance(schema.get("additionalProperties"), dict):
        kind = f"map of {_plain(schema['additionalProperties'])}"
    elif "enum" in schema:
        kind = "one of " + ", ".join(code(str(value)) for value in schema["enum"])
    elif schema.get("format") == "date-time":
        kind = "time, in the years 1970 to 2199"
    elif "pattern" in schema:
        kind = f"{kind} {code(schema['pattern'])}"
    said = [_bounds(schema.get(least), schema.get(most)) + unit
            for least, most, unit in BOUNDS if least in schema or most in schema]  # fmt: skip
    if KEYS in schema:
        said.append("one for each " + " and ".join(code(key) for key in schema[KEYS]))
    return ", ".join([kind, *said])


def _bounds(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"at most {most}" if least is None else f"at least {least}"


def _rule(rule: Schema) -> str:
    """Return the rule as the API server reports it: the field, then what is wrong."""
    place = str(rule.get("fieldPath", "")).lstrip(".")
    return f"{code(place)} {rule['message']}".strip()


def _plain(schema: Schema) -> str:
    """Return the type in words, with that of a list's or map's items; an object's fields have their own rows."""
    return "objects" if "properties" in schema else _type(schema)


def _rules(schema: Schema) -> list[Schema]:
    """Return the rules of the field and, for a list or map, of its items."""
    inner = schema.get("items") or schema.get("additionalProperties")
    own: list[Schema] = list(schema.get(RULES, ()))
    return own + (_rules(inner) if isinstance(inner, dict) else [])


def _text(schema: Schema) -> str:
    text = str(schema.get("description", ""))
    inner = schema.get("items")
    return text or (_text(inner) if isinstance(inner, dict) else "")


def _json(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)
