"""Digests of tags, asked for beside the passes: a registry that does not answer delays no rollback.

A tag is resolved when the EdgeModel first names it, when its uri changes, and on a retry; then the
digest in the status holds. A tag that moves in the registry rolls nothing out by itself. What takes a
job to look up (`skerry.decide.fetches`) is none of this module's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skerry.api.edgemodel import ANNOTATION_RETRY
from skerry.api.modelvariant import PinnedArtifact
from skerry.artifacts.registry import RegistryError
from skerry.cluster.fleet import Key  # noqa: TC001 - dataclass field
from skerry.decide.fetches import needs_job
from skerry.decide.snapshot import Pins

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.api import EdgeModel
    from skerry.api.artifact import Artifact
    from skerry.artifacts.registry import Registry

FAILURE_HOLDS_SECONDS = 20.0
QUICK_SECONDS = 0.25
"""A pass waits this long for a registry, once: one that is near saves it writing that it asks."""


@dataclass
class _Asked:
    """One answer of the registry, or the wait for it."""

    task: asyncio.Task[str]
    at: float


@dataclass
class Pinner:
    """Remembers what was asked of the registry, by EdgeModel, uri and retry annotation."""

    registry: Registry
    wake: Callable[[Key], None]
    _asked: dict[tuple[Key, str, str], _Asked] = field(default_factory=dict)

    async def pins(self, key: Key, model: EdgeModel) -> Pins:
        """The digests as far as they are known; the queue hears of the EdgeModel when a slow one comes."""
        known = self._pins(key, model)
        if known.problem or (known.source and known.dataset):
            return known
        now = asyncio.get_running_loop().time()
        asked = [one for (of, _, _), one in self._asked.items() if of == key]
        left = max((one.at + QUICK_SECONDS - now for one in asked), default=0.0)
        if left <= 0:
            return known
        await asyncio.wait([one.task for one in asked], timeout=left)
        return self._pins(key, model)

    def _pins(self, key: Key, model: EdgeModel) -> Pins:
        status = model.status
        self._drop_others(key, model)
        try:
            source = self._pin(
                key, model, model.spec.source, (status.source_uri, status.source_digest)
            )
            known = (status.dataset_uri, status.dataset_digest)
            dataset = self._pin(key, model, model.spec.evaluation.dataset, known)
        except RegistryError as error:
            return Pins(problem=str(error))
        return Pins(source, dataset)

    def remembered(self, key: Key) -> set[str]:
        """The uris of the EdgeModel that were asked for."""
        return {uri for of, uri, _ in self._asked if of == key}

    def forget(self, key: Key) -> None:
        """The EdgeModel is gone."""
        for asked in [asked for asked in self._asked if asked[0] == key]:
            self._asked.pop(asked).task.cancel()

    def _drop_others(self, key: Key, model: EdgeModel) -> None:
        """Forget what the EdgeModel no longer names: its uris and nonces may change for ever."""
        nonce = model.metadata.annotations.get(ANNOTATION_RETRY) or ""
        uris = {model.spec.source.uri, model.spec.evaluation.dataset.uri}
        for asked in [
            a for a in self._asked if a[0] == key and not (a[1] in uris and a[2] == nonce)
        ]:
            self._asked.pop(asked).task.cancel()

    def _pin(
        self, key: Key, model: EdgeModel, artifact: Artifact, known: tuple[str | None, str | None]
    ) -> PinnedArtifact | None:
        if needs_job(artifact):
            return None
        if artifact.digest is not None:
            return PinnedArtifact(
                uri=artifact.uri, digest=artifact.digest, pull_secret=artifact.credentials_secret
            )
        nonce = model.metadata.annotations.get(ANNOTATION_RETRY)
        uri, digest = known
        if uri == artifact.uri and digest is not None and nonce == model.status.retry_nonce:
            return PinnedArtifact(uri=uri, digest=digest)
        resolved = self._ask(key, artifact.uri, nonce or "")
        return PinnedArtifact(uri=artifact.uri, digest=resolved) if resolved else None

    def _ask(self, key: Key, uri: str, nonce: str) -> str | None:
        """The registry's answer; None while it is awaited.

        Raises:
            RegistryError: when it said no; it is asked again after a while.
        """
        now = asyncio.get_running_loop().time()
        asked = self._asked.get((key, uri, nonce))
        if asked is None or _is_stale(asked, now):
            task = asyncio.create_task(self.registry.resolve(uri))
            task.add_done_callback(lambda _: self.wake(key))
            self._asked[key, uri, nonce] = _Asked(task, now)
            return None
        return asked.task.result() if asked.task.done() else None


def _is_stale(asked: _Asked, now: float) -> bool:
    failed = asked.task.done() and asked.task.exception() is not None
    return failed and now - asked.at > FAILURE_HOLDS_SECONDS
