"""An ONNX file as it is, alone or as model zoos pack it: with samples and answers as tensors in files."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, numpy_helper

from skerry.cli.errors import CliError
from skerry.cli.importing import graphs
from skerry.cli.importing.contract import Imported, Original
from skerry.cli.importing.extras import exporting
from skerry.cli.importing.samples import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from skerry.cli.importing.contract import Arrays

SETS = "test_data_set_*"
CURE = "download or export it again"


def convert(path: Path, _: Samples | None) -> Imported:
    """Import an ONNX file; see `skerry.cli.importing.contract.Importer`."""
    if path.name.lower().endswith((".tar.gz", ".tgz")):
        with tempfile.TemporaryDirectory() as folder:
            with exporting("tarfile", path, CURE), tarfile.open(path) as archive:
                archive.extractall(folder, filter="data")
            return _read(_file_in(Path(folder), path), path, keep=True)
    return _read(_file_in(path, path), path, keep=False)


def _file_in(place: Path, named: Path) -> Path:
    """Return the only ONNX file at a place."""
    if place.is_file():
        return place
    files = sorted(place.rglob("*.onnx"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files[:4]) or "none"
        raise CliError(
            f"it has {len(files)} ONNX files ({names})", str(named), "name the one to import"
        )
    return files[0]


def _read(file: Path, named: Path, *, keep: bool) -> Imported:
    with exporting("onnx", named, CURE):
        model = onnx.load(file, load_external_data=keep)
    companions = {} if keep else _companions(file, model)
    choices = [("graph", "left as it is")]
    if graphs.without_zipmap(model):
        choices = [("ZipMap", "cut off: the scores themselves are answered")]
    read = (_tensors(one, model) for one in sorted(file.parent.glob(SETS)))
    sets = [one for one in read if one[0]]
    shipped = _shipped(named, sets)
    return Imported(
        model,
        "none: it is ONNX already",
        tuple(choices),
        graphs.classes_in(model),
        original=_original(model, sets),
        companions=companions,
        shipped=shipped,
    )


def _companions(file: Path, model: ModelProto) -> dict[str, Path]:
    """Return the files that hold weights, by the names that the model has for them."""
    tensors = external_data_helper._get_all_tensors(model)  # noqa: SLF001 - has no public name
    names = {
        entry.value
        for tensor in tensors
        if external_data_helper.uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    missing = sorted(name for name in names if not (file.parent / name).is_file())
    if missing:
        raise CliError(
            f"it keeps weights in {missing[0]}, which is not next to it",
            str(file),
            "put all files of the model into one folder",
        )
    return {name: file.parent / name for name in sorted(names)}


def _tensors(folder: Path, model: ModelProto) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs and outputs of a set, by the model's names; files are numbered in its order."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in weights]
    outputs = [value.name for value in model.graph.output]
    return (_numbered(folder, "input", inputs), _numbered(folder, "output", outputs))


def _numbered(folder: Path, word: str, names: list[str]) -> dict[str, NDArray[Any]]:
    found = {}
    for number, name in enumerate(names):
        file = folder / f"{word}_{number}.pb"
        if file.is_file():
            with exporting("onnx", file, CURE):
                found[name] = _array(file)
    return found


def _array(file: Path) -> NDArray[Any]:
    tensor = TensorProto.FromString(file.read_bytes())
    array = np.asarray(numpy_helper.to_array(tensor))
    if array.dtype.kind not in "OS":
        return array
    decode = [one.decode() if isinstance(one, bytes) else str(one) for one in array.ravel()]
    return np.array(decode, dtype=np.str_).reshape(array.shape)


def _shipped(named: Path, sets: list[tuple[dict[str, Any], dict[str, Any]]]) -> Samples | None:
    """Return the samples of all sets, one after the other."""
    if not sets or not all(array.ndim for inputs, _ in sets for array in inputs.values()):
        return None
    names = [name for name in sets[0][0] if all(name in inputs for inputs, _ in sets)]
    shapes = {tuple((name, inputs[name].shape[1:]) for name in names) for inputs, _ in sets}
    if not names or len(shapes) > 1:
        return None
    arrays = {name: np.concatenate([inputs[name] for inputs, _ in sets]) for name in names}
    return Samples(f"{named} ({SETS})", arrays)


def _original(
    model: ModelProto, sets: list[tuple[dict[str, Any], dict[str, Any]]]
) -> Original | None:
    """Return what the model's makers say that it answers to the first set."""
    output = model.graph.output[0].name if model.graph.output else ""
    if not sets or output not in sets[0][1]:
        return None
    inputs, outputs = sets[0]

    def answer(_: Arrays) -> NDArray[Any]:
        found: NDArray[Any] = outputs[output]
        return found

    return Original("test_data_set_0", output, answer, inputs)
