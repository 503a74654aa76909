"""scikit-learn: estimators and pipelines, with those of XGBoost and LightGBM inside, by skl2onnx."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.cli.errors import CliError
from skerry.cli.importing import graphs
from skerry.cli.importing.contract import OPSETS, Imported, Original
from skerry.cli.importing.extras import exporting, require, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.cli.importing.contract import Arrays
    from skerry.cli.importing.samples import Samples

EXTRA = "import-sklearn"
INPUT = "features"
CURE = "replace that step by one that skl2onnx has, or write the ONNX file yourself and import it"


def convert_object(
    model: Any, path: Path, samples: Samples | None, warned: tuple[tuple[str, str], ...]
) -> Imported:
    """Import a fitted estimator or pipeline.

    Args:
        model: has `predict` or `transform`.
        path: where it lies, for messages.
        samples: a table says which columns are text.
        warned: what to report of it.

    Raises:
        CliError: the exporter is missing or can't export it, or the data lacks a column.
    """
    skl2onnx = require("skl2onnx", EXTRA, path)
    model = getattr(model, "best_estimator_", model)  # of a search, what it has found
    _register(path)
    by_column = samples is not None and samples.table and _takes_columns(model, samples)
    inputs = _columns(model, samples) if by_column and samples else [(INPUT, _rows(model, path))]
    classes = getattr(model, "classes_", None)
    named = _names(model, samples) if by_column and samples else []
    with exporting("skl2onnx", path, CURE), _by_name(model, named):
        made = _exported(skl2onnx, model, inputs)
    graphs.without_zipmap(made)
    graphs.in_any_locale(made)
    graphs.tidy(made)
    how = (
        "one input for each column of the table" if by_column else f"one, `{INPUT}`, of all columns"
    )
    zipmap = () if classes is None else (("ZipMap", "off, so that scores are a tensor"),)
    return Imported(
        made,
        version_of("skl2onnx"),
        (("estimator", _title(model)), *warned, ("inputs", how), *zipmap),
        None if classes is None else _plain(classes),
        values=bool(import_module("sklearn.base").is_regressor(model)),
        columns=() if by_column else tuple(map(str, getattr(model, "feature_names_in_", ()))),
        original=_original(model, made, samples, by_column=by_column),
    )


def _exported(skl2onnx: Any, model: Any, inputs: list[tuple[str, Any]]) -> Any:
    """Export without ZipMap; some classifiers that never have one refuse the option."""
    for step in (model, *(step for _, step in getattr(model, "steps", ()))):
        if getattr(step, "flatten_transform", False):
            step.flatten_transform = (
                False  # of a transform that no answer uses, and skl2onnx refuses it
            )
    convert = partial(skl2onnx.convert_sklearn, model, initial_types=inputs, target_opset=OPSETS)
    try:
        return convert(options={id(model): {"zipmap": False}})
    except (
        NameError
    ):  # of an option; said of the class, that there are none holds for its pipeline too
        steps = getattr(model, "steps", None)
        return convert(options={type(steps[-1][1] if steps else model): {}})


def _title(model: Any) -> str:
    """Return what an estimator is, for people."""
    steps = ", ".join(type(step).__name__ for _, step in getattr(model, "steps", ()))
    return type(model).__name__ + (f" of {steps}" if steps else "")


def _register(path: Path) -> None:
    """Add the converters of other libraries that the pickle has imported."""
    if "xgboost" in sys.modules:
        from skerry.cli.importing import xgboost_trees  # noqa: PLC0415 - only with such a step

        xgboost_trees.register(path)
    if "lightgbm" in sys.modules:
        from skerry.cli.importing import lightgbm_trees  # noqa: PLC0415 - only with such a step

        lightgbm_trees.register(path)


def _rows(model: Any, path: Path) -> Any:
    """Return the type of an only input with all columns."""
    types = require("skl2onnx.common.data_types", EXTRA, path)
    if _reads_documents(model):
        return types.StringTensorType([None, 1])
    width = getattr(model, "n_features_in_", None)
    if width is None:
        raise CliError("the estimator is not fitted", str(path), "fit it, and dump it again")
    return types.FloatTensorType([None, int(width)])


def _names(model: Any, samples: Samples) -> list[str]:
    """Return the columns that the pipeline was fitted on: by its names for them, or all of the table's."""
    return [str(name) for name in getattr(model, "feature_names_in_", samples.arrays)]


def _reads_documents(model: Any) -> bool:
    """Return whether a pipeline begins with a vectorizer of text, which takes one document for each sample."""
    return any(hasattr(step, "build_analyzer") for step in _steps(model))


def _takes_columns(model: Any, samples: Samples) -> bool:
    """Return whether the pipeline takes columns one by one: by a ColumnTransformer, or since some hold text."""
    names = _names(model, samples)
    if _reads_documents(model):
        return False
    if len(names) != getattr(model, "n_features_in_", len(names)):
        return False
    text = any(samples.arrays[n].dtype.kind == "U" for n in names if n in samples.arrays)
    return text or any(hasattr(step, "transformers_") for step in _steps(model))


