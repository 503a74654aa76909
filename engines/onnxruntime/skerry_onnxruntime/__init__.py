"""ONNX Runtime as an engine: its description; the code beside it is imported by who needs it.

A new recipe is a file in recipes/, a line here, and a new version of the recipe set.
"""

from skerry.engines import EnginePlugin, Recipe
from skerry.models.assess import Family
from skerry.precision import Precision

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

ENGINE = EnginePlugin(
    name="ONNXRuntime",
    title="ONNX Runtime",
    platform="onnxruntime_onnx",
    distribution="onnxruntime",
    model_files=("model.onnx",),
    recipe_set="onnxruntime/1",
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
    optimiser="skerry_onnxruntime.building:optimise",
)
"""What the entry point names."""
