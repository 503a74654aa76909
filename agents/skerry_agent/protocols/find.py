"""Finds protocols: Skerry's own, and those of the installed distributions."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from skerry import plugins
from skerry_agent.protocols.open_inference import OPEN_INFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry_agent.protocols.protocol import Protocol

GROUP = "skerry.protocols"


class UnknownProtocol(ValueError):  # noqa: N818 - a finding: the agent continues without the server
    """Nobody brings the protocol; the message is for people."""


@cache
def known_protocols() -> Mapping[str, Protocol]:
    """Return the protocols of this environment by name; nobody else's takes the place of Skerry's own."""
    own: dict[str, Protocol] = {OPEN_INFERENCE.name: OPEN_INFERENCE}
    return own | {one.name: one for one in plugins.loaded(GROUP)} | own


def damaged_protocols() -> list[str]:
    """Return a sentence for each distribution whose protocol can't be loaded."""
    return [
        f"the protocol of {why}, so servers that use it are not judged; mend or remove its"
        " distribution in the agent's image"
        for why in plugins.damaged(GROUP)
    ]


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