def _columns(model: Any, samples: Samples) -> list[tuple[str, Any]]:
    """Return an input for each column that the pipeline uses, typed as the table has it."""
    types = import_module("skl2onnx.common.data_types")
    names = _names(model, samples)
    groups = _groups(model, names) or [names]
    used = [name for name in names if any(name in group for group in groups)]
    missing = [name for name in used if name not in samples.arrays]
    if missing:
        raise CliError(
            f"it lacks the columns {', '.join(missing)}, which the model was trained with",
            samples.place,
            "add them to the file, under these names",
        )
    kinds = {name: str(samples.arrays[name].dtype.kind) for name in used}
    for group in groups:
        _make_alike(group, kinds)
    made = {"U": types.StringTensorType, "i": types.Int64TensorType}
    return [(name, made.get(kinds[name], types.FloatTensorType)([None, 1])) for name in used]


def _groups(model: Any, names: list[str]) -> list[list[str]]:
    """Return the columns that each transformer takes, without those that are dropped."""
    return [
        _named(columns, names)
        for step in _steps(model)
        for _, transformer, columns in getattr(step, "transformers_", ())
        if transformer != "drop"
    ]


def _make_alike(group: list[str], kinds: dict[str, str]) -> None:
    """Give the number columns of one transformer one type: it takes them as one matrix."""
    if len({kinds[name] for name in group} & {"i", "f"}) > 1:
        kinds.update((name, "f") for name in group if kinds[name] == "i")


def _named(columns: Any, names: list[str]) -> list[str]:
    """Return the names of a transformer's columns, however they were chosen."""
    chosen = [columns] if isinstance(columns, str | int) else columns
    if isinstance(chosen, slice):
        start, stop = chosen.start, chosen.stop
        start = names.index(start) if isinstance(start, str) else start
        stop = names.index(stop) + 1 if isinstance(stop, str) else stop  # names: the last one too
        return names[start : stop : chosen.step]
    array = np.asarray(chosen)
    if array.dtype.kind == "b":
        return [name for name, taken in zip(names, array, strict=True) if taken]
    return [names[one] if isinstance(one, int | np.integer) else str(one) for one in chosen]


@contextmanager
def _by_name(model: Any, names: list[str]) -> Iterator[None]:
    """Let skl2onnx see columns by name: it counts places among those in use, and knows no slices of names."""
    steps = [(step, step.transformers_) for step in _steps(model) if hasattr(step, "transformers_")]
    for step, transformers in steps if names else ():
        step.transformers_ = [
            (key, one, _named(columns, names)) for key, one, columns in transformers
        ]
    try:
        yield
    finally:
        for step, transformers in steps:
            step.transformers_ = transformers


def _steps(model: Any) -> Iterator[Any]:
    """Yield an estimator and what it is made of, as far as that sees the columns themselves."""
    yield model
    if steps := getattr(model, "steps", None):
        yield from _steps(steps[0][1])


def _original(
    model: Any, made: Any, samples: Samples | None, *, by_column: bool
) -> Original | None:
    """Return the estimator to compare with, where it can be asked."""
    method = next((m for m in ("predict", "transform") if hasattr(model, m)), None)
    frame = _frame(model, samples) if by_column else _matrix(model)
    if method is None or frame is None:
        return None

    def answer(arrays: Arrays) -> NDArray[Any]:
        found = getattr(model, method)(frame(arrays))
        return np.asarray(found.toarray() if hasattr(found, "toarray") else found)

    return Original("scikit-learn", made.graph.output[0].name, answer, exact=True)


def _matrix(model: Any) -> Callable[[Arrays], Any]:
    """Return how the only input becomes what the pipeline was fitted on: rows, or documents."""
    if _reads_documents(model):
        return lambda arrays: arrays[INPUT].ravel().astype(object)
    return lambda arrays: arrays[INPUT]


def _frame(model: Any, samples: Samples | None) -> Callable[[Arrays], Any] | None:
    """Return how columns become what the pipeline was fitted on: a DataFrame, or an array of objects."""
    if samples is None:
        return None
    if not hasattr(model, "feature_names_in_"):
        return lambda arrays: np.concatenate([a.astype(object) for a in arrays.values()], axis=1)
    try:
        pandas = import_module("pandas")
    except ModuleNotFoundError:
        return None

    def frame(arrays: Arrays) -> Any:
        count = len(next(iter(arrays.values())))
        unused = np.full(count, np.nan)
        names = model.feature_names_in_
        return pandas.DataFrame(
            {name: arrays[name][:, 0] if name in arrays else unused for name in names}
        )

    return frame


def _plain(classes: Any) -> tuple[Any, ...] | None:
    """Return classes as Python's own values; None for several outputs, which have lists of them."""
    array = np.asarray(classes) if not isinstance(classes, list) else None
    return None if array is None else tuple(array.tolist())
