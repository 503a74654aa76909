"""Finds protocols: Skerry's own, and those of the installed distributions."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from skerry_agent.protocols.open_inference import OPEN_INFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from skerry_agent.protocols.protocol import Protocol

GROUP = "skerry.protocols"

log = logging.getLogger(__name__)


class UnknownProtocol(ValueError):  # noqa: N818 - a finding: the agent continues without the server
    """Nobody brings the protocol; the message is for people."""


@cache
def known_protocols() -> Mapping[str, Protocol]:
    """Return the protocols of this environment by name; nobody else's takes the place of Skerry's own."""
    others = [one for entry in entry_points(group=GROUP) if (one := _load(entry)) is not None]
    own: dict[str, Protocol] = {OPEN_INFERENCE.name: OPEN_INFERENCE}
    return own | {one.name: one for one in sorted(others, key=lambda one: one.name)} | own


def _load(entry: EntryPoint) -> Protocol | None:
    """Return what a distribution brings; None where that fails, which is this protocol's fault alone."""
    try:
        found: Protocol = entry.load()
        log.debug("the protocol %s is that of %s", found.name, entry.value)
    except Exception:
        log.exception(
            "the protocol %s (%s) can't be loaded, so servers that use it are not judged here; mend"
            " or remove its distribution in the agent's image",
            entry.name,
            entry.value,
        )
        return None
    return found


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
