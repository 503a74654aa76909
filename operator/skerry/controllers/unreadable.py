"""Objects that can't be read: remembered, counted, logged once, and reported on the object.

A scope is whoever reads: the list or watch of a kind, or the reconcile of one EdgeModel. Each scope knows
what it can't read at the moment; the metric counts objects, however many scopes meet them.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from skerry.controllers import metrics
from skerry.controllers.cache import Key, key_of, version_of
from skerry.controllers.reading import read
from skerry.decide.unreadable import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from skerry.cluster.client import Cluster, Object
    from skerry.cluster.kinds import Kind
    from skerry.controllers.cache import Store
    from skerry.controllers.reading import Partly, Unreadable

T = TypeVar("T")
Scope = str | Key
_Name = tuple[str, Key]

logger = logging.getLogger(__name__)


@dataclass
class Reading:
    """Reads objects one by one and remembers those that can't be read.

    Attributes:
        found: all of them, those that were read in parts included.
    """

    found: list[Unreadable] = field(default_factory=list)

    def read(
        self, kind: str, item: Object, parse: Callable[[Object], T | Partly[T] | None]
    ) -> T | None:
        """Return the object without the parts that can't be read; None when it can't be read at all."""
        value, unreadable = read(kind, item, parse)
        if unreadable is not None:
            self.found.append(unreadable)
        return value

    @property
    def left_out(self) -> list[Unreadable]:
        """Return those of which nothing could be read."""
        return [one for one in self.found if not one.partly]


@dataclass
class Unreadables:
    """What can't be read at the moment, by scope."""

    _found: dict[Scope, dict[_Name, Unreadable]] = field(default_factory=dict)
    _logged: dict[_Name, set[tuple[str, ...]]] = field(default_factory=dict)

    def keep(
        self,
        scope: str,
        kind: str,
        item: Object,
        parse: Callable[[Object], T | Partly[T] | None],
        store: Store[T],
    ) -> tuple[T | None, T | None]:
        """Read an object that a watch brought, into the cache.

        Returns:
            What was known before, and what it is now; None for not there or not readable.
        """
        value, unreadable = read(kind, item, parse)
        self._set(scope, (kind, key_of(item)), unreadable)
        key, version = key_of(item), version_of(item)
        if value is None:
            return store.leave_out(key, version), None
        return store.put(key, version, value), value

    def note(self, scope: Scope, found: Iterable[Unreadable]) -> None:
        """Take these as all that the scope can't read now."""
        known = {(one.kind, one.key): one for one in found}
        before = self._found.pop(scope, {})
        if known:
            self._found[scope] = known
        for name, one in known.items():
            self._log(name, one)
        if known or before:
            self._count()

    def forget(self, scope: str, kind: str, key: Key) -> None:
        """Forget an object that is gone."""
        self._set(scope, (kind, key), None)

    def left_out(self, scope: Scope) -> list[Unreadable]:
        """Return those of a scope of which nothing could be read."""
        return [one for one in self._found.get(scope, {}).values() if not one.partly]

    def _set(self, scope: str, name: _Name, unreadable: Unreadable | None) -> None:
        before = self._found.get(scope, {})
        if unreadable is not None or name in before:
            others = [one for other, one in before.items() if other != name]
            self.note(scope, others if unreadable is None else [*others, unreadable])

    def _log(self, name: _Name, unreadable: Unreadable) -> None:
        """Log once for each version of the object, not on each reconcile."""
        logged = self._logged.setdefault(name, set())
        if unreadable.identity not in logged:
            logged.clear()
            logged.add(unreadable.identity)
            logger.error("%s", unreadable)

    def _count(self) -> None:
        names = {name for found in self._found.values() for name in found}
        for name in self._logged.keys() - names:
            del self._logged[name]
        counts = Counter(kind for kind, _ in names)
        for kind in metrics.READ_KINDS:
            metrics.UNREADABLE.labels(kind).set(counts[kind])


async def report(cluster: Cluster, kind: Kind, item: Object, message: str) -> None:
    """Say in the object's conditions that it can't be read, unless they say so already.

    The status is sent whole, as it was found: this field manager owns all of it, and a field that a
    server-side apply leaves out is removed.
    """
    status = status_of({**item, "kind": kind.name}, message, datetime.now(UTC))
    if status == item.get("status"):
        return
    metadata = item["metadata"]
    named = ("name", "namespace", "uid", "resourceVersion")
    identity = {key: metadata[key] for key in named if key in metadata}
    await cluster.apply(kind, {"metadata": identity, "status": status}, subresource="status")
