"""Weights of matrix multiplications in 8 or 4 bits, a scale per block; activations stay float.

Best for quality at a gain in size and memory; embeddings stay float. Accuracy level 4 lets the
multiplication itself run in int8: without it, this was slower than float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    MatMulNBitsQuantizer,
)

from skerry.engines import NotSupported

if TYPE_CHECKING:
    from skerry.engines import Ingredients

INT8_ARITHMETIC = 4
OPERATOR = "MatMulNBits"


def build_weight_int8(ingredients: Ingredients) -> None:
    """Write the candidate in 8 bits, a scale per 128 weights: the fastest of these."""
    _build(ingredients, bits=8, block=128)


def build_weight_int8_fine(ingredients: Ingredients) -> None:
    """Write the candidate in 8 bits, a scale per 32 weights: the most faithful of these."""
    _build(ingredients, bits=8, block=32)


def build_weight_int4(ingredients: Ingredients) -> None:
    """Write the candidate in 4 bits, a scale per 32 weights: the smallest of these."""
    _build(ingredients, bits=4, block=32)


def _build(ingredients: Ingredients, *, bits: int, block: int) -> None:
    config = DefaultWeightOnlyQuantConfig(
        block_size=block, is_symmetric=True, accuracy_level=INT8_ARITHMETIC, bits=bits
    )
    quantizer = MatMulNBitsQuantizer(onnx.load(ingredients.source), algo_config=config)
    quantizer.process()
    model = quantizer.model.model
    if not any(node.op_type == OPERATOR for node in model.graph.node):
        raise NotSupported(
            "the model has no MatMul by constant weights, the one operator that this shrinks"
        )
    ingredients.target.write_bytes(model.SerializeToString(deterministic=True))
