"""A test aid: the operator ends itself right after a write, as a killed one would.

`SKERRY_CRASH_AFTER=route:1` ends it after the first ModelRoute that this process writes. Kinds:
variant-status, route, status, daemonset, variant, job, service, delete. Several, as in
`job:1,route:1`, end it once each: those that it ended at are kept in the temporary directory, which
outlives a container. "It ends as without" can be tested only by really ending it, at a point that no
signal from outside can hit. Unset, it does nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from skerry.errors import SkerryError

VARIABLE = "SKERRY_CRASH_AFTER"
EXIT_CODE = 70
KINDS = ("variant-status", "route", "status", "daemonset", "variant", "job", "service", "delete")


@dataclass
class CrashPoint:
    """Counts writes by kind and ends the process after a wanted one, given as {kind: count}."""

    wanted: dict[str, int] = field(default_factory=dict)
    ended_at: Path | None = None
    _written: Counter[str] = field(default_factory=Counter)

    def written(self, kind: str) -> None:
        """Note that the API server has just answered a write of this kind."""
        self._written[kind] += 1
        if self.wanted.get(kind) == self._written[kind]:
            if self.ended_at is not None:
                with self.ended_at.open("a") as memory:
                    memory.write(f"{kind}\n")
            os._exit(EXIT_CODE)


def crash_point() -> CrashPoint:
    """Return the crash points that the environment asks for, without those already reached.

    Raises:
        SkerryError: when they are not KIND:COUNT, separated by commas.
    """
    text = os.environ.get(VARIABLE, "")
    wanted = dict(_point(part) for part in text.split(",") if text)
    if len(wanted) < 2:  # noqa: PLR2004 - one is met by each process, several once each
        return CrashPoint(wanted)
    memory = Path(tempfile.gettempdir()) / "skerry-crashes"
    met = memory.read_text().split() if memory.exists() else []
    left = {kind: count for kind, count in wanted.items() if kind not in met}
    return CrashPoint(left, memory)


def _point(text: str) -> tuple[str, int]:
    kind, _, count = text.partition(":")
    if kind not in KINDS or not count.isdecimal():
        raise SkerryError(
            f"{text!r} is not KIND:COUNT", VARIABLE, f"name one of {', '.join(KINDS)}"
        )
    return kind, int(count)
