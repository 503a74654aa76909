"""Floats of 16 bits: as storage alone, or as the arithmetic where the CPU has it.

Stored weights are float16 in each case: float16 has more digits than bfloat16, and weights that it
can't hold stay in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import openvino as ov

from skerry.engines import NotSupported
from skerry_openvino.arithmetic import Arithmetic, lacks
from skerry_openvino.building import read, save

if TYPE_CHECKING:
    from skerry.engines import Ingredients


def build_weight_float16(ingredients: Ingredients) -> None:
    """Write the candidate with weights in float16, computed in float32: half the size, any CPU."""
    save(read(ingredients.source), ingredients.target, Arithmetic.FLOAT32, half_weights=True)


def build_float16(ingredients: Ingredients) -> None:
    """Write the candidate to be computed in float16."""
    _build(ingredients, Arithmetic.FLOAT16)


def build_bfloat16(ingredients: Ingredients) -> None:
    """Write the candidate to be computed in bfloat16."""
    _build(ingredients, Arithmetic.BFLOAT16)


def _build(ingredients: Ingredients, arithmetic: Arithmetic) -> None:
    if lacks(ov.Core(), arithmetic):
        raise NotSupported(
            f"this CPU has no {arithmetic.name.lower()} arithmetic: OpenVINO would compute it in"
            " another format"
        )
    save(read(ingredients.source), ingredients.target, arithmetic, half_weights=True)
