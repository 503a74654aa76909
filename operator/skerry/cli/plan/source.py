"""What is known about a model's source: read from a local file, or remembered by the cluster."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from skerry.api.artifact import Role
from skerry.api.edgemodel import Assessment
from skerry.cli.errors import CliError

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.api import EdgeModel

NO_DIGEST = "sha256:" + "0" * 64
UNREAD = Assessment(
    source_digest=NO_DIGEST, format="", bytes=0, parameters=0,
    message="the source has not been read: engines are ranked by hardware only"
    " (--model FILE reads a local copy)",
)  # fmt: skip


def read_local(file: Path) -> Assessment:
    """Assess a local ONNX file as the optimizer's job would.

    Raises:
        CliError: it can't be used, or what reads it is not installed here.
    """
    try:
        from skerry.jobs.errors import StageError  # noqa: PLC0415 - not part of the extra `cli`
        from skerry_optimizer.models.describing import describe  # noqa: PLC0415
        from skerry_optimizer.models.reading import model_bytes, read_model  # noqa: PLC0415
    except ImportError as error:
        raise CliError(
            f"reading a model needs the package {error.name}",
            str(file),
            f"pip install {error.name}",
        ) from error
    if not file.is_file():
        raise CliError("there is no such file", str(file), "name the model's ONNX file")
    try:
        model, size = read_model(file), model_bytes(file)
    except StageError as error:
        raise CliError(str(error), str(file), "name a file that ONNX can read") from error
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return describe(model, f"sha256:{digest}", size)


def remembered(model: EdgeModel, live: EdgeModel | None) -> Assessment | None:
    """Return the cluster's assessment, when it belongs to the source that the file names."""
    if live is None or live.status.assessment is None:
        return None
    wanted, known = model.spec.source, live.status.artifact(Role.SOURCE)
    if known is None:
        return None
    same = wanted.digest == known.digest if wanted.digest else wanted.uri == known.uri
    return live.status.assessment if same else None
