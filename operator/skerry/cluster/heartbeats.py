"""Which agents beat: when this process saw each of them renew its Lease, by the lists that succeeded.

A device's own clock decides nothing: the time that it writes is compared with the one before, never
read. Neither does the time since the last list: who is silent is known as of that list, and a list
that failed, or came much too late, gives every agent its whole patience again, since agents could not
renew either. Pure: times come from the caller.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LIST_SECONDS = 60.0
HEARTBEATS_MISSED = 3
"""An agent is silent after so many heartbeats, and so many lists in a row without a new one."""

GAP_SECONDS = 1.5 * LIST_SECONDS
"""Lists that are further apart count as an outage: this process or the API server stood still."""

RECENT_PERIODS = 2
"""Heartbeats for which an agent that was seen to renew counts as certainly alive."""

FIRST_BEAT_SECONDS = 600.0
"""When an agent that never beat counts as silent. Waves leave its node out before, once it is known when the
node joined (`controllers.agentless`)."""


@dataclass(frozen=True)
class Moment:
    """Now, twice: `wall` to compare with times that are written down, `seconds` for durations."""

    wall: datetime
    seconds: float

    @classmethod
    def now(cls) -> Moment:
        """Return this moment."""
        return cls(datetime.now(UTC), time.monotonic())


@dataclass(frozen=True)
class Renewal:
    """An agent's Lease as listed: which one, and what its agent last wrote (opaque)."""

    uid: str
    renewed: str


@dataclass(frozen=True)
class Silence:
    """An agent that does not beat.

    Attributes:
        since: when it was last seen alive; None when this process never saw it renew.
        seconds: for how long, as of the last list; 0 while lists have not worked for long enough.
    """

    since: datetime | None
    seconds: float


@dataclass(frozen=True)
class _Beat:
    """One node's agent.

    Attributes:
        node: uid of the Node: another of its name has no past.
        seen: the renewal as last listed; None: it has no Lease.
        changed: when this process saw it change, or saw the node for the first time.
        renewed: when this process saw it renew, in seconds; None: it never did.
        missed: lists since, without a change.
    """

    node: str
    seen: Renewal | None
    changed: Moment
    renewed: float | None = None
    missed: int = 0


@dataclass
class Heartbeats:
    """All agents' heartbeats, by node."""

    period: float = LIST_SECONDS
    _beats: dict[str, _Beat] = field(default_factory=dict)
    _listed: float | None = None
    _working_since: float = 0.0
    _failed: bool = False

    @property
    def patience(self) -> float:
        """How long an agent may be silent."""
        return HEARTBEATS_MISSED * self.period + LIST_SECONDS

    def note(
        self, leases: Mapping[str, Renewal], nodes: Mapping[str, str], now: Moment
    ) -> frozenset[str]:
        """Take in a list of Leases; nodes whose agent has fallen silent or is back are returned.

        Args:
            leases: by node.
            nodes: uids of the Nodes, by name; all others are forgotten.
            now: when the list was asked for.
        """
        before = self._silent()
        if self._listed is None or self._failed or now.seconds - self._listed > GAP_SECONDS:
            self._resume(now)
        self._failed, self._listed = False, now.seconds
        self._beats = {
            name: self._next(self._beats.get(name), uid, leases.get(name), now)
            for name, uid in nodes.items()
        }
        return frozenset(before ^ self._silent()) & nodes.keys()

    def failed(self) -> None:
        """Remember that a list failed: agents may not have been able to renew either."""
        self._failed = True

    def silence(self, name: str, uid: str) -> Silence | None:
        """Return the silence of the agent on this Node; None while it renews its Lease, or may still begin to."""
        beat = self._beats.get(name)
        if beat is None or beat.node != uid or not self._is_silent(beat):
            return None
        since = beat.changed.wall if beat.renewed is not None else None
        return Silence(since, self._listed_after(beat.changed.seconds) if self.is_settled else 0.0)

    def may_beat(self, name: str, uid: str) -> bool:
        """Return whether the agent on this Node has a Lease, or no list has shown yet whether it has one."""
        beat = self._beats.get(name)
        return beat is None or beat.node != uid or beat.seen is not None

    def renewed_lately(self, name: str, uid: str) -> bool:
        """Return whether the agent on this Node renewed its Lease lately, by this process's own clock."""
        beat = self._beats.get(name)
        if beat is None or beat.node != uid or beat.renewed is None:
            return False
        return self._listed_after(beat.renewed) <= RECENT_PERIODS * self.period

    def seconds_since_list(self, now: Moment) -> float:
        """Return the age of the last list; what happened since then is unknown."""
        return now.seconds - self._listed if self._listed is not None else 0.0

    @property
    def is_settled(self) -> bool:
        """Whether lists have worked for so long that every agent had its chance to renew."""
        return self._listed_after(self._working_since) >= self.patience

    def _resume(self, now: Moment) -> None:
        """Begin again after an outage: who was not silent before it has its whole patience."""
        self._working_since = now.seconds
        self._beats = {
            name: beat if self._is_silent(beat) else replace(beat, changed=now, missed=0)
            for name, beat in self._beats.items()
        }

    def _next(self, known: _Beat | None, node: str, seen: Renewal | None, now: Moment) -> _Beat:
        if known is None or known.node != node:
            return _Beat(node, seen, now)
        if seen == known.seen or seen is None:
            return replace(known, missed=known.missed + 1)
        return _Beat(node, seen, now, renewed=now.seconds)

    def _silent(self) -> set[str]:
        return {name for name, beat in self._beats.items() if self._is_silent(beat)}

    def _is_silent(self, beat: _Beat) -> bool:
        patience = self.patience if beat.seen else max(self.patience, FIRST_BEAT_SECONDS)
        late = self._listed_after(beat.changed.seconds) > patience
        return late and beat.missed >= HEARTBEATS_MISSED

    def _listed_after(self, moment: float) -> float:
        return self._listed - moment if self._listed is not None else 0.0
