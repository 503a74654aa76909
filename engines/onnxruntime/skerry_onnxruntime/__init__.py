"""ONNX Runtime as an engine: its description; other modules import the code next to it when they need it.

A new recipe is a file in recipes/, a line here, and a new version of the recipe set.
"""

from dataclasses import replace

from skerry.engines import (
    SKERRY_RUNTIME,
    EnginePlugin,
    Family,
    Hardware,
    Precision,
    Rank,
    Recipe,
)

_RECIPES = "skerry_onnxruntime.recipes"

DYNAMIC_INT8 = "dynamic-int8"
STATIC_INT8 = "static-int8"
WEIGHT_INT8 = "weight-int8-block128"
WEIGHT_INT8_FINE = "weight-int8-block32"
WEIGHT_INT4 = "weight-int4-block32"
FLOAT16 = "float16"
BFLOAT16 = "bfloat16"

ORDER: dict[Family, tuple[str, ...]] = {
    # Activations of transformers have outliers that one static scale can't hold; scales per call can.
    Family.TRANSFORMER: (
        WEIGHT_INT8, DYNAMIC_INT8, WEIGHT_INT8_FINE, WEIGHT_INT4, STATIC_INT8, FLOAT16, BFLOAT16,
    ),
    # Dynamic scales of a convolution cost more than int8 gains: 3.3 times slower than float32.
    Family.CONVOLUTIONAL: (
        STATIC_INT8, FLOAT16, BFLOAT16, WEIGHT_INT8, DYNAMIC_INT8, WEIGHT_INT8_FINE, WEIGHT_INT4,
    ),
    Family.OTHER: (
        DYNAMIC_INT8, WEIGHT_INT8, STATIC_INT8, WEIGHT_INT8_FINE, WEIGHT_INT4, FLOAT16, BFLOAT16,
    ),
}  # fmt: skip

_ANYWHERE = "runs on any CPU, int8 and int4"
RANKS = (
    Rank(Hardware.X86, 3, _ANYWHERE),
    Rank(Hardware.NVIDIA, 3, "on the CPU"),
    Rank(Hardware.APPLE, 3, _ANYWHERE),
    Rank(Hardware.NPU, 3, "on the CPU"),
    Rank(Hardware.EDGE_TPU, 2, "on the board's CPU; OpenVINO has no plug-in for the Edge TPU"),
    Rank(Hardware.ARM, 1, "int8, except for language models"),
    Rank(Hardware.OTHER, 1, _ANYWHERE),
)

ENGINE = EnginePlugin(
    name="ONNXRuntime",
    title="ONNX Runtime",
    platform="onnxruntime_onnx",
    distribution="onnxruntime",
    model_files=("model.onnx",),
    recipe_set="onnxruntime/2",
    recipes=(
        Recipe(DYNAMIC_INT8, Precision.INT8, f"{_RECIPES}.dynamic_int8:build_dynamic_int8"),
        Recipe(STATIC_INT8, Precision.INT8, f"{_RECIPES}.static_int8:build_static_int8"),
        Recipe(WEIGHT_INT8, Precision.INT8, f"{_RECIPES}.weight_only:build_weight_int8"),
        Recipe(WEIGHT_INT8_FINE, Precision.INT8, f"{_RECIPES}.weight_only:build_weight_int8_fine"),
        Recipe(WEIGHT_INT4, Precision.INT4, f"{_RECIPES}.weight_only:build_weight_int4"),
        Recipe(FLOAT16, Precision.FLOAT16, f"{_RECIPES}.float16:build_float16"),
        Recipe(BFLOAT16, Precision.BFLOAT16, f"{_RECIPES}.bfloat16:build_bfloat16"),
    ),
    order=ORDER,
    loader="skerry_onnxruntime.model:load",
    converter="skerry_onnxruntime.building:convert",
    optimizer="skerry_onnxruntime.building:optimize",
    server=replace(SKERRY_RUNTIME, environment=(("ORT_DISABLE_TELEMETRY", "1"),)),
    ranks=RANKS,
    baseline=True,
)
"""What the entry point names."""
