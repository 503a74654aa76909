"""Writes the locks: which version of every Python package is installed, with the hashes of its files.

An image's folder holds `requirements.lock`, next to the `image.toml` that it is resolved from. The checkout
holds `requirements-dev.lock` (tests, lab, everything) and `requirements-images.lock` (what `make images` needs).
They hold for Python 3.11 and newer, and for every machine type. pip refuses a file with any other hash.
"""

import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_build.run import BuildError, run
from image_build.spec import LOCK, ImageSpec, example_folders, image_folders, read_spec

OLDEST_PYTHON = "3.11"

ENVIRONMENTS = {
    "requirements-dev.lock": (
        "operator", "agent", "cli", "fetcher", "runtime", "optimizer", "runtime-onnxruntime",
        "optimizer-onnxruntime", "runtime-openvino", "optimizer-openvino", "lab", "dev",
    ),
    "requirements-images.lock": ("cli", "images"),
}  # fmt: skip
"""The locks of a checkout's environments, and the extras that each holds."""


@dataclass(frozen=True)
class Lock:
    """A lock's file and the requirements that it is resolved from."""

    file: Path
    requirements: tuple[str, ...]


def locks(repository: Path) -> Iterator[Lock]:
    """Return the locks that a checkout has to hold."""
    for name in sorted(image_folders(repository) | example_folders(repository)):
        spec = read_spec(repository, name)
        if wanted := requirements_of(spec, repository):
            yield Lock(spec.folder / LOCK, wanted)
    build_system = tuple(_project(repository)["build-system"]["requires"])
    for name, extras in ENVIRONMENTS.items():
        yield Lock(repository / name, (*_of_extras(extras, repository), *build_system))


def requirements_of(spec: ImageSpec, repository: Path) -> tuple[str, ...]:
    """Return what an image's extras and requirements ask for.

    Raises:
        BuildError: pyproject.toml lacks one of the extras.
    """
    try:
        of_extras = _of_extras(spec.extras, repository) if spec.extras else ()
    except KeyError as error:
        raise BuildError(f"{spec.folder}: pyproject.toml has no extra {error}") from error
    return (*of_extras, *spec.requirements)


def resolve(lock: Lock, *, upgrade: bool = False) -> None:
    """Write a lock. Versions that it holds already stay unless `upgrade` is set.

    Raises:
        BuildError: The resolver is missing or found no versions that fit together.
    """
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise BuildError("the program uv is not installed; run `make setup`, which installs it")
    options = ["--upgrade"] if upgrade else []
    run(
        uv, "pip", "compile", "--quiet", "--universal", f"--python-version={OLDEST_PYTHON}",
        "--generate-hashes", "--no-annotate", "--no-header", *options, "--output-file", lock.file, "-",
        given="\n".join(lock.requirements),
    )  # fmt: skip


def _of_extras(extras: Iterable[str], repository: Path) -> tuple[str, ...]:
    project = _project(repository)["project"]
    optional = project["optional-dependencies"]
    return (*project["dependencies"], *(line for name in extras for line in optional[name]))


def _project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text())
