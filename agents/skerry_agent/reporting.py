"""What goes up to the API server: the EdgeNode's status on transitions, and the heartbeat."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import httpx

from skerry_agent import metrics
from skerry_agent.timeline import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.api.edgenode import EdgeNodeStatus
    from skerry_agent.kube import Api
    from skerry_agent.settings import Settings

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.5
GREATEST_BACKOFF_SECONDS = 15.0
RETRY_BEAT_SECONDS = 5.0


class Reporting:
    """Sends the last status offered, until it has arrived."""

    def __init__(self, api: Api, settings: Settings, back: Callable[[], None]) -> None:
        """`back` is called when the API server is there again."""
        self.api, self.settings, self.back = api, settings, back
        self.wanted: EdgeNodeStatus | None = None
        self.sent: EdgeNodeStatus | None = None
        self._news = asyncio.Event()
        self._connected = True

    def offer(self, status: EdgeNodeStatus) -> None:
        """The status as it is now; sent only when it differs from what was sent."""
        self.wanted = status
        if status != self.sent:
            self._news.set()

    async def run(self) -> None:
        """Reports and beats until cancelled."""
        await asyncio.gather(self._reports(), self._beats())

    async def _reports(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            await self._news.wait()
            self._news.clear()
            status = self.wanted
            if status is None or status == self.sent:
                continue
            try:
                await self.api.report(self.settings.node, status)
            except (httpx.HTTPError, OSError) as error:
                log.info("status not reported yet: %s", error)
                await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                backoff = min(2 * backoff, GREATEST_BACKOFF_SECONDS)
                self._news.set()
                continue
            backoff = FIRST_BACKOFF_SECONDS
            self.sent = status
            tell("reported", models=[_brief(model) for model in status.to_wire().get("models", [])])

    async def _beats(self) -> None:
        while True:
            seconds = self.settings.heartbeat_seconds
            try:
                await self.api.beat(self.settings.namespace, self.settings.node, seconds)
            except (httpx.HTTPError, OSError) as error:
                self._set_connected(connected=False)
                log.info("heartbeat not taken: %s", error)
                seconds = min(seconds, RETRY_BEAT_SECONDS)
            else:
                self._set_connected(connected=True)
            await asyncio.sleep(seconds * random.uniform(0.9, 1.0))  # noqa: S311 - jitter

    def _set_connected(self, *, connected: bool) -> None:
        metrics.CONNECTED.set(connected)
        if connected and not self._connected:
            tell("connected")
            self.back()
            self._news.set()
        elif self._connected and not connected:
            tell("disconnected")
        self._connected = connected


def _brief(model: dict[str, object]) -> dict[str, object]:
    candidate = model.get("candidate")
    state = candidate.get("state") if isinstance(candidate, dict) else None
    return {
        "model": f"{model['namespace']}.{model['name']}",
        "serving": model.get("serving"),
        "state": state,
    }
