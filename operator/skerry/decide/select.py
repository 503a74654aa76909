"""Which engines are tried for a hardware class, in which order, and why.

The order is product.md's decision matrix; it is a shortlist, and measuring on the class chooses among
those that are installed. Engines that are not installed are listed too, so that nobody has to guess
why the first choice was not taken; an installed engine that the matrix does not know comes last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.edgemodel import EngineRank

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from skerry.api.config import EngineSettings
    from skerry.api.edgemodel import Assessment
    from skerry.api.hardwareclass import HardwareClassSpec

OPENVINO = "OpenVino"
OLIVE = "Olive"
MLX = "Mlx"
LLAMA_CPP = "LlamaCpp"
LITERT = "LiteRt"
ONNX_RUNTIME = "OnnxRuntime"
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
        (ONNX_RUNTIME, "on the board's CPU; OpenVINO, often named here, has no plug-in for it"),
    ),
)
ARM = Row(
    "ARM CPUs",
    (
        (ONNX_RUNTIME, "int8, for other than language models"),
        (LLAMA_CPP, "for language models"),
        (OPENVINO, "second choice"),
    ),
)
ANYTHING = Row("any CPU", ((ONNX_RUNTIME, _ANYWHERE),))

BY_FEATURE = (("nvidia", NVIDIA), ("apple", APPLE), ("edgetpu", EDGE_TPU), ("npu", NPU))
"""An accelerator decides before the CPU does; a feature is meant when its name begins so."""

BY_ARCHITECTURE = {"amd64": X86, "arm64": ARM, "arm": ARM}


def rank_engines(
    assessment: Assessment, hardware: HardwareClassSpec, installed: Mapping[str, EngineSettings]
) -> tuple[EngineRank, ...]:
    """Rank the engines for a class, the first choice first, each with its reason.

    Args:
        assessment: Of the source.
        hardware: The class.
        installed: The engines of the operator's configuration by name.
    """
    return tuple(_ranks(assessment, hardware, installed))


def _ranks(
    assessment: Assessment, hardware: HardwareClassSpec, installed: Mapping[str, EngineSettings]
) -> Iterator[EngineRank]:
    row = _row(hardware)
    for place, (engine, why) in enumerate(row.choices, start=1):
        said = f"choice {place} for {row.hardware}: {why}"
        settings = installed.get(engine)
        yield _rank(engine, said, assessment, hardware, settings)
    listed = {engine for engine, _ in row.choices}
    for engine in sorted(installed.keys() - listed):
        said = f"installed, and not in the decision matrix for {row.hardware}"
        yield _rank(engine, said, assessment, hardware, installed[engine])


def _rank(
    engine: str,
    said: str,
    assessment: Assessment,
    hardware: HardwareClassSpec,
    settings: EngineSettings | None,
) -> EngineRank:
    if settings is None:
        return EngineRank(engine=engine, installed=False, reason=f"{said}; {NOT_INSTALLED}")
    if settings.architectures and hardware.architecture not in settings.architectures:
        images = f"its images are for {', '.join(settings.architectures)} alone"
        return EngineRank(engine=engine, installed=False, reason=f"{said}; {images}")
    return EngineRank(engine=engine, installed=True, reason=f"{said}; reads {assessment.format}")


def _row(hardware: HardwareClassSpec) -> Row:
    features = [feature.replace("_", "") for feature in hardware.features]
    for prefix, row in BY_FEATURE:
        if any(feature.startswith(prefix) for feature in features):
            return row
    return BY_ARCHITECTURE.get(hardware.architecture, ANYTHING)
