"""What an OpenVINO model is made of, in the words of `skerry.models.assess`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from skerry.engines import Family, family_of

if TYPE_CHECKING:
    import openvino as ov

_ONNX_NAMES = {
    "Convolution": "Conv",
    "GroupConvolution": "Conv",
    "ConvolutionBackpropData": "ConvTranspose",
    "ScaledDotProductAttention": "Attention",
}
"""Operators with other names in ONNX, whose names decide the family."""


def is_transformer(model: ov.Model) -> bool:
    """Return whether the model is a transformer."""
    kinds = (operator.get_type_name() for operator in model.get_ops())
    return family_of(Counter(_ONNX_NAMES.get(kind, kind) for kind in kinds)) is Family.TRANSFORMER
