"""Taints of nodes and tolerations of pods, as the DaemonSet controller compares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.config import TolerationOperator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.api.config import Toleration

KEEPING_OUT = ("NoSchedule", "NoExecute")
"""Effects that keep pods out; PreferNoSchedule only asks the scheduler to."""

_BY_DAEMONS = frozenset(
    {
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    }
)
"""What the DaemonSet controller makes every DaemonSet's pods tolerate."""


@dataclass(frozen=True)
class Taint:
    """A taint of a node."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"

    @property
    def is_of_kubernetes(self) -> bool:
        """Return whether Kubernetes sets it by the node's state; a role is a person's."""
        return self.key.startswith(("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/"))

    def __str__(self) -> str:
        """Return it as `kubectl taint` takes it."""
        return (
            f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"
        )


@dataclass(frozen=True)
class Tolerated:
    """What a toleration tolerates; an empty key or effect stands for every one."""

    key: str = ""
    exists: bool = False
    value: str = ""
    effect: str = ""

    def covers(self, taint: Taint) -> bool:
        """Return whether the taint is tolerated."""
        if self.effect not in {"", taint.effect} or self.key not in {"", taint.key}:
            return False
        return self.exists or (bool(self.key) and self.value == taint.value)


def tolerated(given: Iterable[Toleration]) -> tuple[Tolerated, ...]:
    """Return what tolerations of the operator's configuration tolerate."""
    return tuple(
        Tolerated(
            one.key or "", one.operator is TolerationOperator.EXISTS, one.value or "", one.effect or ""
        )
        for one in given
    )  # fmt: skip


def untolerated(taints: Iterable[Taint], tolerated: Iterable[Tolerated]) -> Taint | None:
    """Return the first taint that keeps the pods of a DaemonSet with these tolerations out."""
    given = tuple(tolerated)
    return next(
        (
            taint
            for taint in taints
            if taint.effect in KEEPING_OUT
            and (taint.key, taint.effect) not in _BY_DAEMONS
            and not any(one.covers(taint) for one in given)
        ),
        None,
    )
