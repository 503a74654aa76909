"""Builds images by name: inputs first, then the Containerfile, once for each set of inputs."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from image_build import inputs, storage
from image_build.cache import cache_folder, files_below, key_of, key_of_folders
from image_build.rootfs import root_filesystem
from image_build.run import BuildError
from image_build.spec import ImageSpec, image_names, read_spec

BASE = "base"
"""The folder of the image that the others are built from, unless another base is given."""

DEFAULT_PYTHON = "3.11"
"""The Python of a base image that is given from outside, unless said otherwise."""


@dataclass(frozen=True)
class BuiltImage:
    """An image that lies in buildah's storage and, if it was pushed, in a registry."""

    name: str
    local: str
    reference: str
    """By digest: in the registry if it was pushed there, else in buildah's storage."""


@dataclass(frozen=True)
class Builder:
    """Builds the images of a checkout.

    Args:
        repository: The checkout's root.
        base: A base image by reference, or None to build the one in `images/base`.
        python: The Python version of that base; ignored when the base is built here.
    """

    repository: Path
    base: str | None = None
    python: str = DEFAULT_PYTHON

    def names(self) -> list[str]:
        """Return all images' names, the base image first, or without it if one is given."""
        names = image_names(self.repository)
        return [name for name in names if self.base is None or name != BASE]

    def build(self, name: str) -> str:
        """Build one image, and the base image before it, unless they are there already.

        Returns:
            Its name in buildah's storage; the tag is the hash of all its inputs.

        Raises:
            BuildError: Something was missing or failed; the message says what.
        """
        spec = read_spec(self.repository, name)
        sources = self._inputs(spec)
        arguments = self._arguments(spec, sources)
        key = key_of(key_of_folders([spec.folder]), _names(sources), arguments)
        image = storage.local_name(name, key)
        with FileLock(cache_folder() / f"image-{name}.lock"):
            if not storage.exists(image):
                self._build(spec, image, sources, arguments)
        if not spec.from_scratch:
            storage.require_unprivileged(image, spec.containerfile)
        return image

    def push(self, name: str, registry: str, *, insecure: bool = False) -> BuiltImage:
        """Build one image and push it to a registry (`HOST:PORT`)."""
        image = self.build(name)
        reference = storage.push(image, registry, insecure=insecure)
        return BuiltImage(name, image, reference)

    def describe(self, name: str) -> BuiltImage:
        """Build one image and name it by the digest it has in buildah's storage."""
        image = self.build(name)
        repository = image.rpartition(":")[0]
        return BuiltImage(name, image, f"{repository}@{storage.digest_of(image)}")

    def _build(
        self, spec: ImageSpec, image: str, sources: dict[str, Path], arguments: dict[str, str]
    ) -> None:
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            context = Path(folder)
            _stage(spec, context, sources)
            try:
                storage.build(image, context, arguments)
            except BuildError as error:
                raise BuildError(f"image {spec.name}: {error}") from error

    def _inputs(self, spec: ImageSpec) -> dict[str, Path]:
        """Return the cached inputs by the name they get below `.inputs` in the build context."""
        if spec.from_scratch:
            return {"rootfs.tar": root_filesystem(spec.root_packages) / "rootfs.tar"}
        sources: dict[str, Path] = {}
        python = self._python()
        if spec.extras or spec.requirements:
            sources["dependencies"] = inputs.dependencies(spec, python)
        if spec.extras:
            sources["skerry"] = inputs.distribution(self.repository, python)
        if spec.debian_packages:
            sources["debian"] = inputs.debian_packages(spec, self._base_root() / "status")
        return sources

    def _arguments(self, spec: ImageSpec, sources: dict[str, Path]) -> dict[str, str]:
        if spec.from_scratch:
            return {}
        arguments = {"BASE_IMAGE": self.base or self.build(BASE)}
        if "debian" in sources:
            arguments["DEBIAN_PACKAGES"] = sources["debian"].name
        return arguments

    def _python(self) -> str:
        if self.base is not None:
            return self.python
        return (self._base_root() / "python-version").read_text()

    def _base_root(self) -> Path:
        if self.base is not None:
            raise BuildError(
                "Debian packages are resolved against images/base; an image that asks for some "
                f"cannot be built on {self.base}: give a base image that has them, and no "
                "`debian_packages`"
            )
        return root_filesystem(read_spec(self.repository, BASE).root_packages)


def _names(sources: dict[str, Path]) -> dict[str, str]:
    return {name: path.parent.name + "/" + path.name for name, path in sources.items()}


def _stage(spec: ImageSpec, context: Path, sources: dict[str, Path]) -> None:
    """Lay out a build context: the image's folder, and its inputs as hard links into the cache."""
    for file in files_below(spec.folder):
        target = context / file.relative_to(spec.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    (context / ".inputs").mkdir()
    for name, source in sources.items():
        target = context / ".inputs" / name
        if source.is_dir():
            shutil.copytree(source, target, copy_function=_link, symlinks=True)
        else:
            _link(str(source), str(target))


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
