"""Pickled models: opened, which runs code of whoever made them, and given to the importer of their library."""

from __future__ import annotations

import pickle
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from skerry.cli.errors import CliError
from skerry.jobs.ending import first_line

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.cli.importing.contract import Imported
    from skerry.cli.importing.samples import Samples

EXTRAS = {"sklearn": "import-sklearn", "xgboost": "import-xgboost", "lightgbm": "import-lightgbm"}
"""Packages that a pickle may need, and the extra that brings each."""


def convert(path: Path, samples: Samples | None) -> Imported:
    """Import a pickled model; see `skerry.cli.importing.contract.Importer`."""
    model, warned = opened(path)
    library = _library_of(model)
    if library == "xgboost":
        from skerry.cli.importing import xgboost_trees as importer  # noqa: PLC0415 - what is needed
    elif library == "lightgbm":
        from skerry.cli.importing import lightgbm_trees as importer  # type: ignore[no-redef]  # noqa: PLC0415
    elif hasattr(model, "get_params") and hasattr(model, "fit"):
        from skerry.cli.importing import scikit_learn as importer  # type: ignore[no-redef]  # noqa: PLC0415
    else:
        raise CliError(
            f"the pickle holds a {type(model).__name__}, and no model of scikit-learn, XGBoost or LightGBM",
            str(path),
            "dump the fitted estimator or pipeline itself: joblib.dump(pipeline, 'model.joblib')",
        )
    return importer.convert_object(model, path, samples, warned)


def opened(path: Path) -> tuple[Any, tuple[tuple[str, str], ...]]:
    """Return what a pickle holds, and what its libraries warn of, for people.

    Raises:
        CliError: a package that it needs is missing, or it is damaged.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = _loaded(path)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            extra = EXTRAS.get(package)
            raise CliError(
                f"the pickle needs the package {package}",
                str(path),
                f"pip install 'skerry[{extra}]'"
                if extra
                else f"run this where {package} can be imported",
            ) from error
        except Exception as error:  # a pickle runs any code, which may raise anything
            raise CliError(
                f"the pickle can't be opened: {type(error).__name__}: {first_line(error)[:100]}",
                str(path),
                "open it with the versions it was saved with, or save it again by joblib.dump",
            ) from error
    names = dict.fromkeys(type(one.message).__name__ for one in caught)
    versions = [name for name in names if name == "InconsistentVersionWarning"]
    return model, tuple(
        ("pickle", "it was saved by another version of scikit-learn") for _ in versions
    )


def _loaded(path: Path) -> Any:
    """Read by joblib, which reads plain pickles too, where there is one."""
    try:
        return import_module("joblib").load(path)
    except ModuleNotFoundError as error:
        if error.name != "joblib":
            raise
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - the user names it, and --help says what that means


def _library_of(model: Any) -> str:
    return type(model).__module__.partition(".")[0]
