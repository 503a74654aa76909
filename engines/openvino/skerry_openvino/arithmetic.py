"""The number format that a model is computed in, written into the model itself.

Left alone, OpenVINO computes float32 models in bfloat16 on CPUs that have it, and what is asked for
and not there is replaced in silence (float16 by bfloat16). So each file says its arithmetic, the
loader asks for just that, and refuses when the CPU would do another.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino as ov

HINT = "INFERENCE_PRECISION_HINT"
"""OpenVINO's property for it."""

_PLACE = ["skerry", "arithmetic"]


class Arithmetic(StrEnum):
    """Values of `HINT`; int8 parts of a model stay int8 under each."""

    FLOAT32 = "f32"
    FLOAT16 = "f16"
    BFLOAT16 = "bf16"


_CAPABILITIES = {
    Arithmetic.FLOAT32: "FP32",
    Arithmetic.FLOAT16: "FP16",
    Arithmetic.BFLOAT16: "BF16",
}


def write_arithmetic(model: ov.Model, arithmetic: Arithmetic) -> None:
    """Write the arithmetic into a model that is to be saved."""
    model.set_rt_info(arithmetic.value, _PLACE)


def arithmetic_of(model: ov.Model) -> Arithmetic:
    """Return what a model says; float32 when it says nothing, as a source does."""
    if not model.has_rt_info(_PLACE):
        return Arithmetic.FLOAT32
    return Arithmetic(model.get_rt_info(_PLACE).astype(str))


def lacks(core: ov.Core, arithmetic: Arithmetic) -> bool:
    """Return whether this CPU has no such arithmetic."""
    return _CAPABILITIES[arithmetic] not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
