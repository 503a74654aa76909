"""The family of a model, from the counts of its operators: pure, so that job and CLI agree.

The optimizer image reads the file; here the counts become words that the ranking of engines and of
recipes understand.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Family(StrEnum):
    """Which sort of network it is: decides which recipes are tried first."""

    TRANSFORMER = "Transformer"
    CONVOLUTIONAL = "Convolutional"
    OTHER = "Other"


ATTENTION = frozenset(
    {"Attention", "MultiHeadAttention", "GroupQueryAttention", "PackedAttention", "QAttention"}
)
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "FusedConv"})
QUANTIZABLE = CONVOLUTIONS | frozenset(
    {"MatMul", "Gemm", "FusedMatMul", "Gather", "LSTM", "Attention"}
)
"""Operators whose weights a recipe of this release can store in fewer bits."""


def family_of(operators: Mapping[str, int]) -> Family:
    """Return the family that follows from the count of each operator.

    Attention is one operator, or a Softmax between multiplications as often as there are layers. A
    vision transformer, which begins with one convolution, is a transformer; a classifier that ends
    in one Softmax is none.
    """
    convolutions = sum(operators.get(name, 0) for name in CONVOLUTIONS)
    multiplications = operators.get("MatMul", 0) + operators.get("FusedMatMul", 0)
    softmax = operators.get("Softmax", 0)
    attention = sum(operators.get(name, 0) for name in ATTENTION)
    # Each written-out attention multiplies twice (scores, values) in addition to its projections.
    if (
        not attention
        and multiplications >= 4 * softmax
        and operators.get("Transpose", 0) >= softmax
    ):
        attention = softmax
    if attention and attention >= convolutions / 4:
        return Family.TRANSFORMER
    return Family.CONVOLUTIONAL if convolutions else Family.OTHER


def quantizable_share(parameters: Mapping[str, int]) -> float:
    """Return the share (0 to 1) of the parameters that quantization can shrink.

    `parameters` counts the weights by the operator that uses them.
    """
    total = sum(parameters.values())
    shrinkable = sum(count for name, count in parameters.items() if name in QUANTIZABLE)
    return shrinkable / total if total else 0.0
