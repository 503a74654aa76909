"""How the node reaches the network: the interface of its default route.

A pod's own network is a virtual cable and says nothing of the node's. So the node's files are read
where the chart mounts them (`agent.findLink`), else nothing is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.facts import Link, LinkKind
from skerry_agent.facts.places import entries, number, target, text

if TYPE_CHECKING:
    from pathlib import Path

ANY_IPV4, ANY_IPV6 = "00000000", "0" * 32
UP, REJECT = 0x1, 0x200
ETHERNET = 1
"""ARPHRD_ETHER of the kernel's include/uapi/linux/if_arp.h."""

HYPERVISORS = {"virtio_net", "vmxnet3", "hv_netvsc", "vif"}
"""Drivers of virtual machines' interfaces: what carries them only the host knows."""

MODEMS_OR_CABLES = {"cdc_ether", "cdc_ncm", "rndis_host", "ipheth"}
"""USB drivers that a modem, a telephone and a plain adapter have in common."""

MOST_LAYERS = 4
LEAST_COLUMNS = 10


def find_link(net: Path | None, sys: Path | None) -> Link | None:
    """Return the link; None without the node's files or without a default route.

    Args:
        net: the node's /proc/net.
        sys: a sysfs of the node's network.
    """
    if net is None or sys is None:
        return None
    name = _default_ipv4(net) or _default_ipv6(net)
    if name is None:
        return None
    interface = _lowest(sys / "class/net" / name)
    return Link(interface=name, kind=_kind(interface), megabits=_megabits(interface))


def _default_ipv4(net: Path) -> str | None:
    """Return the interface of the default IPv4 route. Columns: Iface Destination Gateway Flags RefCnt Use ..."""
    rows = _rows(net / "route")[1:]
    found = [
        (int(row[6]), row[0]) for row in rows
        if (row[1], row[7]) == (ANY_IPV4, ANY_IPV4) and int(row[3], 16) & (UP | REJECT) == UP
    ]  # fmt: skip
    return min(found)[1] if found else None


def _default_ipv6(net: Path) -> str | None:
    """Return the interface of the default IPv6 route. Columns: destination, length, ..., flags, interface."""
    rows = _rows(net / "ipv6_route")
    found = [
        (int(row[5], 16), row[9]) for row in rows
        if (row[0], row[1]) == (ANY_IPV6, "00") and int(row[8], 16) & (UP | REJECT) == UP
    ]  # fmt: skip
    return min(found)[1] if found else None


def _rows(path: Path) -> list[list[str]]:
    rows = [line.split() for line in (text(path) or "").splitlines()]
    return [row for row in rows if len(row) >= LEAST_COLUMNS]


def _lowest(interface: Path) -> Path:
    """Return the interface below a bridge, bond or VLAN, while there is exactly one."""
    for _ in range(MOST_LAYERS):
        below = [e for e in entries(interface) if e.name.startswith("lower_")]
        if len(below) != 1:
            break
        interface = interface.parent / below[0].name.removeprefix("lower_")
    return interface


def _kind(interface: Path) -> LinkKind | None:
    said = (text(interface / "uevent") or "").splitlines()
    if "DEVTYPE=wwan" in said:
        return LinkKind.CELLULAR
    if "DEVTYPE=wlan" in said or (interface / "wireless").exists():
        return LinkKind.WIRELESS
    driver = target(interface / "device/driver")
    is_card = number(interface / "type") == ETHERNET and driver is not None
    return LinkKind.WIRED if is_card and driver not in HYPERVISORS | MODEMS_OR_CABLES else None


def _megabits(interface: Path) -> int | None:
    """Return the link's speed; wireless and down interfaces report none, or -1."""
    speed = number(interface / "speed")
    return speed if speed and speed > 0 else None
