"""What to try, in which order: engines for a hardware class, recipes for a family of models.

The order of engines is product.md's decision matrix; it is a shortlist, and measuring on the class
chooses among those that are installed. Engines that this release does not build are listed too, so
that nobody has to guess why the first choice was not taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.common import Engine
from skerry.api.edgemodel import EngineRank
from skerry.decide.assess import Family

if TYPE_CHECKING:
    from collections.abc import Collection

    from skerry.api.edgemodel import Assessment
    from skerry.api.hardwareclass import HardwareClassSpec

OPENVINO = "OpenVINO + NNCF"
OLIVE = "Olive (ONNX Runtime)"
MLX = "MLX"
LLAMA_CPP = "llama.cpp"
LITERT = "LiteRT"
ONNX_RUNTIME = Engine.ONNX_RUNTIME.value
NOT_BUILT = "not installed: this release of Skerry does not build with it yet"


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
    ((OLIVE, "int4 and float16 by CUDA"), (OPENVINO, "on the CPU"), (ONNX_RUNTIME, "on the CPU")),
)
APPLE = Row(
    "Apple Silicon",
    ((MLX, "int4, groups of 64"), (LLAMA_CPP, "language models"), (ONNX_RUNTIME, _ANYWHERE)),
)
NPU = Row(
    "NPUs", ((OPENVINO, "int8 with fallback to the CPU"), (OLIVE, ""), (ONNX_RUNTIME, "on the CPU"))
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
    assessment: Assessment, hardware: HardwareClassSpec, installed: Collection[str]
) -> tuple[EngineRank, ...]:
    """Rank the engines for a class, the first choice first, each with its reason.

    `installed` names the engines of the operator's configuration, as `Engine` does.
    """
    row = _row(hardware)
    ranks = []
    for place, (engine, why) in enumerate(row.choices, start=1):
        if engine in installed:
            reason = f"choice {place} for {row.hardware}: {why}; reads {assessment.format}"
        elif engine == ONNX_RUNTIME:
            reason = "not installed: add it to `engines` in the operator's configuration"
        else:
            reason = f"choice {place} for {row.hardware}" + (f" ({why})" if why else "")
            reason += f"; {NOT_BUILT}"
        ranks.append(EngineRank(engine=engine, installed=engine in installed, reason=reason))
    return tuple(ranks)


def _row(hardware: HardwareClassSpec) -> Row:
    features = [feature.replace("_", "") for feature in hardware.features]
    for prefix, row in BY_FEATURE:
        if any(feature.startswith(prefix) for feature in features):
            return row
    return BY_ARCHITECTURE.get(hardware.architecture, ANYTHING)


SOURCE = "source"
DYNAMIC_INT8 = "dynamic-int8"
STATIC_INT8 = "static-int8"
WEIGHT_INT8 = "weight-int8-block128"
WEIGHT_INT8_FINE = "weight-int8-block32"
WEIGHT_INT4 = "weight-int4-block32"
FLOAT16 = "float16"
BFLOAT16 = "bfloat16"

RECIPES: dict[Family, tuple[str, ...]] = {
    # Activations of transformers have outliers that one static scale can't hold; scales per call can.
    Family.TRANSFORMER: (
        SOURCE, WEIGHT_INT8, DYNAMIC_INT8, WEIGHT_INT8_FINE, WEIGHT_INT4, STATIC_INT8, FLOAT16, BFLOAT16,
    ),
    # Dynamic scales of a convolution cost more than int8 gains: 3.3 times slower than float32.
    Family.CONVOLUTIONAL: (
        SOURCE, STATIC_INT8, FLOAT16, BFLOAT16, WEIGHT_INT8, DYNAMIC_INT8, WEIGHT_INT8_FINE, WEIGHT_INT4,
    ),
    Family.OTHER: (
        SOURCE, DYNAMIC_INT8, WEIGHT_INT8, STATIC_INT8, WEIGHT_INT8_FINE, WEIGHT_INT4, FLOAT16, BFLOAT16,
    ),
}  # fmt: skip
"""ONNX Runtime's recipes in the order in which they are tried."""


def recipes_for(family: str, trials: int) -> tuple[str, ...]:
    """Return at most `trials` recipes, the most promising of the family first.

    The source in float32 is always among them: what ONNX Runtime makes of its graph may win alone.
    """
    known = family if family in set(Family) else Family.OTHER
    return RECIPES[Family(known)][:trials]
