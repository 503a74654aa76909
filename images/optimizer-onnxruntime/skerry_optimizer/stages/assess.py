"""Reads the source once: format, size, parameters, operators, what can be quantised.

Its answer, for the operator, is the JSON of `skerry.api.edgemodel.Assessment`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import onnxruntime

from skerry_optimizer.errors import StageError
from skerry_optimizer.models.describing import describe
from skerry_optimizer.models.reading import model_bytes, read_model
from skerry_optimizer.models.running import NotRunnable, inputs_of, load
from skerry_optimizer.workspace import MODEL, Workspace

if TYPE_CHECKING:
    from pathlib import Path


def assess(workspace: Workspace) -> str:
    """Return the assessment as JSON.

    Raises:
        StageError: The source can't be used.
    """
    file = workspace.source / MODEL
    model = read_model(file)
    check_runs(file)
    digest = os.environ.get("SKERRY_SOURCE_DIGEST", "")
    if not digest:
        raise StageError(
            "SKERRY_SOURCE_DIGEST is not set: the operator sets it to the image's digest"
        )
    return describe(model, digest, model_bytes(file)).model_dump_json(by_alias=True)


def check_runs(file: Path) -> None:
    """Check that ONNX Runtime loads the source and that its inputs can be sent to a server.

    Raises:
        StageError: It does not.
    """
    try:
        inputs_of(load(file))
    except NotRunnable as error:
        raise StageError(
            f"ONNX Runtime {onnxruntime.__version__} can't run {file.name}: {error}; export it with"
            " operators and an opset that this version has"
        ) from error
