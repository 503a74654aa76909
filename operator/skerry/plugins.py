"""What installed distributions bring by entry points; one that fails to load is its own affair."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def loaded(group: str) -> list[Any]:
    """Return what can be loaded of a group of entry points, by name."""
    found = (_load(entry) for entry in entry_points(group=group))
    return sorted((one for one in found if not isinstance(one, str)), key=lambda one: one.name)


def damaged(group: str) -> list[str]:
    """Return a sentence for each entry point of a group that can't be loaded, beginning with its place."""
    found = (_load(entry) for entry in entry_points(group=group))
    return [why for why in found if isinstance(why, str)]


@cache
def _load(entry: EntryPoint) -> Any:
    """Return what an entry point names, which must have a name itself; else why that fails."""
    try:
        found = entry.load()
        has_name = bool(found.name)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's module raises
        return f"{entry.value} can't be loaded ({type(error).__name__}: {error})"
    return found if has_name else f"{entry.value} has no name"
