"""Accelerators by what the buses list: PCI, USB, and the system on a chip of Jetsons.

/dev is not asked: a pod's own holds no device of the node unless it was given one. sysfs shows the
node's buses in every pod, and whether a driver holds a device.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from skerry.api.facts import MOST_ACCELERATORS, Accelerator, AcceleratorKind
from skerry_agent.facts.places import entries, target, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from skerry_agent.facts.places import Places

Found = tuple[AcceleratorKind, str, str | None]
"""Kind, model and driver of one device."""

INTEL, NVIDIA, GOOGLE = "8086", "10de", "1ac1"
DISPLAY = "03"
"""Class of a PCI display controller; NVIDIA's for computing (0302) are among them."""

INTEL_NPUS = {"7d1d", "ad1d", "643e", "b03e", "fd3e", "d71d"}
"""Device numbers from the kernel's drivers/accel/ivpu/ivpu_drv.h."""

PCI_EDGE_TPU = (GOOGLE, "089a")
USB_EDGE_TPUS = {("1a6e", "089a"), ("18d1", "9302")}
"""Before and after its firmware was loaded (libedgetpu's udev rules)."""

TEGRAS = {
    "33": ("tegra210", "Tegra X1"),
    "24": ("tegra186", "Tegra X2"),
    "25": ("tegra194", "Tegra Xavier"),
    "35": ("tegra234", "Tegra Orin"),
    "38": ("tegra264", "Tegra Thor"),
}
"""Chips with a CUDA GPU that Jetsons have, by soc_id: the kernel's include/soc/tegra/fuse.h, in decimal."""

DEVICE_TREE = "firmware/devicetree/base"
"""Hidden from pods (containerd masks /sys/firmware); an agent outside of one sees it."""


def find_accelerators(places: Places) -> tuple[Accelerator, ...]:
    """Return the accelerators that an engine of the decision matrix supports; equal ones are counted."""
    counted = Counter([*_pci(places), *_usb(places.sys), *_jetson(places.sys)])
    found = [
        Accelerator(kind=kind, model=model, count=count, driver=driver)
        for (kind, model, driver), count in counted.items()
    ]
    return tuple(found[:MOST_ACCELERATORS])


def _pci(places: Places) -> Iterator[Found]:
    for device in entries(places.sys / "bus/pci/devices"):
        vendor, model, sort = (_id(device / name) for name in ("vendor", "device", "class"))
        kind = _pci_kind(vendor, model, sort)
        if kind is not None:
            named = _nvidia_name(places.proc, device.name) if vendor == NVIDIA else None
            yield kind, named or f"{vendor}:{model}", target(device / "driver")


def _pci_kind(vendor: str, device: str, sort: str) -> AcceleratorKind | None:
    if vendor == NVIDIA and sort.startswith(DISPLAY):
        return AcceleratorKind.NVIDIA_GPU
    if vendor == INTEL and sort.startswith(DISPLAY):
        return AcceleratorKind.INTEL_GPU
    if vendor == INTEL and device in INTEL_NPUS:
        return AcceleratorKind.INTEL_NPU
    return AcceleratorKind.EDGE_TPU if (vendor, device) == PCI_EDGE_TPU else None


def _nvidia_name(proc: Path, slot: str) -> str | None:
    """Return the name that NVIDIA's driver gives; None while it is not loaded."""
    said = text(proc / "driver/nvidia/gpus" / slot / "information") or ""
    lines = (line.partition(":") for line in said.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == "Model"), None)


def _usb(sys: Path) -> Iterator[Found]:
    for device in entries(sys / "bus/usb/devices"):
        numbers = (text(device / "idVendor") or "", text(device / "idProduct") or "")
        if numbers in USB_EDGE_TPUS:
            yield AcceleratorKind.EDGE_TPU, "USB", None


def _jetson(sys: Path) -> Iterator[Found]:
    """Yield the GPU on the chip, which no bus lists."""
    compatible = (text(sys / DEVICE_TREE / "compatible") or "").split("\0")
    chip = text(sys / "devices/soc0/soc_id") if _is_tegra(sys) else None
    for number, (tree, name) in TEGRAS.items():
        if number == chip or f"nvidia,{tree}" in compatible:
            board = text(sys / DEVICE_TREE / "model") or text(sys / "devices/soc0/machine")
            yield AcceleratorKind.JETSON_GPU, board or name, None


def _is_tegra(sys: Path) -> bool:
    return text(sys / "devices/soc0/family") == "Tegra"


def _id(path: Path) -> str:
    return (text(path) or "").removeprefix("0x")
