"""Reads the source once: format, size, parameters, operators, what can be quantised.

Its answer, for the operator, is the JSON of `skerry.api.edgemodel.Assessment`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from skerry_optimizer.engine import engine_of
from skerry_optimizer.errors import StageError
from skerry_optimizer.models.describing import describe
from skerry_optimizer.models.reading import model_bytes, read_model
from skerry_optimizer.models.running import NotRunnable, load
from skerry_optimizer.workspace import MODEL, Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.engines import EnginePlugin
    from skerry_runtime.engine import LoadedModel


def assess(workspace: Workspace) -> str:
    """Return the assessment as JSON.

    Raises:
        StageError: The source can't be used.
    """
    file = workspace.source / MODEL
    model = read_model(file)
    open_source(engine_of(_setting("SKERRY_ENGINE", "the engine of this image")), file)
    digest = _setting("SKERRY_SOURCE_DIGEST", "the image's digest")
    return describe(model, digest, model_bytes(file)).model_dump_json(by_alias=True)


def open_source(engine: EnginePlugin, file: Path) -> LoadedModel:
    """Open the source, which checks that the engine loads it and that its inputs can be sent to a server.

    Raises:
        StageError: It does not.
    """
    try:
        return load(engine, file)
    except NotRunnable as error:
        raise StageError(
            f"{error}; export it with operators and an opset that {engine.title}"
            f" {engine.version()} has"
        ) from error


def _setting(variable: str, meaning: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise StageError(f"{variable} is not set: the operator sets it to {meaning}")
    return value
