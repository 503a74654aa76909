"""Looks up finished work in the registry, concurrently with reconciles: no job starts only to find its work done.

A registry that can't be asked without credentials is taken for one that holds nothing: the job looks
again, with the EdgeModel's own Secret (docs/adr/0019), and reports what is wrong. One that is busy or away
is asked again, with pauses: what is finished must not be done again because of it. When that has lasted
too long, the job starts and reports what is wrong.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from skerry.artifacts.registry import RegistryError
from skerry.controllers.cache import Key  # noqa: TC001 - dataclass field
from skerry.controllers.pins import QUICK_SECONDS, STALLED_SECONDS, pause_after
from skerry.decide.build.tries import retry_of
from skerry.decide.snapshot import Finished
from skerry.jobs.registry import result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from skerry.api import EdgeModel
    from skerry.artifacts.registry import Registry

PATIENCE_SECONDS = 5.0

logger = logging.getLogger(__name__)


@dataclass
class _Asked:
    """The questions of one EdgeModel, by tag; a change of the spec or a retry asks them again.

    Attributes:
        says: why there is no answer yet, by tag.
    """

    retry: str
    tasks: dict[str, asyncio.Task[Finished | None]] = field(default_factory=dict)
    until: float = 0.0
    says: dict[str, str] = field(default_factory=dict)

    def end(self) -> None:
        """Ask nothing more."""
        for task in self.tasks.values():
            task.cancel()


@dataclass
class Lookups:
    """Remembers what was looked up, by EdgeModel.

    Attributes:
        registry: to ask.
        repository: HOST/REPOSITORY that all EdgeModels share.
        wake: called with an EdgeModel's key when an answer comes.
    """

    registry: Registry
    repository: str
    wake: Callable[[Key], None]
    _asked: dict[Key, _Asked] = field(default_factory=dict)

    def answers(self, key: Key, model: EdgeModel) -> dict[str, Finished | None]:
        """Return the answers known by now, by tag."""
        asked = self._asked.get(key)
        if asked is None or asked.retry != retry_of(model):
            return {}
        return {tag: task.result() for tag, task in asked.tasks.items() if task.done()}

    def says(self, key: Key, model: EdgeModel) -> str:
        """Return why the registry has given no answer yet; an empty text before the first failure."""
        asked = self._asked.get(key)
        if asked is None or asked.retry != retry_of(model):
            return ""
        return next(iter(asked.says.values()), "")

    async def ask(self, key: Key, model: EdgeModel, tags: Iterable[str]) -> None:
        """Look at these tags, unless that was done; returns with the answers, or without slow ones."""
        retry = retry_of(model)
        asked = self._asked.get(key)
        if asked is None or asked.retry != retry:
            self.forget(key)
            asked = self._asked[key] = _Asked(retry)
        now = asyncio.get_running_loop().time()
        for tag in tags:
            if tag not in asked.tasks:
                asked.until = now + QUICK_SECONDS
                asked.tasks[tag] = asyncio.create_task(self._look(key, tag, asked.says))
                asked.tasks[tag].add_done_callback(lambda _: self.wake(key))
        if asked.tasks:
            await asyncio.wait(asked.tasks.values(), timeout=max(asked.until - now, 0.0))

    def forget_absent(self) -> None:
        """Ask again for what was not there: a job that has ended may have made it, for any EdgeModel."""
        for asked in self._asked.values():
            absent = [tag for tag, task in asked.tasks.items() if _is_absent(task)]
            for tag in absent:
                del asked.tasks[tag]

    def forget(self, key: Key) -> None:
        """Forget an EdgeModel that is deleted or asks for something else."""
        asked = self._asked.pop(key, None)
        if asked is not None:
            asked.end()

    async def _look(self, key: Key, tag: str, says: dict[str, str]) -> Finished | None:
        image = f"{self.repository}:{tag}"
        until, failures = asyncio.get_running_loop().time() + STALLED_SECONDS, 0
        while True:
            try:
                found = await self._find(image)
            except RegistryError as error:
                failures += 1
                pause = pause_after(failures, error.retry_after)
                if error.passing and asyncio.get_running_loop().time() + pause <= until:
                    at = datetime.now(UTC) + timedelta(seconds=pause)
                    says[tag] = f"{error}, next try at {at:%H:%M:%S} UTC"
                    self.wake(key)
                    await asyncio.sleep(pause)
                    continue
                logger.info("%s: not looked up, a job will do it: %s", image, error)
                found = None
            says.pop(tag, None)
            break
        if found is None:
            return None
        digest, manifest = found
        result = result_of(manifest)
        return Finished(digest, result) if result is not None else None

    async def _find(self, image: str) -> tuple[str, dict[str, Any]] | None:
        """Return the registry's answer, within the time limit."""
        try:
            return await asyncio.wait_for(self.registry.find(image), PATIENCE_SECONDS)
        except TimeoutError as error:
            what = f"the registry gave no answer within {PATIENCE_SECONDS:.0f} s"
            raise RegistryError(what, image, "it is asked again by itself", passing=True) from error


def _is_absent(task: asyncio.Task[Finished | None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None and not task.result()
