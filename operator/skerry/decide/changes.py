"""What a change of a spec leads to, field by field: product.md's "What makes a revision" as a table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.api.edgemodel import EdgeModelSpec

BUILD = "built, measured and rolled out anew in every class"
AT_ONCE = "takes effect at once, no new revision"
GATED = "applied to the stored trials; a new build only where another candidate wins"

EFFECTS = (
    ("source", BUILD),
    ("evaluation", BUILD),
    ("targets", "classes that come are built and rolled out, classes that go are withdrawn"),
    ("optimization.search.trials", BUILD),
    ("optimization.search.timeLimit", "takes effect with the next build"),
    ("optimization.search.weights", GATED),
    ("gates", GATED),
    ("serving", "measured again under these limits, a new revision, rolled out in waves"),
    ("rollout", AT_ONCE),
    ("guard", AT_ONCE),
    ("suspend", AT_ONCE),
)
UNKNOWN = "the operator decides"


@dataclass(frozen=True)
class Change:
    """One field that differs; `was` and `now` are None where it is not set."""

    field: str
    was: Any
    now: Any
    effect: str


def changes(before: EdgeModelSpec, after: EdgeModelSpec) -> tuple[Change, ...]:
    """The fields that differ, in the order of the schema, and what comes of each."""
    old, new = dict(_flat(before.to_wire())), dict(_flat(after.to_wire()))
    return tuple(
        Change(field, old.get(field), new.get(field), effect_of(field))
        for field in dict.fromkeys([*old, *new])
        if old.get(field) != new.get(field)
    )


def effect_of(field: str) -> str:
    """What a change of this field (dotted, in camelCase) leads to."""
    found = (effect for prefix, effect in EFFECTS if f"{field}.".startswith(f"{prefix}."))
    return next(found, UNKNOWN)


def _flat(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by dotted path; a list is a leaf."""
    for name, part in value.items():
        place = f"{path}.{name}" if path else name
        if isinstance(part, dict):
            yield from _flat(part, place)
        else:
            yield place, part
