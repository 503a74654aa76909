"""Finds protocols: Skerry's own, and those of the installed distributions."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from skerry_agent.protocols.open_inference import OPEN_INFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from skerry_agent.protocols.protocol import Protocol

GROUP = "skerry.protocols"


class UnknownProtocol(ValueError):  # noqa: N818 - a finding: the agent continues without the server
    """Nobody brings the protocol; the message is for people."""


@cache
def known_protocols() -> Mapping[str, Protocol]:
    """Return the protocols of this environment by name; nobody else's takes the place of Skerry's own."""
    loaded = (_loaded(entry) for entry in entry_points(group=GROUP))
    others = [one for one in loaded if not isinstance(one, str)]
    own: dict[str, Protocol] = {OPEN_INFERENCE.name: OPEN_INFERENCE}
    return own | {one.name: one for one in sorted(others, key=lambda one: one.name)} | own


def damaged_protocols() -> list[str]:
    """Return a sentence for each distribution whose protocol can't be loaded."""
    loaded = (_loaded(entry) for entry in entry_points(group=GROUP))
    return [why for why in loaded if isinstance(why, str)]


@cache
def _loaded(entry: EntryPoint) -> Protocol | str:
    """Return what a distribution brings, or why that fails; the other protocols are not its affair."""
    try:
        found: Protocol = entry.load()
        has_name = bool(found.name)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's module raises
        return (
            f"the protocol of {entry.value} can't be loaded ({type(error).__name__}: {error}), so"
            " servers that use it are not judged; mend or remove its distribution in the agent's image"
        )
    return found if has_name else f"the protocol of {entry.value} has no name"


def protocol_of(name: str) -> Protocol:
    """Return a protocol by name.

    Raises:
        UnknownProtocol: It is not Skerry's, and no distribution has an entry point for it.
    """
    known = known_protocols()
    if name not in known:
        raise UnknownProtocol(
            f"this agent does not know the protocol {name} (it knows {', '.join(known)})"
        )
    return known[name]
