"""TensorFlow and Keras: SavedModels, and models as Keras saves them, by tf2onnx."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from skerry.cli.errors import CliError
from skerry.cli.importing import graphs
from skerry.cli.importing.contract import OPSETS, Imported, Original
from skerry.cli.importing.extras import MOST_WORDS, exporting, require, version_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from skerry.cli.importing.contract import Arrays
    from skerry.cli.importing.samples import Samples

EXTRA = "import-tensorflow"
SIGNATURE = "serving_default"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
CURE = "export a signature of tensors alone: model.export('folder')"


def convert_keras(path: Path, samples: Samples | None) -> Imported:
    """Import a model that Keras has saved; see `skerry.cli.importing.contract.Importer`.

    It becomes a SavedModel on the way, by Keras itself.
    """
    tensorflow = _tensorflow(path)
    with tempfile.TemporaryDirectory() as folder:
        with exporting(
            "Keras", path, "define its own layers where it is saved, or model.export it"
        ):
            model = tensorflow.keras.models.load_model(path, compile=False)
            model.export(folder, format="tf_saved_model", verbose=False)
        return _convert(Path(folder), path, samples, (("way", "SavedModel, as Keras exports it"),))


def convert_saved_model(path: Path, samples: Samples | None) -> Imported:
    """Import a SavedModel; see `skerry.cli.importing.contract.Importer`."""
    return _convert(path, path, samples, ())


def _convert(
    folder: Path, named: Path, _: Samples | None, choices: tuple[tuple[str, str], ...]
) -> Imported:
    tensorflow = _tensorflow(named)
    require("tf2onnx", EXTRA, named)
    with exporting("TensorFlow", named, CURE):
        loaded = tensorflow.saved_model.load(str(folder))
        if SIGNATURE not in loaded.signatures:
            raise ValueError(f"it has no signature {SIGNATURE}")
    made = _exported(folder, named)
    graphs.tidy(made)
    first = made.graph.output[0].name
    return Imported(
        made,
        version_of("tf2onnx"),
        (*choices, ("signature", SIGNATURE)),
        original=Original("TensorFlow", first, _answers(tensorflow, loaded, first)),
    )


def _tensorflow(path: Path) -> Any:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    return require("tensorflow", EXTRA, path)


def _exported(folder: Path, named: Path) -> Any:
    """Run tf2onnx as its documentation says, by its command, and return what it wrote."""
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "model.onnx"
        done = subprocess.run(
            [sys.executable, "-m", "tf2onnx.convert", "--saved-model", folder, "--output", target,
             "--opset", str(OPSETS[""]), "--signature_def", SIGNATURE],
            capture_output=True, text=True, check=False, env={**os.environ, **QUIET},
        )  # fmt: skip
        if done.returncode or not target.is_file():
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:MOST_WORDS]
            raise CliError(f"tf2onnx can't export it: {said}", str(named), CURE)
        return onnx.load(target)


def _answers(tensorflow: Any, loaded: Any, first: str) -> Callable[[Arrays], NDArray[Any]]:
    def answer(arrays: Arrays) -> NDArray[Any]:
        signature = loaded.signatures[SIGNATURE]  # its variables live as long as `loaded` does
        names = signature.structured_input_signature[1]
        found = signature(**{name: tensorflow.constant(arrays[name]) for name in names})
        return np.asarray(found[first] if first in found else next(iter(found.values())))

    return answer
