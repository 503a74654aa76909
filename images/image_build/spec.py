"""Reads an image's folder: its `Containerfile` and `image.toml`.

A folder of `images/` with a Containerfile is an image of that name; a folder of an engine, such as
`engines/openvino/runtime`, is the image `runtime-openvino`. A folder of an example is one too, which is
built only when it is named. Fields of `image.toml`, all
optional:

- `extras = ["agent"]`: extras of the skerry distribution. Their requirements come into the build
  context as `.inputs/dependencies/`, and skerry itself as `.inputs/skerry/`; each has a folder
  `site` (Python packages) and, where there are commands, a folder `bin`.
- `requirements = "requirements.txt"`: further Python packages for `.inputs/dependencies/`. With either field,
  the folder holds `requirements.lock` too, which `make locks` writes.
- `debian_packages = ["haproxy"]`: come with those of their dependencies that the base image lacks
  as `.inputs/debian/`, with a script `install` next to them. The Containerfile declares
  `ARG DEBIAN_PACKAGES`: a hash of the packages, so that another version is never taken from
  buildah's cache of layers.
- `root_filesystem = {packages = [...]}`: comes as `.inputs/rootfs.tar`, made by debootstrap. Only
  for an image that is FROM scratch.

So a Containerfile of Python code reads:

    ARG BASE_IMAGE
    FROM ${BASE_IMAGE}
    COPY .inputs/dependencies/ /opt/skerry/
    COPY .inputs/skerry/ /opt/skerry/
    ENV PATH=/opt/skerry/bin:$PATH PYTHONPATH=/opt/skerry/site
    USER 65532:65532
    ENTRYPOINT ["skerry-agent"]

and one with Debian packages has, before USER:

    ARG DEBIAN_PACKAGES
    RUN --mount=type=bind,source=.inputs/debian,target=/inputs sh /inputs/install
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from image_build.run import BuildError

FIELDS = {"extras", "requirements", "debian_packages", "root_filesystem"}
LOCK = "requirements.lock"
"""The Python packages of an image with versions and hashes, in the image's folder."""


@dataclass(frozen=True)
class ImageSpec:
    """What one image's folder asks for."""

    name: str
    folder: Path
    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    debian_packages: tuple[str, ...] = ()
    root_packages: tuple[str, ...] = ()

    @property
    def containerfile(self) -> Path:
        """The recipe that buildah follows."""
        return self.folder / "Containerfile"

    @property
    def from_scratch(self) -> bool:
        """Whether it is a base image itself, with a root file system of its own."""
        return bool(self.root_packages)


def image_folders(repository: Path) -> dict[str, Path]:
    """Return the folders of all images by the images' names."""
    own = {file.parent.name: file.parent for file in repository.glob("images/*/Containerfile")}
    engines = [file.parent for file in repository.glob("engines/*/*/Containerfile")]
    return own | {f"{folder.name}-{folder.parent.name}": folder for folder in engines}


def example_folders(repository: Path) -> dict[str, Path]:
    """Return the folders of the examples' images by the images' names."""
    return {f.parent.name: f.parent for f in repository.glob("examples/*/*/Containerfile")}


def image_names(repository: Path) -> list[str]:
    """Return the names of all images, the base image first."""
    names = sorted(image_folders(repository))
    return sorted(names, key=lambda name: not read_spec(repository, name).from_scratch)


def read_spec(repository: Path, name: str) -> ImageSpec:
    """Read and check one image's folder.

    Raises:
        BuildError: There is no such image, or its `image.toml` has a field that is not known.
    """
    folders = image_folders(repository) | example_folders(repository)
    if name not in folders:
        raise BuildError(f"there is no image {name}; there are {', '.join(sorted(folders))}")
    folder = folders[name]
    file = folder / "image.toml"
    fields = tomllib.loads(file.read_text()) if file.exists() else {}
    if unknown := set(fields) - FIELDS:
        raise BuildError(f"{file}: unknown fields {sorted(unknown)}; known are {sorted(FIELDS)}")
    spec = ImageSpec(
        name=name,
        folder=folder,
        extras=tuple(fields.get("extras", ())),
        requirements=_requirements(folder, fields.get("requirements")),
        debian_packages=tuple(fields.get("debian_packages", ())),
        root_packages=tuple(fields.get("root_filesystem", {}).get("packages", ())),
    )
    _check_declared(spec)
    return spec


def _requirements(folder: Path, file: str | None) -> tuple[str, ...]:
    if file is None:
        return ()
    lines = (line.split("#")[0].strip() for line in (folder / file).read_text().splitlines())
    return tuple(line for line in lines if line)


def _check_declared(spec: ImageSpec) -> None:
    if spec.debian_packages and "ARG DEBIAN_PACKAGES" not in spec.containerfile.read_text():
        raise BuildError(
            f"{spec.containerfile} installs Debian packages and so must declare "
            "`ARG DEBIAN_PACKAGES` before it does; without it, a layer with older ones is taken"
        )
