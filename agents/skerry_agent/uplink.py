"""What the agent sends to the API server: the EdgeNode's status on transitions, and the heartbeat.

What was sent belongs to one EdgeNode by its uid. One that is created again gets the whole report, and so does
one whose stored status somebody else changed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx

from skerry_agent import metrics
from skerry_agent.kube import pause
from skerry_agent.timeline import emit

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.api.edgenode import EdgeNodeStatus
    from skerry_agent.kube import Api
    from skerry_agent.settings import Settings

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.5
GREATEST_BACKOFF_SECONDS = 15.0
RETRY_BEAT_SECONDS = 5.0
CORRECTION_SECONDS = 10.0
"""Between two corrections of a status that somebody else writes: two writers must not race."""
NOT_TAKEN = (httpx.HTTPError, OSError, ValueError, LookupError, TypeError)


class Uplink:
    """Sends the last status offered, until it has arrived.

    Attributes:
        uid: of the EdgeNode that has what was sent.
        stored: the EdgeNode's status as the API server stored it then.
    """

    def __init__(self, api: Api, settings: Settings, back: Callable[[], None]) -> None:
        """Remember `back`, which is called when the API server is reachable again."""
        self.api, self.settings, self.back = api, settings, back
        self.wanted: EdgeNodeStatus | None = None
        self.sent: EdgeNodeStatus | None = None
        self.uid = ""
        self.stored: Any = None
        self._version = 0
        self._seen_uid = ""
        self._corrected_at = -CORRECTION_SECONDS
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._connected = True

    def offer(self, status: EdgeNodeStatus) -> None:
        """Take the current status; it is sent only when it differs from what was sent."""
        self.wanted = status
        if status != self.sent:
            self._news.set()

    def observe(self, node: dict[str, Any] | None) -> None:
        """Compare the EdgeNode that the API server has (None: there is none) with what was sent."""
        if node is None:
            self._send_again("")
            return
        metadata = node["metadata"]
        if metadata.get("uid", "") != self._seen_uid:
            self._seen_uid = metadata.get("uid", "")
            self._hurry.set()
        if self.sent is None or _version(metadata) <= self._version:
            return  # older than what was sent
        if metadata.get("uid", "") != self.uid:
            self._send_again(f"EdgeNode {metadata['name']} was created again: reporting everything")
        elif node.get("status") != self.stored:
            now = monotonic()
            if now - self._corrected_at >= CORRECTION_SECONDS:
                self._corrected_at = now
                self._send_again(f"somebody else wrote the status of EdgeNode {metadata['name']}")

    def _send_again(self, why: str) -> None:
        if why:
            log.info("%s", why)
        if self.sent is not None:
            self.sent = None
            self._news.set()
            self._hurry.set()

    async def send_reports(self) -> None:
        """Send reports until cancelled."""
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            await self._news.wait()
            self._news.clear()
            status = self.wanted
            if status is None or status == self.sent:
                continue
            try:
                written = await self.api.report(self.settings.node, status)
                self._note(written)
            except NOT_TAKEN as error:
                log.info("status not reported yet: %s", error)
                self.sent = None  # whether it arrived is not known
                await self._wait(pause(error, backoff))
                backoff = min(2 * backoff, GREATEST_BACKOFF_SECONDS)
                self._news.set()
                continue
            backoff = FIRST_BACKOFF_SECONDS
            self.sent = status
            emit("reported", models=[_brief(model) for model in status.to_wire().get("models", [])])

    def _note(self, written: dict[str, Any]) -> None:
        metadata = written["metadata"]
        self.uid, self._version = metadata.get("uid", ""), _version(metadata)
        self.stored = written.get("status")

    async def _wait(self, seconds: float) -> None:
        """Wait for the next try, or until there is an API server or an EdgeNode again."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)
        self._hurry.clear()

    async def send_heartbeats(self) -> None:
        """Renew the Lease until cancelled."""
        while True:
            seconds = self.settings.heartbeat_seconds
            try:
                await self.api.beat(self.settings.namespace, self.settings.node, seconds)
            except NOT_TAKEN as error:
                self._set_connected(connected=False)
                log.info("heartbeat not accepted: %s", error)
                seconds = max(min(seconds, RETRY_BEAT_SECONDS), pause(error, 0.0))
            else:
                self._set_connected(connected=True)
            await asyncio.sleep(seconds * random.uniform(0.9, 1.0))  # noqa: S311 - jitter

    def _set_connected(self, *, connected: bool) -> None:
        metrics.CONNECTED.set(connected)
        if connected and not self._connected:
            emit("connected")
            self.back()
            self._news.set()
            self._hurry.set()
        elif self._connected and not connected:
            emit("disconnected")
        self._connected = connected


def _version(metadata: dict[str, Any]) -> int:
    """Return a number by which an object's versions are ordered."""
    try:
        return int(metadata.get("resourceVersion", 0))
    except ValueError:
        return 0


def _brief(model: dict[str, object]) -> dict[str, object]:
    candidate = model.get("candidate")
    state = candidate.get("state") if isinstance(candidate, dict) else None
    return {
        "model": f"{model['namespace']}.{model['name']}",
        "serving": model.get("serving"),
        "state": state,
    }
