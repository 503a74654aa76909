"""XGBoost: boosters as it saves them, and its estimators from pickles, by onnxmltools."""

from __future__ import annotations

import json
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

EXTRA = "import-xgboost"
INPUT = "features"
CLASSIFYING = ("binary:", "multi:")
NAMES_CLASS = {"multi:softmax", "binary:hinge"}
"""The objectives whose answers are classes, and no scores."""
CURE = "use a booster of trees (gbtree), and update xgboost and onnxmltools"


def convert(path: Path, samples: Samples | None) -> Imported:
    """Import a booster that XGBoost has saved; see `skerry.cli.importing.contract.Importer`."""
    xgboost = require("xgboost", EXTRA, path)
    with exporting("XGBoost", path, "save it by model.save_model('model.ubj')"):
        booster = xgboost.Booster(model_file=str(path))
    return convert_object(booster, path, samples, ())


def convert_object(
    model: Any, path: Path, _: Samples | None, warned: tuple[tuple[str, str], ...]
) -> Imported:
    """Import a booster, or an estimator that holds one.

    Args:
        model: of the package xgboost.
        path: where it lies, for messages.
        warned: what to report of it.

    Raises:
        CliError: the exporter is missing, or can't export it.
    """
    tools = require("onnxmltools", EXTRA, path)
    types = require("onnxmltools.convert.common.data_types", EXTRA, path)
    booster, stopped = _booster(model)
    names = tuple(booster.feature_names or ())
    booster.feature_names = None  # the exporter takes no names but its own
    booster.feature_types = None
    width = int(booster.num_features())
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    with exporting("onnxmltools", path, CURE):
        made = tools.convert_xgboost(
            booster,
            initial_types=[(INPUT, types.FloatTensorType([None, width]))],
            target_opset=TREES_OPSET,
        )
    graphs.open_outputs(made)
    graphs.tidy(made)
    classifies = objective.startswith(CLASSIFYING)
    compared = made.graph.output[0 if objective in NAMES_CLASS else -1].name
    return Imported(
        made,
        version_of("onnxmltools"),
        (*warned, ("objective", objective), *stopped),
        graphs.classes_in(made) if classifies else None,
        values=not classifies,
        columns=names,
        original=Original("XGBoost", compared, _answers(booster, path), exact=True),
    )


def register(path: Path) -> None:
    """Teach skl2onnx the estimators of XGBoost, which pipelines of scikit-learn end with."""
    xgboost = require("xgboost", EXTRA, path)
    shapes = require("skl2onnx.common.shape_calculator", EXTRA, path)
    operators = require("onnxmltools.convert.xgboost.operator_converters.XGBoost", EXTRA, path)
    skl2onnx = require("skl2onnx", EXTRA, path)
    for estimator, calculator, options in (
        (xgboost.XGBClassifier, shapes.calculate_linear_classifier_output_shapes,
         {"nocl": [True, False], "zipmap": [True, False, "columns"]}),
        (xgboost.XGBRegressor, shapes.calculate_linear_regressor_output_shapes, {}),
    ):  # fmt: skip
        skl2onnx.update_registered_converter(
            estimator, f"XGBoost{estimator.__name__}", calculator, operators.convert_xgboost,
            options=options,
        )  # fmt: skip


def _booster(model: Any) -> tuple[Any, tuple[tuple[str, str], ...]]:
    """Return the trees that the model answers with: an estimator stops at its best round."""
    alone = not hasattr(model, "get_booster")
    booster = model if alone else model.get_booster()
    best = booster.attr("best_iteration")
    if best is None:
        return booster, ()
    if alone:
        rounds = booster.num_boosted_rounds()
        said = f"all {rounds} rounds, as Booster.predict does; to stop at the best, {best}, import a pickle"
        return booster, (("trees", said),)
    kept = booster[: int(best) + 1]
    return kept, (
        ("trees", f"up to round {best}, the best of early stopping, as its predict does"),
    )


def _answers(booster: Any, path: Path) -> Callable[[Arrays], NDArray[Any]]:
    xgboost = require("xgboost", EXTRA, path)

    def answer(arrays: Arrays) -> NDArray[Any]:
        return np.asarray(booster.predict(xgboost.DMatrix(arrays[INPUT])))

    return answer
