"""Builder of measured recipe results for the tables."""

from skerry.api.modelvariant import Interval, RecipeOutcome, RecipeResult
from skerry.precision import Precision


def interval(value: float, low: float | None = None, high: float | None = None) -> Interval:
    """Return an interval around `value`; a point unless bounds are given."""
    bounds = value if low is None else low, value if high is None else high
    return Interval(value=f"{value:.4f}", low=f"{bounds[0]:.4f}", high=f"{bounds[1]:.4f}")


def recipe_result(
    recipe: str = "int8", **fields: Interval | RecipeOutcome | int | str | None
) -> RecipeResult:
    """Return a recipe result that passes everything except `fields`."""
    defaults: dict[str, object] = {
        "quality": interval(0.99, 0.98, 0.995),
        "cosine": interval(0.999),
        "movement": interval(0.03, 0.02, 0.04),
        "speedup": interval(2.2, 2.1, 2.3),
        "memory_reduction": interval(0.6, 0.55, 0.62),
        "bytes": 20_000_000,
    }
    return RecipeResult.model_validate(
        {"recipe": recipe, "precision": Precision.INT8} | defaults | fields
    )
