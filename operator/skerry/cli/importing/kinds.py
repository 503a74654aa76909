"""The table from a file to its kind, and from a kind to its importer."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.cli.errors import CliError

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.cli.importing.contract import Importer

SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class Kind:
    """A kind of file that models come as.

    Attributes:
        title: for people.
        suffixes: of files, in lower case.
        importer: where it is, as pkgutil.resolve_name reads it.
        holds: the pattern of a file that a folder of this kind has in it; empty where it is a file.
    """

    title: str
    suffixes: tuple[str, ...]
    importer: str
    holds: str = ""

    def load(self) -> Importer:
        """Return the importer."""
        found: Importer = pkgutil.resolve_name(self.importer)
        return found


_HERE = "skerry.cli.importing"
KINDS = (
    Kind("ONNX", (".onnx",), f"{_HERE}.onnx_file:convert", "*.onnx"),
    Kind("ONNX as a model zoo packs it", (".tar.gz", ".tgz"), f"{_HERE}.onnx_file:convert"),
    Kind("pickle", (".pkl", ".pickle", ".joblib"), f"{_HERE}.pickles:convert"),
    Kind("XGBoost", (".json", ".ubj"), f"{_HERE}.xgboost_trees:convert"),
    Kind("LightGBM", (".txt",), f"{_HERE}.lightgbm_trees:convert"),
    Kind("PyTorch", (".pt2",), f"{_HERE}.pytorch:convert"),
    Kind("Keras", (".keras", ".h5"), f"{_HERE}.tensorflow_graph:convert_keras"),
    Kind("TensorFlow", (), f"{_HERE}.tensorflow_graph:convert_saved_model", SAVED_MODEL),
)
"""In order: a folder is of the first kind whose file it has."""

CURES = {
    (".pt", ".pth", ".bin", ".ckpt", ".safetensors"): (
        "this file holds weights without the model's code",
        "save the model itself: torch.export.save(torch.export.export(model, example), 'model.pt2')",
    ),
    (".pb", ".tflite"): (
        "graphs of this kind are not read",
        "save the model by model.export('folder') or as .keras, and import that",
    ),
}
"""Files that people have for a model and that hold none: what is wrong, and what to do."""


def kind_of(path: Path) -> Kind:
    """Return the kind of a file or folder.

    Raises:
        CliError: there is none, or it is of no kind that can be imported.
    """
    if not path.exists():
        raise CliError("there is no such file or folder", str(path), "name the model's file")
    if path.is_dir():
        found = (kind for kind in KINDS if kind.holds and any(path.glob(kind.holds)))
    else:
        name = path.name.lower()
        found = (kind for kind in KINDS if kind.suffixes and name.endswith(kind.suffixes))
    kind = next(found, None)
    if kind is None:
        raise CliError(*_unknown(path))
    return kind


def _unknown(path: Path) -> tuple[str, str, str]:
    for suffixes, (what, todo) in CURES.items():
        if path.suffix.lower() in suffixes:
            return what, str(path), todo
    known = ", ".join(suffix for kind in KINDS for suffix in kind.suffixes)
    return (
        "models of this kind are not imported",
        str(path),
        f"give one of {known}, or a SavedModel",
    )
