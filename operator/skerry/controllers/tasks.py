"""How parts of the process are ended."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

CANCEL_SECONDS = 1.0

logger = logging.getLogger(__name__)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Stop what still runs, asking again where a library has swallowed it; errors are logged."""
    tasks = list(tasks)
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("%s ended", task.get_name(), exc_info=error)
