"""The recipes of ONNX Runtime: each makes one candidate of the float32 source.

`skerry.decide.select` says which are tried, and in which order; this table says how each is made.
A new recipe is a file here, a line below, a name there, and a new version of the recipe set.
"""

from skerry.api.common import Precision
from skerry.decide import select
from skerry_optimizer.recipes.recipe import Ingredients, NotSupported, Recipe

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(select.DYNAMIC_INT8, Precision.INT8, "dynamic_int8:build_dynamic_int8"),
        Recipe(select.STATIC_INT8, Precision.INT8, "static_int8:build_static_int8"),
        Recipe(select.WEIGHT_INT8, Precision.INT8, "weight_only:build_weight_int8"),
        Recipe(select.WEIGHT_INT8_FINE, Precision.INT8, "weight_only:build_weight_int8_fine"),
        Recipe(select.WEIGHT_INT4, Precision.INT4, "weight_only:build_weight_int4"),
        Recipe(select.FLOAT16, Precision.FLOAT16, "float16:build_float16"),
        Recipe(select.BFLOAT16, Precision.BFLOAT16, "bfloat16:build_bfloat16"),
    )
}
"""By name; the converted source itself is a candidate too and needs no making."""

__all__ = ["RECIPES", "Ingredients", "NotSupported", "Recipe"]
