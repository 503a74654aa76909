"""Which revisions answer: the gateway's health checks, and the supervisor's word until the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from skerry_agent.trial.instance import Instance


class Health:
    """The last result of each address's health check."""

    def __init__(self) -> None:
        """Begin without a result."""
        self._last: dict[str, bool] = {}

    def record(self, checks: Mapping[str, bool | None], instances: Iterable[Instance]) -> None:
        """Record new results by address; where there is none (a gateway restarts) the last one holds."""
        last = self._last | {address: up for address, up in checks.items() if up is not None}
        addresses = {instance.address for instance in instances}
        self._last = {address: last[address] for address in addresses & last.keys()}

    def answers(self, instance: Instance) -> bool:
        """Return whether the instance may get traffic: the gateway checks it twice a second.

        The kubelet asks the same every two seconds, and its result comes by way of the API server: it counts
        only until the first result of the gateway.
        """
        return self._last.get(instance.address, instance.ready) and not instance.leaving
