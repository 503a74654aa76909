"""The stages of an optimization job by the names of its status.

They lie apart from the API models, so that a container with nothing to do needs no pydantic to know them.
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """The stages of an optimization job in order. Each is one container of its pod, Validation two."""

    BASELINE_MEASUREMENT = "BaselineMeasurement"
    FORMAT_CONVERSION = "FormatConversion"
    QUANTIZATION = "Quantization"
    HARDWARE_ACCELERATION = "HardwareAcceleration"
    VALIDATION = "Validation"
