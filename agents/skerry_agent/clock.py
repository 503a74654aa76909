"""Two clocks: durations by the one that nobody sets, dates by the one that people read.

A device without a battery for its clock boots in 1970 and is set by hours or years once it finds a time
server. No soak, no evidence and no pause may depend on that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from skerry.judging.guard import Answer
from skerry_agent.times import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

JUMP_SECONDS = 1.0
"""A greater step of the wall clock than this is a jump; less is how a time server corrects a clock."""


@dataclass
class Clock:
    """Both clocks of the device, and how far they are apart.

    Attributes:
        ahead: the wall clock minus the monotonic one, in seconds.
        jumps: how often the wall clock was set.
        jumped_by: seconds of the last jump; negative when the clock was set back.
        set_at: when that was seen, by the monotonic clock.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    ahead: float = field(init=False)
    jumps: int = field(default=0, init=False)
    jumped_by: float = field(default=0.0, init=False)
    set_at: float = field(default=-inf, init=False)

    def __post_init__(self) -> None:
        """Read both clocks."""
        self.ahead = self.wall() - self.monotonic()

    def look(self) -> float:
        """Return the monotonic time, and note when the wall clock was set since the last look."""
        now = self.monotonic()
        ahead = self.wall() - now
        if abs(ahead - self.ahead) > JUMP_SECONDS:
            self.jumps += 1
            self.jumped_by, self.set_at = ahead - self.ahead, now
        self.ahead = ahead
        return now

    def read(self) -> Reading:
        """Return both clocks as they are now; see `look`."""
        now = self.look()
        return Reading(now, self.ahead, self.jumps, self.jumped_by)

    def own(self, answer: Answer) -> Answer | None:
        """Return an answer of the wall clock's times by the monotonic clock.

        None when the wall clock was set while the request was under way: its times say nothing.
        """
        now = self.look()
        started, answered = answer.started - self.ahead, answer.answered - self.ahead
        if started < self.set_at or not started <= answered <= now + JUMP_SECONDS:
            return None
        return Answer(started, answered, answer.failed)
