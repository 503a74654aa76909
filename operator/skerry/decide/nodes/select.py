"""Which engines are tried for a hardware class, in which order, and why.

The order is product.md's decision matrix; it is a shortlist, and measuring on the class chooses among
those that are installed. Engines that are not installed are listed too, so that nobody has to guess
why the first choice was not taken; an installed engine that the matrix does not know comes last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.edgemodel import EngineRank
from skerry.api.facts import CPU_FEATURES
from skerry.decide.nodes.device import ACCELERATORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from skerry.api.config import EngineSettings
    from skerry.api.edgemodel import Assessment
    from skerry.decide.nodes.device import Device

OPENVINO = "OpenVINO"
OLIVE = "Olive"
MLX = "MLX"
LLAMA_CPP = "LlamaCPP"
LITERT = "LiteRT"
ONNX_RUNTIME = "ONNXRuntime"
NOT_INSTALLED = "not installed: the operator's configuration (`engines`) does not have it"


@dataclass(frozen=True)
class Row:
    """One row of the decision matrix.

    Attributes:
        hardware: What it is for, in words.
        choices: Engines, the first choice first, each with why.
    """

    hardware: str
    choices: tuple[tuple[str, str], ...]


_INT8_X86 = "int8 with VNNI or AMX where the CPU has them"
_ANYWHERE = "runs on any CPU, int8 and int4"

X86 = Row(
    "x86 CPUs", ((OPENVINO, _INT8_X86), (OLIVE, "tunes ONNX Runtime"), (ONNX_RUNTIME, _ANYWHERE))
)
NVIDIA = Row(
    "NVIDIA GPUs",
    (
        (OLIVE, "ONNX Runtime with CUDA, int4 and float16"),
        (OPENVINO, "on the CPU"),
        (ONNX_RUNTIME, "on the CPU"),
    ),
)
APPLE = Row(
    "Apple Silicon",
    ((MLX, "int4, groups of 64"), (LLAMA_CPP, "language models"), (ONNX_RUNTIME, _ANYWHERE)),
)
NPU = Row(
    "NPUs",
    (
        (OPENVINO, "int8 with fallback to the CPU"),
        (OLIVE, "tunes ONNX Runtime"),
        (ONNX_RUNTIME, "on the CPU"),
    ),
)
EDGE_TPU = Row(
    "the Edge TPU",
    (
        (LITERT, "the only engine that runs on it"),
        (ONNX_RUNTIME, "on the board's CPU; OpenVINO has no plug-in for the Edge TPU"),
    ),
)
ARM = Row(
    "ARM CPUs",
    (
        (ONNX_RUNTIME, "int8, except for language models"),
        (LLAMA_CPP, "for language models"),
        (OPENVINO, "second choice"),
    ),
)
ANYTHING = Row("any CPU", ((ONNX_RUNTIME, _ANYWHERE),))

FOR_INT8 = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Instructions that multiply 8-bit numbers and add them up to 32 bits at once."""

BY_FEATURE = tuple(zip(ACCELERATORS, (NVIDIA, APPLE, EDGE_TPU, NPU), strict=True))
"""An accelerator decides before the CPU does; a feature is meant when its name begins so."""

BY_ARCHITECTURE = {"amd64": X86, "arm64": ARM, "arm": ARM}


def rank_engines(
    assessment: Assessment, device: Device, installed: Mapping[str, EngineSettings]
) -> tuple[EngineRank, ...]:
    """Rank the engines for a class, the first choice first, each with its reason.

    Args:
        assessment: Of the source; one without a format is of a source that nobody has read.
        device: What the class's devices are.
        installed: The engines of the operator's configuration by name.
    """
    return tuple(_ranks(assessment, device, installed))


def _ranks(
    assessment: Assessment, device: Device, installed: Mapping[str, EngineSettings]
) -> Iterator[EngineRank]:
    row = _row(device)
    for place, (engine, why) in enumerate(row.choices, start=1):
        said = f"choice {place} for {row.hardware}: {why}"
        settings = installed.get(engine)
        yield _rank(engine, said, assessment, device, settings)
    listed = {engine for engine, _ in row.choices}
    for engine in sorted(installed.keys() - listed):
        said = f"installed, but not in the decision matrix for {row.hardware}"
        yield _rank(engine, said, assessment, device, installed[engine])


def _rank(
    engine: str,
    said: str,
    assessment: Assessment,
    device: Device,
    settings: EngineSettings | None,
) -> EngineRank:
    if settings is None:
        return EngineRank(engine=engine, installed=False, reason=f"{said}; {NOT_INSTALLED}")
    if settings.architectures and device.architecture not in settings.architectures:
        images = f"its images are for {', '.join(settings.architectures)} only"
        return EngineRank(engine=engine, installed=False, reason=f"{said}; {images}")
    reads = f"; reads {assessment.format}" if assessment.format else ""
    reason = f"{said}{reads}{_found(device)}"
    return EngineRank(engine=engine, installed=True, reason=reason)


def _found(device: Device) -> str:
    """Which of the instructions for int8 the agents found, where the spec leaves that to them."""
    if not device.reported or any(
        one in CPU_FEATURES for one in set(device.features) - set(device.found)
    ):
        return ""
    int8 = ", ".join(one for one in device.found if one in FOR_INT8)
    nodes = f"all {device.reported} nodes that reported" if device.reported > 1 else "its node"
    return f"; found on {nodes}: {int8 or 'no instructions for int8'}"


def _row(device: Device) -> Row:
    features = [feature.replace("_", "") for feature in device.features]
    for prefix, row in BY_FEATURE:
        if any(feature.startswith(prefix) for feature in features):
            return row
    return BY_ARCHITECTURE.get(device.architecture, ANYTHING)
