"""Reads an ONNX file, and says in words for people what is wrong with one that can't be used."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper

from skerry.jobs.errors import StageError
from skerry_optimizer.models.graphs import OWN_DOMAINS

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto, TensorProto

OLDEST_OPSET = 7
"""ONNX Runtime runs opsets from 7 on; see its docs/Versioning.md."""

KSERVE_FOLDER = "models"
"""Where KServe's images have the model."""

MOST_BYTES = 2_000_000_000
"""protobuf's limit for a model in one file is 2 GiB: weights of a larger one stay in files of their own."""


def read_model(file: Path) -> ModelProto:
    """Return a model with all its weights in memory; of one above MOST_BYTES, without those in other files.

    Raises:
        StageError: It is missing, not ONNX, broken, too old, too new, or above MOST_BYTES in one file.
    """
    model = _parsed(file)
    _check_graph(file, model)
    _check_opsets(file, model)
    _check_external(file, model)
    if not is_large(file):
        external_data_helper.load_external_data_for_model(model, str(file.parent))
    return model


def is_large(file: Path) -> bool:
    """Return whether the model can't be written as one file; see `read_model` for errors."""
    return model_bytes(file) > MOST_BYTES


def write_large(model: ModelProto, source: Path, target: Path) -> None:
    """Write a model whose weights stay in other files: these are copied next to it, as NAME.data, NAME.data1, ...

    Args:
        model: As `read_model` gave it; is changed.
        source: Where it was read.
        target: The file of the graph.
    """
    names: dict[Path, str] = {}
    for tensor in _external_tensors(model):
        path = _location(source, tensor)
        name = names.setdefault(path, f"{target.name}.data{len(names) or ''}")
        next(entry for entry in tensor.external_data if entry.key == "location").value = name
    for path, name in names.items():
        shutil.copyfile(path, target.with_name(name))
    target.write_bytes(model.SerializeToString(deterministic=True))


def model_bytes(file: Path) -> int:
    """Return the size in bytes of the model with its external data; see `read_model` for errors."""
    model = _parsed(file)
    return file.stat().st_size + sum(path.stat().st_size for path in _external_files(file, model))


def has_external_data(file: Path) -> bool:
    """Return whether the model keeps weights in other files."""
    return bool(_external_tensors(_parsed(file)))


def _parsed(file: Path) -> ModelProto:
    if not file.is_file():
        present = sorted(path.name for path in file.parent.glob("*"))[:8]
        cure = f"its image must have {file.name} at its root"
        if (file.parent / KSERVE_FOLDER).is_dir():
            cure = f"write oci+native:// in the uri, which takes the files below /{KSERVE_FOLDER}"
        raise StageError(
            f"the source holds no {file.name}: {cure} (found: {', '.join(present) or 'nothing'})"
        )
    if file.stat().st_size > MOST_BYTES:
        raise StageError(
            f"{file.name} has {file.stat().st_size / 1e9:.1f} GB, and one file of ONNX holds up to 2 GB: save its"
            " weights as external data (onnx.save_model(..., save_as_external_data=True))"
        )
    try:
        return onnx.load(file, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise StageError(
            f"{file.name} is not an ONNX model, or is damaged ({error}): export the model to ONNX"
            " again; other formats are not read in this release"
        ) from error


def _check_graph(file: Path, model: ModelProto) -> None:
    # Almost any bytes parse as some protobuf message; an ONNX model has a graph with outputs.
    if not model.graph.node or not model.graph.output:
        raise StageError(
            f"{file.name} holds no ONNX graph: it is another format, or was cut off; export the"
            " model to ONNX again"
        )


def _check_opsets(file: Path, model: ModelProto) -> None:
    newest = onnx.defs.onnx_opset_version()
    for entry in model.opset_import:
        if entry.domain in OWN_DOMAINS and not OLDEST_OPSET <= entry.version <= newest:
            raise StageError(
                f"{file.name} uses opset {entry.version}, and {OLDEST_OPSET} to {newest} can be"
                " read: export it with one of these"
            )


def _check_external(file: Path, model: ModelProto) -> None:
    for path in _external_files(file, model):
        if not path.is_file():
            raise StageError(
                f"{file.name} keeps weights in {path.name}, which is not next to it: put all files"
                " of the model into the image"
            )


def _external_files(file: Path, model: ModelProto) -> set[Path]:
    return {_location(file, tensor) for tensor in _external_tensors(model)}


def _external_tensors(model: ModelProto) -> list[TensorProto]:
    tensors = external_data_helper._get_all_tensors(model)  # noqa: SLF001 - has no public name
    return [one for one in tensors if external_data_helper.uses_external_data(one)]


def _location(file: Path, tensor: TensorProto) -> Path:
    name = next(entry.value for entry in tensor.external_data if entry.key == "location")
    path: Path = (file.parent / name).resolve()
    if not path.is_relative_to(file.parent.resolve()):
        raise StageError(
            f"{file.name} keeps weights in {name}, outside of its own folder: this is refused;"
            " save the model with its data next to it"
        )
    return path
