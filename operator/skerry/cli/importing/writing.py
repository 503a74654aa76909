"""Lays out what a model needs to be applied: the two folders, and the manifest."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import yaml
from pydantic import ValidationError

from skerry.api.common import API_VERSION
from skerry.api.edgemodel import MAX_NAME_LENGTH, EdgeModel
from skerry.api.mistakes import mistakes
from skerry.cli.errors import CliError
from skerry.cli.importing.extras import MOST_WORDS
from skerry.cli.importing.samples import LABELS
from skerry.tasks import TENSOR_INFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

MODEL, DATASET, MANIFEST = "model", "dataset", "edgemodel.yaml"


@dataclass(frozen=True)
class Layout:
    """Where an import writes, and under which names its images will be pushed.

    Attributes:
        folder: of this model alone.
        name: of the EdgeModel.
        registry: HOST[:PORT][/PATH], without a scheme.
    """

    folder: Path
    name: str
    registry: str

    @property
    def model_file(self) -> Path:
        """The model."""
        return self.folder / MODEL / TENSOR_INFERENCE.source.main

    @property
    def dataset_file(self) -> Path:
        """The data set."""
        return self.folder / DATASET / TENSOR_INFERENCE.dataset.main

    @property
    def manifest_file(self) -> Path:
        """The EdgeModel."""
        return self.folder / MANIFEST

    @property
    def images(self) -> dict[str, str]:
        """The images by folder, without a scheme."""
        return {
            MODEL: f"{self.registry}/models/{self.name}:1",
            DATASET: f"{self.registry}/datasets/{self.name}:1",
        }

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make the folders, and remove them where what is inside fails.

        Raises:
            CliError: there is something in the way.
        """
        self._make()
        try:
            yield
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def _make(self) -> None:
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise CliError(
                "it is not empty, and an import overwrites nothing",
                str(self.folder),
                "remove it, or name another folder by --output",
            )
        try:
            for file in (self.model_file, self.dataset_file):
                file.parent.mkdir(parents=True)
        except OSError as error:
            raise CliError(
                f"can't be made: {error.strerror}", str(self.folder), "name another by --output"
            ) from error

    def write_model(self, model: ModelProto, companions: dict[str, Path]) -> int:
        """Write the model and the files that it keeps weights in; returns their bytes."""
        onnx.save(model, self.model_file)
        for name, file in companions.items():
            target = self.model_file.parent / name
            if not target.resolve().is_relative_to(self.model_file.parent.resolve()):
                raise CliError(
                    f"it keeps weights in {name}, outside of its own folder",
                    str(file),
                    "save the model with its data next to it",
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        written = (path for path in self.model_file.parent.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in written)

    def write_dataset(self, arrays: dict[str, NDArray[Any]], labels: NDArray[Any] | None) -> None:
        """Write the data set in the form of docs/how-to/own-model.md."""
        given = arrays if labels is None else {**arrays, LABELS: labels}
        np.savez(self.dataset_file, **given)  # type: ignore[arg-type]

    def write_manifest(self, metric: str, classes: list[str], memory: str) -> EdgeModel:
        """Write the manifest, and return it as the API server would read it.

        Raises:
            CliError: name, registry or classes are none that a manifest may have.
        """
        manifest = {
            "apiVersion": API_VERSION,
            "kind": "EdgeModel",
            "metadata": {"name": self.name},
            "spec": {
                "source": {"uri": f"oci://{self.images[MODEL]}"},
                "evaluation": {
                    "dataset": {"uri": f"oci://{self.images[DATASET]}"},
                    "metric": str(metric),
                },
                "targets": [{"hardwareClassName": name} for name in classes],
                "serving": {"resources": {"limits": {"cpu": "1", "memory": memory}}},
            },
        }
        self.manifest_file.write_text(yaml.safe_dump(manifest, sort_keys=False))
        try:
            return EdgeModel.model_validate(manifest)
        except ValidationError as error:
            wrong = mistakes(error)[0][:MOST_WORDS]  # the others are of the same name or registry
            todo = "give another by --name, --registry or --class"
            raise CliError(wrong, self.name, todo) from error


def name_of(path: Path) -> str:
    """Return the name that an EdgeModel may have, from that of a file."""
    stem = re.sub(r"(\.tar)?\.[a-z0-9]+$", "", path.name.lower())
    words = re.sub(r"[^a-z0-9]+", "-", stem).lstrip("-0123456789")[:MAX_NAME_LENGTH].strip("-")
    return words or "model"
