"""Looks at the device now and then, concurrently with the agent's loop, and holds what is to be reported."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING

from skerry_agent.facts.find import find_facts, find_passing
from skerry_agent.facts.steady import Steady, begin, settle

if TYPE_CHECKING:
    from skerry.api.facts import DeviceFacts
    from skerry_agent.facts.places import Places

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
"""Between two looks at power and link: a few small reads."""

HARDWARE_SECONDS = 600.0
"""Between two looks at the rest: a stick may be plugged in, a driver loaded."""


class Watch:
    """The device's facts.

    Attributes:
        looked: whether there was a look, so that a status without facts means that none were found.
    """

    def __init__(self, places: Places) -> None:
        """Begin without facts."""
        self.places = places
        self.looked = False
        self._state: Steady | None = None
        self._hardware: DeviceFacts | None = None
        self._hardware_at = 0.0

    @property
    def reported(self) -> DeviceFacts | None:
        """What EdgeNode.status shall say."""
        return self._state.reported if self._state else None

    async def run(self) -> None:
        """Look until canceled. An error costs the facts, never the agent."""
        while True:
            try:
                await asyncio.to_thread(self.look, monotonic())
            except (OSError, ValueError, LookupError):
                log.exception(
                    "the device's facts could not be detected; the previous ones are kept"
                )
            self.looked = True
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, now: float) -> None:
        """Look once; `now` is in seconds of a monotonic clock."""
        if self._hardware is None or now - self._hardware_at >= HARDWARE_SECONDS:
            found = find_facts(self.places)
            self._hardware, self._hardware_at = found, now
        else:
            found = find_passing(self.places, self._hardware)
        self._state = settle(self._state, found, now) if self._state else begin(found, now)
