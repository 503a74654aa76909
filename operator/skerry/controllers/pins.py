"""Resolves tags to digests, concurrently with reconciles: a registry that does not answer delays no rollback.

A tag is resolved when the EdgeModel first names it, when its uri changes, and on a retry; then the
digest in the status holds. A tag that moves in the registry rolls nothing out by itself. What takes a
job to look up (`skerry.decide.build.fetches`) is none of this module's.

A pinned digest is asked for too, since it may name a model artifact, which no kubelet can mount. A
registry that does not answer the operator may answer kubelets: then it is taken for an image.

A registry that is busy or away is waited for: it is asked again with pauses, which it may ask for
itself, and the status reports its answer meanwhile. Only what lasts, or takes a person, is a problem.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from skerry.api.actions import retry_asked
from skerry.api.modelvariant import PinnedArtifact
from skerry.api.reasons import Cause, RegistryReason
from skerry.artifacts.registry import RegistryError, Resolved
from skerry.controllers.cache import Key  # noqa: TC001 - dataclass field
from skerry.decide.build.fetches import fetch_key, needs_job
from skerry.decide.build.state import BuildState
from skerry.decide.snapshot import Pin, Pins

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.api import EdgeModel
    from skerry.api.artifact import Artifact, Role
    from skerry.artifacts.registry import Registry

FIRST_PAUSE_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 60.0
"""Unless the registry asks for a longer one."""
STALLED_SECONDS = 600.0
"""What may pass by itself takes a person when it has lasted this long."""
QUICK_SECONDS = 0.25
"""A reconcile waits this long for a registry, once: one that is near saves it writing that it asks."""


class _NotNow(Exception):  # noqa: N818 - no error: what the pins wait for
    """The registry gave no digest; `failure` has the message, `asked` says that it is asked again."""

    def __init__(self, failure: _Failure, *, asked: bool) -> None:
        super().__init__(failure.message)
        self.failure, self.asked = failure, asked


class _Kit:
    """A model artifact: a job brings it in."""


@dataclass(frozen=True)
class _Failure:
    """What the registry said instead of a digest.

    Attributes:
        message: for people.
        passing: whether it may pass by itself.
        since: when it began to fail; the loop's time, as in `again_at`.
        count: failures in a row.
        again_at: when it is asked again.
        busy: whether the registry asked to be left alone for a while.
    """

    message: str
    passing: bool
    since: float
    count: int
    again_at: float
    busy: bool = False

    def lasts(self, now: float) -> bool:
        """Return whether the failure needs a person by now."""
        return not self.passing or now - self.since >= STALLED_SECONDS


@dataclass
class _Asked:
    """One answer of the registry, or the wait for it; with the failure before, which holds until then."""

    task: asyncio.Task[Resolved]
    at: float
    failure: _Failure | None = None
    noted: bool = False


@dataclass
class Pinner:
    """Remembers what was asked of the registry, by EdgeModel, reference and retry annotation."""

    registry: Registry
    wake: Callable[[Key], None]
    _asked: dict[tuple[Key, str, str], _Asked] = field(default_factory=dict)

    async def pins(self, key: Key, model: EdgeModel) -> Pins:
        """Return the digests as far as they are known; a slow one enqueues the EdgeModel when it arrives."""
        known = self._pins(key, model)
        if known.cause or known.known.keys() >= model.spec.artifacts.keys():
            return known
        now = asyncio.get_running_loop().time()
        asked = [one for (of, _, _), one in self._asked.items() if of == key]
        left = max((one.at + QUICK_SECONDS - now for one in asked), default=0.0)
        if left <= 0:
            return known
        await asyncio.wait([one.task for one in asked], timeout=left)
        return self._pins(key, model)

    def _pins(self, key: Key, model: EdgeModel) -> Pins:
        self._drop_others(key, model)
        try:
            found = {role: self._pin(key, model, role) for role in model.spec.artifacts}
        except _NotNow as missing:
            return _pins_of(missing.failure, asked=missing.asked)
        known = {role: Pin(one) for role, one in found.items() if isinstance(one, PinnedArtifact)}
        kits = frozenset(role for role, one in found.items() if isinstance(one, _Kit))
        return Pins(known, kits=kits)

    def remembered(self, key: Key) -> set[str]:
        """Return the EdgeModel's references that were asked for."""
        return {uri for of, uri, _ in self._asked if of == key}

    def forget(self, key: Key) -> None:
        """Forget a deleted EdgeModel."""
        for asked in [asked for asked in self._asked if asked[0] == key]:
            self._asked.pop(asked).task.cancel()

    def _drop_others(self, key: Key, model: EdgeModel) -> None:
        """Forget what the EdgeModel no longer names: its uris and nonces may change for ever."""
        nonce = retry_asked(model.metadata.annotations) or ""
        uris = {_reference(artifact) for artifact in model.spec.artifacts.values()}
        for asked in [
            a for a in self._asked if a[0] == key and not (a[1] in uris and a[2] == nonce)
        ]:
            self._asked.pop(asked).task.cancel()

    def _pin(self, key: Key, model: EdgeModel, role: Role) -> PinnedArtifact | _Kit | None:
        """Return what is known of an artifact; None while it is pending, or when a job finds it."""
        artifact = model.spec.artifacts[role]
        if needs_job(artifact):
            return None
        secret = artifact.credentials_secret_name
        if artifact.digest is not None and secret is not None:
            return PinnedArtifact(uri=artifact.uri, digest=artifact.digest, pull_secret_name=secret)
        nonce = retry_asked(model.metadata.annotations)
        known = model.status.artifact(role)
        if known and known.uri == artifact.uri and nonce == model.status.retry_nonce:
            if known.fetched is not None and known.fetched.key == fetch_key(artifact):
                return None
            is_image = known.fetched is None or known.fetched.image is None
            if is_image and artifact.digest in {None, known.digest}:
                return PinnedArtifact(uri=known.uri, digest=known.digest)
        found = self._seen(key, artifact, nonce or "")
        if found is None or found.is_kit:
            return _Kit() if found else None
        return PinnedArtifact(uri=artifact.uri, digest=found.digest)

    def _seen(self, key: Key, artifact: Artifact, nonce: str) -> Resolved | None:
        """Return the registry's answer; None while it is pending.

        Raises:
            _NotNow: it said no to a tag, or is busy; it is asked again after a while.
        """
        try:
            return self._ask(key, _reference(artifact), nonce)
        except _NotNow as missing:
            if artifact.digest is None or missing.failure.busy:
                raise
            return Resolved(artifact.digest)

    def _ask(self, key: Key, uri: str, nonce: str) -> Resolved | None:
        now = asyncio.get_running_loop().time()
        asked = self._asked.get((key, uri, nonce))
        if asked is None:
            self._asked[key, uri, nonce] = self._start(key, uri, now)
            return None
        if asked.task.done():
            error = asked.task.exception()
            if not isinstance(error, RegistryError):
                return asked.task.result()
            if not asked.noted:
                asked.failure, asked.noted = _failed(error, asked.failure, now), True
        failure = asked.failure
        if failure is None:
            return None
        if asked.task.done() and now >= failure.again_at:
            asked = self._asked[key, uri, nonce] = self._start(key, uri, now, failure)
        raise _NotNow(failure, asked=not asked.task.done())

    def _start(self, key: Key, uri: str, now: float, before: _Failure | None = None) -> _Asked:
        task = asyncio.create_task(self.registry.resolve(uri))
        task.add_done_callback(lambda _: self.wake(key))
        return _Asked(task, now, before)


