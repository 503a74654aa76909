"""LightGBM: boosters as it saves them, and its estimators from pickles, by onnxmltools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.cli.importing import graphs
from skerry.cli.importing.contract import TREES_OPSET, Imported, Original
from skerry.cli.importing.extras import exporting, require, version_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.cli.importing.contract import Arrays
    from skerry.cli.importing.samples import Samples

EXTRA = "import-lightgbm"
INPUT = "features"
CLASSIFYING = ("binary", "multiclass", "multiclassova")
CURE = "use trees without categorical splits on text, and update lightgbm and onnxmltools"


def convert(path: Path, samples: Samples | None) -> Imported:
    """Import a booster that LightGBM has saved; see `skerry.cli.importing.contract.Importer`."""
    lightgbm = require("lightgbm", EXTRA, path)
    with exporting("LightGBM", path, "save it by booster.save_model('model.txt')"):
        booster = lightgbm.Booster(model_file=str(path))
    return convert_object(booster, path, samples, ())


def convert_object(
    model: Any, path: Path, samples: Samples | None, warned: tuple[tuple[str, str], ...]
) -> Imported:
    """Import a booster, or an estimator that holds one.

    Args:
        model: of the package lightgbm.
        path: where it lies, for messages.
        samples: the user's data, which says how its columns are named.
        warned: what to report of it.

    Raises:
        CliError: the exporter is missing, or can't export it.
    """
    tools = require("onnxmltools", EXTRA, path)
    types = require("onnxmltools.convert.common.data_types", EXTRA, path)
    booster = model.booster_ if hasattr(model, "booster_") else model
    objective = str(booster.dump_model(num_iteration=1).get("objective", "")).partition(" ")[0]
    classifies = objective in CLASSIFYING
    with exporting("onnxmltools", path, CURE):
        made = tools.convert_lightgbm(
            model,
            initial_types=[(INPUT, types.FloatTensorType([None, booster.num_feature()]))],
            target_opset=TREES_OPSET,
            zipmap=False,
        )
    graphs.open_outputs(made)
    graphs.tidy(made)
    classes = getattr(model, "classes_", None)
    known = graphs.classes_in(made) if classes is None else tuple(np.asarray(classes).tolist())
    return Imported(
        made,
        version_of("onnxmltools"),
        (*warned, ("objective", objective), ("ZipMap", "off, so that scores are a tensor")),
        known if classifies else None,
        values=not classifies,
        columns=_columns(booster, samples),
        original=Original("LightGBM", made.graph.output[-1].name, _answers(booster), exact=True),
    )


def register(path: Path) -> None:
    """Teach skl2onnx the estimators of LightGBM, which pipelines of scikit-learn end with."""
    lightgbm = require("lightgbm", EXTRA, path)
    shapes = require("skl2onnx.common.shape_calculator", EXTRA, path)
    operators = require("onnxmltools.convert.lightgbm.operator_converters.LightGbm", EXTRA, path)
    skl2onnx = require("skl2onnx", EXTRA, path)
    for estimator, calculator, options in (
        (lightgbm.LGBMClassifier, shapes.calculate_linear_classifier_output_shapes,
         {"nocl": [True, False], "zipmap": [True, False, "columns"]}),
        (lightgbm.LGBMRegressor, shapes.calculate_linear_regressor_output_shapes, {"split": None}),
    ):  # fmt: skip
        skl2onnx.update_registered_converter(
            estimator, f"LightGbm{estimator.__name__}", calculator, operators.convert_lightgbm,
            options=options,
        )  # fmt: skip


def _columns(booster: Any, samples: Samples | None) -> tuple[str, ...]:
    """Return the names of the columns as the data has them, where LightGBM has replaced their spaces by `_`.

    It makes up Column_0 and so on where there were none.
    """
    names = tuple(booster.feature_name())
    if all(name == f"Column_{n}" for n, name in enumerate(names)):
        return ()
    own = samples.arrays if samples else ()
    spaced = {name.replace(" ", "_"): name for name in own}
    return tuple(name if name in own else spaced.get(name, name) for name in names)


def _answers(booster: Any) -> Callable[[Arrays], NDArray[Any]]:
    def answer(arrays: Arrays) -> NDArray[Any]:
        return np.asarray(booster.predict(arrays[INPUT]))

    return answer
