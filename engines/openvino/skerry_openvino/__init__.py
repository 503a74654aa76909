"""OpenVINO with NNCF as an engine: its description; other modules import the code next to it when they need it.

A new recipe is a file in recipes/, a line here, and a new version of the recipe set.
"""

from skerry.engines import EnginePlugin, Family, Hardware, Precision, Rank, Recipe

_RECIPES = "skerry_openvino.recipes"

PTQ_INT8 = "ptq-int8"
PTQ_INT8_ACCURATE = "ptq-int8-accurate"
WEIGHT_INT8 = "weight-int8"
WEIGHT_INT4 = "weight-int4"
WEIGHT_FLOAT16 = "weight-float16"
FLOAT16 = "float16"
BFLOAT16 = "bfloat16"

ORDER: dict[Family, tuple[str, ...]] = {
    # NNCF smooths the outliers of a transformer's activations, so static scales hold there too.
    Family.TRANSFORMER: (
        WEIGHT_INT8, PTQ_INT8, BFLOAT16, WEIGHT_INT4, PTQ_INT8_ACCURATE, WEIGHT_FLOAT16, FLOAT16,
    ),
    # Convolutions compute in int8 only with static scales; weights alone save their size, no time.
    Family.CONVOLUTIONAL: (
        PTQ_INT8, BFLOAT16, PTQ_INT8_ACCURATE, WEIGHT_INT8, FLOAT16, WEIGHT_FLOAT16, WEIGHT_INT4,
    ),
    Family.OTHER: (
        PTQ_INT8, WEIGHT_INT8, BFLOAT16, PTQ_INT8_ACCURATE, WEIGHT_INT4, WEIGHT_FLOAT16, FLOAT16,
    ),
}  # fmt: skip

RANKS = (
    Rank(Hardware.X86, 1, "int8 with VNNI or AMX where the CPU has them"),
    Rank(Hardware.NVIDIA, 2, "on the CPU"),
    Rank(Hardware.NPU, 1, "int8 with fallback to the CPU"),
    Rank(Hardware.ARM, 3, "second choice"),
)

ENGINE = EnginePlugin(
    name="OpenVINO",
    title="OpenVINO",
    platform="openvino_ir",
    distribution="openvino",
    model_files=("model.xml", "model.bin"),
    recipe_set="openvino/4",
    recipes=(
        Recipe(PTQ_INT8, Precision.INT8, f"{_RECIPES}.post_training:build_int8"),
        Recipe(
            PTQ_INT8_ACCURATE, Precision.INT8, f"{_RECIPES}.accuracy_control:build_accurate_int8"
        ),
        Recipe(WEIGHT_INT8, Precision.INT8, f"{_RECIPES}.weight_only:build_weight_int8"),
        Recipe(WEIGHT_INT4, Precision.INT4, f"{_RECIPES}.weight_only:build_weight_int4"),
        Recipe(WEIGHT_FLOAT16, Precision.FLOAT16, f"{_RECIPES}.half:build_weight_float16"),
        Recipe(FLOAT16, Precision.FLOAT16, f"{_RECIPES}.half:build_float16"),
        Recipe(BFLOAT16, Precision.BFLOAT16, f"{_RECIPES}.half:build_bfloat16"),
    ),
    order=ORDER,
    loader="skerry_openvino.model:load",
    converter="skerry_openvino.building:convert",
    ranks=RANKS,
)
"""What the entry point names."""
