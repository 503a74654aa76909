"""The served artifact: /model as the job packed it, read without pydantic to stay small.

`skerry.json` is written as `skerry.jobs.files.ServedModel`; a test holds the two together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.engines import ModelError
from skerry.jobs.names import INPUT_PREFIX, OUTPUT_PREFIX, SERVED_FILE, SHAPE_PREFIX
from skerry.tasks import TENSOR_INFERENCE

if TYPE_CHECKING:
    from pathlib import Path

    from skerry_runtime.datatypes import Arrays


@dataclass(frozen=True)
class Artifact:
    """What lies next to the model: how it may be served and what was certified about it."""

    directory: Path
    recipe: str
    precision: str
    engine: str
    engine_version: str
    batching: bool
    whole: tuple[str, ...]
    tolerance: dict[str, float | None]
    certified: dict[str, Any]


def read_artifact(directory: Path) -> Artifact:
    """Read `skerry.json` in `directory`.

    Raises:
        ModelError: It is missing or not what the job writes.
    """
    file = directory / SERVED_FILE
    try:
        served = json.loads(file.read_text())
        return Artifact(
            directory=directory,
            recipe=served["recipe"],
            precision=served["precision"],
            engine=served["engine"],
            engine_version=served["engineVersion"],
            batching=served["batching"],
            whole=tuple(served.get("whole", ())),
            tolerance=_tolerance(served["tolerance"]),
            certified=served["certified"],
        )
    except FileNotFoundError as error:
        raise ModelError(
            f"{file} is missing: mount the artifact that a ModelVariant names at {directory}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{file} is not what this release of Skerry writes ({error!r}):"
            " build the model again, or use the runtime image of the release that built it"
        ) from error


def read_golden(directory: Path) -> tuple[Arrays, Arrays, Arrays]:
    """Return the golden samples as (inputs, outputs, shapes) by name; the first axis is samples.

    Outputs whose shape depends on the sample are padded, and `shapes` holds how large each of their answers is.

    Raises:
        ModelError: The file is missing or broken.
    """
    file = directory / TENSOR_INFERENCE.golden_file
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} can't be read: {error}") from error
    return _with(INPUT_PREFIX, arrays), _with(OUTPUT_PREFIX, arrays), _with(SHAPE_PREFIX, arrays)


def _with(prefix: str, arrays: Arrays) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _tolerance(wire: dict[str, Any]) -> dict[str, float | None]:
    cosine = wire.get("cosine")
    return {
        "absolute": float(wire["absolute"]),
        "relative": float(wire["relative"]),
        "cosine": None if cosine is None else float(cosine),
    }