def _reference(artifact: Artifact) -> str:
    """Return what the registry is asked for: the uri, with the digest where one is pinned."""
    return f"{artifact.uri}@{artifact.digest}" if artifact.digest else artifact.uri


def pause_after(failures: int, asked: float | None) -> float:
    """Return the seconds until the registry is asked again: longer each time, and at least what it asks for."""
    own = min(FIRST_PAUSE_SECONDS * failures, LONGEST_PAUSE_SECONDS)
    return max(own, asked or 0.0)


def _failed(error: RegistryError, before: _Failure | None, now: float) -> _Failure:
    """Return the failure after one more in a row; a kind of failure that passes starts a new row."""
    known = before if before is not None and before.passing == error.passing else None
    count = known.count + 1 if known else 1
    pause = pause_after(count, error.retry_after)
    at = datetime.now(UTC) + timedelta(seconds=pause)
    message = f"{error}, next try at {at:%H:%M:%S} UTC" if error.passing else str(error)
    since = known.since if known else now
    busy = error.retry_after is not None
    return _Failure(message, error.passing, since, count, now + pause, busy)


def _pins_of(failure: _Failure, *, asked: bool) -> Pins:
    """Return the pins without what is missing; while the registry is asked, its answer enqueues the EdgeModel."""
    now = asyncio.get_running_loop().time()
    again_in = None if asked else max(failure.again_at - now, 0.0)
    if failure.lasts(now):
        cause = Cause(RegistryReason.NOT_RESOLVED, failure.message)
        return Pins(state=BuildState.REJECTED, cause=cause, again_in=again_in)
    return Pins(cause=Cause(RegistryReason.WAITING, failure.message), again_in=again_in)
