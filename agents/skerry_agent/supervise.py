"""Work without an end: what ends unexpectedly is logged, counted and restarted."""

from __future__ import annotations

import asyncio
import logging
import random
from time import monotonic
from typing import TYPE_CHECKING

from skerry_agent import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
GREATEST_PAUSE_SECONDS = 30.0


async def supervised(part: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until cancelled; when it ends, restart it after a pause that grows."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = monotonic()
        try:
            await work()
            log.warning("%s ended; restarting it", part)
        except Exception:
            log.exception("%s failed; restarting it", part)
        metrics.FAULTS.labels(part).inc()
        if monotonic() - began > GREATEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        pause = min(2 * pause, GREATEST_PAUSE_SECONDS)
