"""The effect of a changed spec, field by field: product.md's "What makes a revision" as a table. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.api.edgemodel import EdgeModelSpec

BUILD = "builds, measures and rolls out again in every class"
AT_ONCE = "takes effect at once, no new revision"
GATED = "applied to the stored results of each engine; a new build only if another recipe wins"
CLASSES = "an added class is built and rolled out, a removed one is withdrawn"
ENGINE = "an added engine builds, unless its build exists; another winner makes a new revision"

EFFECTS = (
    ("source", BUILD),
    ("evaluation", BUILD),
    ("targets.engine", ENGINE),
    ("targets", CLASSES),
    ("optimization.search.maxRecipes", BUILD),
    ("optimization.search.timeLimit", "takes effect with the next build"),
    ("optimization.search.weights", GATED),
    ("gates", GATED),
    ("serving", "measured again under these limits; a new revision, rolled out in waves"),
    ("rollout", AT_ONCE),
    ("guard", AT_ONCE),
    ("suspend", AT_ONCE),
)
UNKNOWN = "the operator decides"
_NAMED = re.compile(r"\[[^]]*\]")


@dataclass(frozen=True)
class Change:
    """One field that differs; `was` and `now` are None where it is not set.

    A target is named by its class, `targets[x86-a].engine`; an added or removed one is one field.
    """

    field: str
    was: Any
    now: Any
    effect: str


def changes(before: EdgeModelSpec, after: EdgeModelSpec) -> tuple[Change, ...]:
    """Return the fields that differ, in the order of the schema, and the effect of each."""
    old, new = before.to_wire(), after.to_wire()
    both = _classes(old) & _classes(new)
    was, now = dict(_flat(_by_class(old, both))), dict(_flat(_by_class(new, both)))
    return tuple(
        Change(field, was.get(field), now.get(field), effect_of(field))
        for field in dict.fromkeys([*was, *now])
        if was.get(field) != now.get(field)
    )


def effect_of(field: str) -> str:
    """Return what a change of this field (dotted, in camelCase) leads to."""
    plain = _NAMED.sub("", field) + "."
    found = (effect for prefix, effect in EFFECTS if plain.startswith(f"{prefix}."))
    return next(found, UNKNOWN)


def _classes(spec: dict[str, Any]) -> set[str]:
    return {target["hardwareClassName"] for target in spec["targets"]}


def _by_class(spec: dict[str, Any], both: set[str]) -> dict[str, Any]:
    """Return the spec with a field for each target: of its parts where it is in `both`, else as a leaf."""
    flat: dict[str, Any] = {}
    for name, value in spec.items():
        if name != "targets":
            flat[name] = value
            continue
        for target in value:
            parts = {key: part for key, part in target.items() if key != "hardwareClassName"}
            known = target["hardwareClassName"] in both
            flat[f"targets[{target['hardwareClassName']}]"] = parts if known else str(parts["engine"])
    return flat


def _flat(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield leaves by dotted path; a list is a leaf."""
    for name, part in value.items():
        place = f"{path}.{name}" if path else name
        if isinstance(part, dict):
            yield from _flat(part, place)
        else:
            yield place, part
