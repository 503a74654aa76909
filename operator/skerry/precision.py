"""Number formats by name; apart from the API models, so that a serving process needs no pydantic."""

from __future__ import annotations

from enum import StrEnum


class Precision(StrEnum):
    """The number format that the weights (and for Int8 the arithmetic) of a build use."""

    FLOAT64 = "Float64"
    FLOAT32 = "Float32"
    FLOAT16 = "Float16"
    BFLOAT16 = "BFloat16"
    INT8 = "Int8"
    INT4 = "Int4"
