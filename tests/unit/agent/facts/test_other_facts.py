"""Accelerators, power, link: trees as real machines have them; and what is not there is not said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.facts import LinkKind, PowerSource
from skerry_agent.facts.accelerators import find_accelerators
from skerry_agent.facts.find import find_facts
from skerry_agent.facts.link import find_link
from skerry_agent.facts.places import HOST_NET, HOST_SYS, Places
from skerry_agent.facts.power import find_power
from tests.unit.agent.facts.machine import machine

if TYPE_CHECKING:
    from pathlib import Path

PCI, USB = "sys/bus/pci/devices", "sys/bus/usb/devices"
TREE = "sys/firmware/devicetree/base"
GPU_INFORMATION = (
    "Model: \t\t NVIDIA GeForce RTX 5090\nIRQ:   \t\t 16\nVideo BIOS: \t 98.02.2e.40.7f\n"
    "Bus Type: \t PCIe\nBus Location: \t 0000:01:00.0\nDevice Minor: \t 0\nGPU Excluded:\t No\n"
)


def pci(slot: str, vendor: str, device: str, sort: str, driver: str = "") -> dict[str, str]:
    """Return one device of the bus."""
    held = {f"{PCI}/{slot}/driver": f"-> ../../../bus/pci/drivers/{driver}"} if driver else {}
    numbers = {"vendor": vendor, "device": device, "class": sort}
    return {f"{PCI}/{slot}/{name}": f"0x{value}\n" for name, value in numbers.items()} | held


NOTHING = pci("0000:00:00.0", "8086", "31f0", "060000") | pci(
    "0000:01:00.1", "10de", "22e8", "040300", "snd_hda_intel"
)
"""A host bridge, and the sound of a graphics card."""


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (NOTHING, []),
        (
            pci("0000:00:02.0", "8086", "3185", "030000", "i915"),
            [{"kind": "IntelGPU", "model": "8086:3185", "count": 1, "driver": "i915"}],
        ),
        (
            pci("0000:00:02.0", "8086", "7d55", "030000")
            | pci("0000:00:0b.0", "8086", "7d1d", "120000", "intel_vpu"),
            [
                {"kind": "IntelGPU", "model": "8086:7d55", "count": 1},
                {"kind": "IntelNPU", "model": "8086:7d1d", "count": 1, "driver": "intel_vpu"},
            ],
        ),
        # An accelerator card of Intel's that is no NPU.
        (pci("0000:3b:00.0", "8086", "09c4", "120000", "dfl-pci"), []),
        (
            pci("0000:01:00.0", "10de", "2b85", "030000", "nvidia")
            | {"proc/driver/nvidia/gpus/0000:01:00.0/information": GPU_INFORMATION},
            [
                {
                    "kind": "NvidiaGPU", "model": "NVIDIA GeForce RTX 5090", "count": 1,
                    "driver": "nvidia",
                }
            ],
        ),
        # Two for computing only, no driver loaded: no name, and no driver.
        (
            pci("0000:17:00.0", "10de", "2335", "030200") | pci("0000:3d:00.0", "10de", "2335", "030200"),
            [{"kind": "NvidiaGPU", "model": "10de:2335", "count": 2}],
        ),
        (
            pci("0000:05:00.0", "1ac1", "089a", "088000", "apex"),
            [{"kind": "EdgeTPU", "model": "1ac1:089a", "count": 1, "driver": "apex"}],
        ),
        (
            {f"{USB}/2-1/idVendor": "18d1\n", f"{USB}/2-1/idProduct": "9302\n", f"{USB}/usb2/speed": "5000"},
            [{"kind": "EdgeTPU", "model": "USB", "count": 1}],
        ),
        # A Jetson as it is seen from outside of a pod, and from inside.
        (
            {
                f"{TREE}/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
                f"{TREE}/compatible": "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0",
            },
            [
                {
                    "kind": "JetsonGPU", "count": 1,
                    "model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
                }
            ],
        ),
        (
            {"sys/devices/soc0/family": "Tegra\n", "sys/devices/soc0/soc_id": "35\n"},
            [{"kind": "JetsonGPU", "model": "Tegra Orin", "count": 1}],
        ),
        ({"sys/devices/soc0/family": "Freescale i.MX\n", "sys/devices/soc0/soc_id": "35\n"}, []),
    ],
)  # fmt: skip
def test_accelerators(tmp_path: Path, files: dict[str, str], found: list[dict[str, Any]]) -> None:
    places = machine(tmp_path, files)
    assert [one.to_wire() for one in find_accelerators(places)] == found


def supply(name: str, **files: str) -> dict[str, str]:
    """Return one power supply."""
    return {f"sys/class/power_supply/{name}/{file}": f"{said}\n" for file, said in files.items()}


def battery(status: str, capacity: str = "73", **more: str) -> dict[str, str]:
    return supply("BAT0", type="Battery", present="1", status=status, capacity=capacity, **more)


MOUSE = supply(
    "hidpp_battery_0", type="Battery", scope="Device", status="Discharging", capacity="9"
)
UNPLUGGED, PLUGGED = supply("AC", type="Mains", online="0"), supply("AC", type="Mains", online="1")
MAINS, BATTERY = PowerSource.MAINS, PowerSource.BATTERY


@pytest.mark.parametrize(
    ("files", "source", "percent"),
    [
        ({}, None, None),
        (MOUSE, None, None),
        (UNPLUGGED, None, None),
        (PLUGGED, MAINS, None),
        (PLUGGED | MOUSE, MAINS, None),
        (PLUGGED | battery("Charging"), MAINS, 73),
        (UNPLUGGED | battery("Discharging") | MOUSE, BATTERY, 73),
        (battery("Discharging"), BATTERY, 73),
        (battery("Full", "100"), MAINS, 100),
        (battery("Unknown"), None, None),
        # Ports for a charger, of which one feeds the device while the battery lends its part.
        (
            supply("ucsi-1", type="USB", online="0") | supply("ucsi-2", type="USB", online="1")
            | battery("Discharging"), MAINS, 73,
        ),
        (supply("BAT1", type="Battery", present="0"), None, None),
        (supply("ups", type="UPS", status="Discharging", capacity="40"), BATTERY, 40),
    ],
)  # fmt: skip
def test_power(
    tmp_path: Path, files: dict[str, str], source: PowerSource | None, percent: int | None
) -> None:
    found = find_power(machine(tmp_path, files).sys)
    assert (found.source, found.battery_percent) == (source, percent) if found else source is None


ROUTES = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ETH0 = "eth0\t00000000\t010200C0\t0003\t0\t0\t{metric}\t00000000\t0\t0\t0\n"
LOCAL = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
WLAN0 = "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
IPV6 = f"{'0' * 32} 00 {'0' * 32} 00 fd{'0' * 29}1 00000400 00000003 00000000 00000003     eth0\n"
NO_IPV6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"


def interface(name: str, sort: str = "1", driver: str = "", **files: str) -> dict[str, str]:
    """Return one network interface."""
    base = f"sys/class/net/{name}"
    held = {f"{base}/device/driver": f"-> ../../../bus/drivers/{driver}"} if driver else {}
    return {f"{base}/type": sort} | {f"{base}/{n}": said for n, said in files.items()} | held


def routes(*lines: str, ipv6: str = NO_IPV6) -> dict[str, str]:
    return {"proc/net/route": ROUTES + "".join(lines), "proc/net/ipv6_route": ipv6}


CARD = interface("eth0", driver="r8169", speed="1000\n", uevent="INTERFACE=eth0\nIFINDEX=2\n")
WIFI = interface("wlan0", driver="iwlwifi", uevent="DEVTYPE=wlan\nINTERFACE=wlan0\n")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (CARD, None),
        (routes(LOCAL) | CARD, None),
        (routes(ETH0.format(metric=0), LOCAL) | CARD, ("eth0", LinkKind.WIRED, 1000)),
        (routes(LOCAL, ipv6=IPV6 + NO_IPV6) | CARD, ("eth0", LinkKind.WIRED, 1000)),
        # The way of least metric counts.
        (routes(WLAN0, ETH0.format(metric=100)) | CARD | WIFI, ("eth0", LinkKind.WIRED, 1000)),
        (routes(WLAN0, ETH0.format(metric=700)) | CARD | WIFI, ("wlan0", LinkKind.WIRELESS, None)),
        (
            routes(ETH0.format(metric=0))
            | interface("eth0", driver="virtio_net", speed="-1\n", uevent="INTERFACE=eth0\n"),
            ("eth0", None, None),
        ),
        # A modem as a network card, and an adapter of the same driver: the kernel can't tell.
        (
            routes(ETH0.format(metric=0)) | interface("eth0", driver="cdc_ether"),
            ("eth0", None, None),
        ),
        (
            routes(ETH0.format(metric=0).replace("eth0", "wwan0"))
            | interface("wwan0", "65534", "qmi_wwan", uevent="DEVTYPE=wwan\nINTERFACE=wwan0\n"),
            ("wwan0", LinkKind.CELLULAR, None),
        ),
        # A bridge over one card is that card; a tunnel or a bond of two is not said to be anything.
        (
            routes(ETH0.format(metric=0).replace("eth0", "br0")) | CARD
            | interface("br0", lower_eth0="", uevent="DEVTYPE=bridge\n"),
            ("br0", LinkKind.WIRED, 1000),
        ),
        (
            routes(ETH0.format(metric=0).replace("eth0", "tun0")) | interface("tun0", "65534"),
            ("tun0", None, None),
        ),
    ],
)  # fmt: skip
def test_link(
    tmp_path: Path, files: dict[str, str], found: tuple[str, LinkKind | None, int | None] | None
) -> None:
    places = machine(tmp_path, files)
    link = find_link(places.host_net, places.host_sys)
    assert (link and (link.interface, link.kind, link.megabits)) == found


def test_a_pod_without_the_nodes_files_says_nothing_of_its_link(tmp_path: Path) -> None:
    """Its own network is there, and is not the node's."""
    machine(tmp_path, routes(ETH0.format(metric=0)) | CARD)
    places = Places.of_environment({})
    assert (places.host_net, places.host_sys) == (None, None)
    assert (
        find_facts(Places(tmp_path / "proc", tmp_path / "sys", None, None, "x86_64")).link is None
    )
    named = Places.of_environment({HOST_NET: "/host/net", HOST_SYS: "/host/sys"})
    assert (str(named.host_net), str(named.host_sys)) == ("/host/net", "/host/sys")


def test_a_machine_that_reports_nothing_has_no_facts(tmp_path: Path) -> None:
    assert find_facts(machine(tmp_path, {}, "riscv64")).to_wire() == {"accelerators": []}


def test_files_of_nonsense_are_no_facts(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": "\0\xff: :\n\nprocessor\t: x\n", "proc/meminfo": "MemTotal: much kB\n",
        "proc/net/route": "a b\n" * 3, "sys/devices/system/cpu/online": "all",
        "sys/class/power_supply/AC": "a file", "sys/class/net/eth0/type": "?",
    }  # fmt: skip
    found = find_facts(machine(tmp_path, files, "x86_64")).to_wire()
    assert found == {"architecture": "amd64", "accelerators": [], "cpu": {"features": []}}
