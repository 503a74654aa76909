"""What building for OpenVINO takes in addition to recipes: conversion, and saving so that names stay.

OpenVINO optimizes a graph for the CPU at hand while it loads, so there is no graph to store. Its
cache of compiled models is for one CPU alone, and is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import openvino as ov

from skerry.engines import ModelError
from skerry_openvino.apart import run_apart
from skerry_openvino.arithmetic import Arithmetic, write_arithmetic
from skerry_openvino.errors import reason_of
from skerry_openvino.model import version

if TYPE_CHECKING:
    from pathlib import Path


def convert(source: Path, target: Path) -> str:
    """Convert an ONNX file; see `skerry.engines.Converter`."""
    run_apart(f"OpenVINO {version()}, as it read {source.name},", _convert, source, target)
    return f"converted to OpenVINO's format by OpenVINO {version()}"


def _convert(source: Path, target: Path) -> None:
    try:
        model = ov.Core().read_model(str(source))
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO {version()} can't convert {source.name}: {reason_of(error)}"
        ) from error
    save(model, target, Arithmetic.FLOAT32)


def read(file: Path) -> ov.Model:
    """Read a model, weights in memory: a file that is mapped must not be written over."""
    core = ov.Core()
    core.set_property({"ENABLE_MMAP": False})
    return core.read_model(str(file))


def save(
    model: ov.Model, target: Path, arithmetic: Arithmetic, *, half_weights: bool = False
) -> None:
    """Save a model with the arithmetic that it is to be computed in.

    Args:
        model: Any; is changed.
        target: The .xml file; weights go into the .bin file next to it.
        arithmetic: See `skerry_openvino.arithmetic`.
        half_weights: Store float weights in 16 bits.
    """
    write_arithmetic(model, arithmetic)
    ov.save_model(model, str(target), compress_to_fp16=half_weights)
