"""Which writes the API server refused, and when each is tried again.

The pause grows for each object by itself: what is refused costs the others nothing, and an object that
is rendered in another way is tried at once. Kept in memory alone: after a restart each is tried once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from skerry.api.reasons import Cause
from skerry.cluster.advice import advise
from skerry.cluster.pace import backoff_seconds
from skerry.decide.refused import Concern, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.cluster.errors import ClusterError
    from skerry.controllers.cache import Key

FIRST_SECONDS = 1.0
GREATEST_SECONDS = 60.0
CONFLICTS_AT_ONCE = 5
MESSAGE_LENGTH = 600
"""Of the API server's words: advice and others' refusals still fit into a condition behind them."""
FLEET: Key = ("", "")
"""The owner of what the fleet loop writes for nodes and classes."""

DEFAULTS: Key = ("*", "")
"""The owner of the default HardwareClasses, which are made once."""

WriteId = tuple[str, str, str]


@dataclass(frozen=True)
class Entry:
    """One write at its last try.

    Attributes:
        body: a digest of what was refused.
        failures: in a row.
        until: when it is tried again, on the event loop's clock.
        refused: what to report.
    """

    body: str
    failures: int
    until: float
    refused: Refused


@dataclass
class Refusals:
    """All refused writes, by owner (an EdgeModel, or the fleet) and write."""

    _entries: dict[Key, dict[WriteId, Entry]] = field(default_factory=dict)

    def waiting(self, owner: Key, write: WriteId, body: object) -> Refused | None:
        """Return the refusal of this very body, while it is too early to try again."""
        entry = self._entries.get(owner, {}).get(write)
        if entry is None or entry.refused.cause is None or entry.until <= _now():
            return None
        return entry.refused if entry.body == digest_of(body) else None

    def note(self, owner: Key, write: WriteId, body: object, refused: Refused) -> None:
        """Remember that a write was refused; the next pause is longer than the last."""
        entries = self._entries.setdefault(owner, {})
        known = entries.get(write)
        failures = known.failures + 1 if known else 1
        pause = _pause(failures) if refused.cause else _after_conflict(failures)
        entries[write] = Entry(digest_of(body), failures, _now() + pause, refused)

    def clear(self, owner: Key, write: WriteId) -> None:
        """Forget a write that has succeeded."""
        entries = self._entries.get(owner, {})
        entries.pop(write, None)
        if not entries:
            self.forget(owner)

    def keep(self, owner: Key, writes: Iterable[WriteId]) -> None:
        """Forget all but these: a write that is no longer needed is no longer refused."""
        wanted = set(writes)
        kept = {w: e for w, e in self._entries.get(owner, {}).items() if w in wanted}
        self._entries[owner] = kept
        if not kept:
            self.forget(owner)

    def forget(self, owner: Key) -> None:
        """Forget everything of an owner."""
        self._entries.pop(owner, None)

    def of(self, owner: Key) -> tuple[Refused, ...]:
        """Return what is refused of an owner, in order of the objects' names."""
        entries = sorted(self._entries.get(owner, {}).items())
        return tuple(entry.refused for _, entry in entries)

    def namespaces(self) -> set[str]:
        """Return the namespaces in which something of the fleet loop is refused."""
        return {namespace for namespace, name in self._entries if namespace and not name} - {
            DEFAULTS[0]
        }

    def next_fleet_try(self) -> float | None:
        """Return the seconds until something of the fleet loop is tried again."""
        times = [self.next_try(owner) for owner in self._entries if not owner[1]]
        return min((time for time in times if time is not None), default=None)

    def next_try(self, owner: Key) -> float | None:
        """Return the seconds until one of them is tried again."""
        times = [entry.until for entry in self._entries.get(owner, {}).values()]
        return max(0.0, min(times) - _now()) if times else None


def namespace_owner(namespace: str) -> Key:
    """Return the owner of what the fleet loop writes for a namespace with EdgeModels."""
    return namespace, ""


def digest_of(body: object) -> str:
    """Return a digest of a rendered body: a changed body is tried at once."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def refused_by(error: ClusterError, kind: str, name: str, doing: str = "write") -> Refused:
    """Return the report of a refused write: the object, the API server's message, and advice.

    A conflict is nothing to report: somebody else wrote meanwhile, and the next reconcile sees what.
    """
    if error.status == HTTPStatus.CONFLICT:
        return Refused(kind, name, Concern.NOTHING)
    advice = advise(error.status, error.what)
    words = error.what if len(error.what) <= MESSAGE_LENGTH else f"{error.what[:MESSAGE_LENGTH]}…"
    message = f"cannot {doing} {kind} {name}: {words}; {advice.todo}"
    return Refused(
        kind, name, Concern.NOTHING, cause=Cause(advice.reason, message, stalls=advice.stalls)
    )


def concerning(refused: Refused, concern: Concern, hardware_class: str) -> Refused:
    """Return the refusal with the object that it belongs to."""
    return replace(refused, concern=concern, hardware_class=hardware_class)


def _pause(failures: int) -> float:
    grown = min(GREATEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 16))
    return grown * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret


def _after_conflict(failures: int) -> float:
    """Return the pause after a conflict: none, since the next reconcile sees the change, unless writers fight."""
    repeated = failures - CONFLICTS_AT_ONCE
    return backoff_seconds(repeated) if repeated > 0 else 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()
