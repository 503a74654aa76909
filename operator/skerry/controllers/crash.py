"""A test aid: the operator ends itself right after a write, as a killed one would.

`SKERRY_CRASH_AFTER=route:1` ends it after the first ModelRoute that this process writes. Kinds:
variant-status, route, status, daemonset, variant, job, service, delete. "It ends as without" can be
tested only by really ending it, at a point that no signal from outside can hit. Unset, it does nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

from skerry.cluster.errors import SkerryError

VARIABLE = "SKERRY_CRASH_AFTER"
EXIT_CODE = 70
KINDS = ("variant-status", "route", "status", "daemonset", "variant", "job", "service", "delete")


@dataclass
class CrashPoint:
    """Counts writes by kind and ends the process after the wanted one."""

    kind: str = ""
    count: int = 0
    _written: Counter[str] = field(default_factory=Counter)

    def written(self, kind: str) -> None:
        """A write of this kind has just been answered by the API server."""
        self._written[kind] += 1
        if self.kind == kind and self._written[kind] == self.count:
            os._exit(EXIT_CODE)


def crash_point() -> CrashPoint:
    """The crash point that the environment asks for.

    Raises:
        SkerryError: when it is not KIND:COUNT.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return CrashPoint()
    kind, _, count = text.partition(":")
    if kind not in KINDS or not count.isdecimal():
        raise SkerryError(
            f"{text!r} is not KIND:COUNT", VARIABLE, f"name one of {', '.join(KINDS)}"
        )
    return CrashPoint(kind, int(count))
