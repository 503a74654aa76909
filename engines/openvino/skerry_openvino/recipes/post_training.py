"""Int8 weights and activations with scales from calibration samples (NNCF's post-training quantization).

The fastest where the CPU multiplies int8 (VNNI, AMX). For transformers NNCF smooths outliers of
activations into weights first and leaves out what is known to spoil attention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import nncf

from skerry.engines import NotSupported
from skerry_openvino.arithmetic import Arithmetic
from skerry_openvino.building import read, save
from skerry_openvino.operators import is_transformer

if TYPE_CHECKING:
    import openvino as ov

    from skerry.engines import Ingredients


def build_int8(ingredients: Ingredients) -> None:
    """Write the candidate.

    Raises:
        NotSupported: NNCF finds nothing to quantize.
    """
    model = read(ingredients.source)
    quantized = nncf.quantize(
        model,
        nncf.Dataset(ingredients.calibration),
        subset_size=len(ingredients.calibration),
        model_type=model_type(model),
        target_device=nncf.TargetDevice.CPU,
    )
    require_quantized(quantized, "NNCF finds no operators in the model that it can quantize")
    save(quantized, ingredients.target, Arithmetic.FLOAT32)


def require_quantized(model: ov.Model, otherwise: str) -> None:
    """Check that something is quantized: a copy of the source is no build in int8.

    Raises:
        NotSupported: Nothing is; says `otherwise`.
    """
    if not any(operator.get_type_name() == "FakeQuantize" for operator in model.get_ops()):
        raise NotSupported(otherwise)


def model_type(model: ov.Model) -> nncf.ModelType | None:
    """Return what NNCF shall know of the model's family."""
    return nncf.ModelType.TRANSFORMER if is_transformer(model) else None
