"""Weights in 8 or 4 bits, embeddings included; activations stay float.

Best for memory, and for quality at that size. The CPU plug-in quantizes activations in groups for
the multiplication itself where that is faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import nncf

from skerry.engines import NotSupported
from skerry_openvino.arithmetic import Arithmetic
from skerry_openvino.building import read, save

if TYPE_CHECKING:
    import openvino as ov

    from skerry.engines import Ingredients

GROUP = 64
"""Weights that share a scale in 4 bits: divides the widths of almost all transformers."""

INTEGERS = {"i8", "u8", "i4", "u4"}


def build_weight_int8(ingredients: Ingredients) -> None:
    """Write the candidate in 8 bits, a scale and a zero point per channel."""
    model = read(ingredients.source)
    _finish(nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM), ingredients)


def build_weight_int4(ingredients: Ingredients) -> None:
    """Write the candidate in 4 bits, a scale per group; embeddings and the last layer in 8.

    Scales are the weights' own: fitted to calibration samples (NNCF's scale_estimation) MiniLM's
    answers have nothing to do with the source's (cosine 0.01, against 0.96 like this).
    """
    model = nncf.compress_weights(
        read(ingredients.source),
        mode=nncf.CompressWeightsMode.INT4_SYM,
        ratio=1.0,
        group_size=GROUP,
    )
    _finish(model, ingredients)


def _finish(model: ov.Model, ingredients: Ingredients) -> None:
    if not any(
        operator.get_type_name() == "Constant"
        and operator.get_element_type().get_type_name() in INTEGERS
        and len(operator.get_output_shape(0)) > 1
        for operator in model.get_ops()
    ):
        raise NotSupported("the model has no multiplication by constant weights to shrink")
    save(model, ingredients.target, Arithmetic.FLOAT32)
