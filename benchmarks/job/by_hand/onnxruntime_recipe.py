"""Weight-only int8 in blocks of 128 by ONNX Runtime's own API: `onnxruntime_recipe.py MODEL WORK`."""

from __future__ import annotations

import sys
from pathlib import Path

RECIPE = "weight-int8-block128"
FILES = {"source": "source.onnx", RECIPE: f"{RECIPE}.onnx"}


def main() -> None:
    """Check, quantize, store the optimized graphs, see that they run."""
    import onnx  # noqa: PLC0415 - the names above are all that the other script needs
    import onnxruntime as ort  # noqa: PLC0415
    from onnxruntime.quantization.matmul_nbits_quantizer import (  # noqa: PLC0415
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    source, work = Path(sys.argv[1]), Path(sys.argv[2])
    model = onnx.load(source)
    onnx.checker.check_model(model)
    config = DefaultWeightOnlyQuantConfig(
        block_size=128, is_symmetric=True, accuracy_level=4, bits=8
    )
    quantizer = MatMulNBitsQuantizer(model, algo_config=config)
    quantizer.process()
    quantized = work / "quantized.onnx"
    onnx.save(quantizer.model.model, quantized)
    for name, file in (("source", source), (RECIPE, quantized)):
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(work / FILES[name])
        ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
