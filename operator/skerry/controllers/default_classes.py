"""Makes the default HardwareClasses, once in the life of a cluster.

What has been made is remembered in a ConfigMap that nobody else writes, not in the classes: one that
somebody deleted or changed stays as they left it, whatever restarts, upgrades or leads next
(docs/adr/0020). The ConfigMap is written last: an operator that is killed earlier continues where it was.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from skerry.api.common import OWN_LABELS, SYSTEM_NAMESPACE
from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError
from skerry.controllers.fleet_writes import FleetWrite, attempt
from skerry.controllers.refusals import DEFAULTS
from skerry.decide.nodes.default_classes import default_classes

if TYPE_CHECKING:
    from skerry.api import HardwareClass
    from skerry.cluster.client import Cluster, Object
    from skerry.controllers.operator import Operator

MARKER = "skerry-default-classes"

logger = logging.getLogger(__name__)


async def make_default_classes(operator: Operator) -> bool:
    """Make those that are not there, unless that was done before or is turned off.

    Returns:
        Whether nothing is left to do. A refusal is logged; the fleet is looked after all the same.
    """
    if not operator.config.fleet.default_classes:
        return True
    try:
        made = await _make_once(operator)
    except ClusterError as error:
        logger.warning("the default HardwareClasses are not created yet, retrying soon: %s", error)
        return False
    if made:
        operator.refusals.forget(DEFAULTS)
    return made


async def _make_once(operator: Operator) -> bool:
    """Make all that are not there; a class that is refused does not stop the others.

    Returns:
        Whether all are there, which is remembered.
    """
    cluster = operator.cluster
    if await cluster.get(kinds.CONFIG_MAP, SYSTEM_NAMESPACE, MARKER) is not None:
        return True
    made: list[str] = []
    there = [await attempt(operator, _creation(cluster, c, made)) for c in default_classes()]
    if not all(there):
        return False
    await cluster.apply(kinds.CONFIG_MAP, _marker(made))
    logger.info("default HardwareClasses made: %s", ", ".join(made) or "none, all were there")
    return True


def _creation(cluster: Cluster, hardware_class: HardwareClass, made: list[str]) -> FleetWrite:
    """Return the write that creates one class and adds its name to `made`."""
    name = hardware_class.metadata.name

    async def send() -> None:
        if await _make(cluster, hardware_class):
            made.append(name)

    body = hardware_class.spec.to_wire()
    return FleetWrite(DEFAULTS, "create", kinds.HARDWARE_CLASS, name, body, send)


async def _make(cluster: Cluster, hardware_class: HardwareClass) -> bool:
    """Create a class and return whether it was created; an existing class of that name stays as it is."""
    metadata = {"name": hardware_class.metadata.name, "labels": OWN_LABELS}
    body = {"metadata": metadata, "spec": hardware_class.spec.to_wire()}
    try:
        await cluster.create(kinds.HARDWARE_CLASS, body)
    except ClusterError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        return False
    return True


def _marker(made: list[str]) -> Object:
    metadata = {
        "name": MARKER,
        "namespace": SYSTEM_NAMESPACE,
        "labels": OWN_LABELS,
    }
    note = (
        "Skerry has created its default HardwareClasses and will not create them again, even if they"
        " are deleted. To create the missing ones again, delete this ConfigMap and restart the operator."
    )
    return {"metadata": metadata, "data": {"made": " ".join(made), "note": note}}
