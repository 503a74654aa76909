"""Int8 weights and activations with scales from calibration samples, as QDQ pairs.

The recipe for convolutions, where computing scales in every call costs more than int8 gains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from skerry_onnxruntime.narrowing import require_fewer_floats, require_own_operators

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from skerry.engines import Ingredients

DOT_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
"""CPUs with these multiply int8 exactly; x86 without adds pairs in 16 bits, which overflow."""


class _Samples(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Hands the calibration samples out one by one, as ONNX Runtime asks for them."""

    def __init__(self, samples: Sequence[Mapping[str, NDArray[Any]]]) -> None:
        self._left = iter(samples)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next sample, or nothing after the last."""
        sample = next(self._left, None)
        return None if sample is None else dict(sample)


def build_static_int8(ingredients: Ingredients) -> None:
    """Write the candidate.

    Activations are QInt8 as the weights are: ONNX Runtime turns them into the form that the CPU
    multiplies fastest. Without exact dot products weights use 7 bits (its docs on quantization).

    Raises:
        NotSupported: Nothing in the model can be quantized so.
    """
    require_own_operators(ingredients.source)
    prepared = ingredients.source.with_name("prepared.onnx")
    # Convolutions swallow their batch normalization here; shapes let scales skip reshapes.
    quant_pre_process(ingredients.source, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        ingredients.target,
        _Samples(ingredients.calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=not DOT_PRODUCTS & ingredients.cpu_flags,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )
    require_fewer_floats(prepared, ingredients.target)
