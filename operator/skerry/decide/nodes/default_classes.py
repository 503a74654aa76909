"""The HardwareClasses that a fleet starts with, so that a first EdgeModel needs no class of one's own.

They select nodes by the labels that kubelets set, and finer ones by those of Node Feature Discovery and
NVIDIA's GPU feature discovery, where these run. Their priorities are below 0, the default: a class
that somebody writes takes its nodes from them.
"""

from __future__ import annotations

from skerry.api.common import Metadata
from skerry.api.hardwareclass import HardwareClass, HardwareClassSpec

PLAIN, VECTORS, ACCELERATED = -100, -90, -50
"""A node belongs to the finest class that selects it."""

_OS, _ARCH = "kubernetes.io/os", "kubernetes.io/arch"
_CPU = "feature.node.kubernetes.io/cpu-cpuid."
_NVIDIA = "nvidia.com/gpu.present"


def default_classes() -> tuple[HardwareClass, ...]:
    """Return all default classes, the plainest first."""
    return (
        _made("x86-64", "amd64", PLAIN),
        _made("arm64", "arm64", PLAIN),
        _made("arm", "arm", PLAIN),
        _made("apple-silicon", "arm64", PLAIN, system="darwin"),
        _made("x86-64-avx-vnni", "amd64", VECTORS, f"{_CPU}AVXVNNI", ("avx_vnni",)),
        # A processor that has both sorts of VNNI is selected by the wider one.
        _made("x86-64-avx512-vnni", "amd64", VECTORS + 1, f"{_CPU}AVX512VNNI", ("avx512_vnni",)),
        _made("arm64-dot-product", "arm64", VECTORS, f"{_CPU}ASIMDDP", ("asimddp",)),
        _made("nvidia-x86-64", "amd64", ACCELERATED, _NVIDIA),
        _made("nvidia-arm64", "arm64", ACCELERATED, _NVIDIA),
    )


def _made(
    name: str,
    architecture: str,
    priority: int,
    label: str | None = None,
    features: tuple[str, ...] = (),
    *,
    system: str = "linux",
) -> HardwareClass:
    selector = {_OS: system, _ARCH: architecture} | ({label: "true"} if label else {})
    spec = HardwareClassSpec(
        node_selector=selector, architecture=architecture, features=features, priority=priority
    )
    return HardwareClass(metadata=Metadata(name=name), spec=spec)
