"""A folder of files as an OCI image in a registry: how a model or a data set gets to where a spec can name it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from skerry.artifacts.images import Image, RegistryClient, RegistryError, pack_folder
from skerry.cli.errors import CliError
from skerry.jobs.plans import RegistryAccess

FORM = "HOST[:PORT]/REPOSITORY:TAG"


@dataclass(frozen=True)
class Target:
    """An image by tag."""

    address: str
    repository: str
    tag: str

    @property
    def uri(self) -> str:
        """As `spec.source.uri` and `spec.evaluation.dataset.uri` name it."""
        return f"oci://{self.address}/{self.repository}:{self.tag}"


def parse_target(text: str) -> Target:
    """Read HOST[:PORT]/REPOSITORY:TAG.

    Raises:
        CliError: it is not of this form.
    """
    address, _, path = text.removeprefix("oci://").partition("/")
    repository, _, tag = path.partition(":")
    if not (address and repository and tag):
        raise CliError("this is not an image name with a tag", text, f"write {FORM}")
    return Target(address, repository, tag)


def push_folder(folder: Path, target: Target, *, insecure: bool, home: Path) -> str:
    """Push a folder's files as an image of one layer; the same files give the same digest.

    Args:
        folder: its files are the image's root.
        target: where to.
        insecure: plain HTTP.
        home: whose `docker login` holds the credentials, if the registry requires any.

    Returns:
        The digest of the manifest.

    Raises:
        CliError: there is nothing to push, or the registry does not take it.
    """
    if not folder.is_dir() or not any(path.is_file() for path in folder.rglob("*")):
        raise CliError(
            "this folder has no files", str(folder), "name a folder with the model's files"
        )
    config = home / ".docker" / "config.json"
    access = RegistryAccess(
        address=target.address, repository=target.repository, insecure=insecure,
        docker_config=str(config) if config.is_file() else None,
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory() as scratch:
            layer = pack_folder(folder, Path(scratch) / "layer.tar")
            return str(RegistryClient(access).push(Image((layer,)), target.tag))
    except RegistryError as error:
        raise CliError(
            f"can't push: {error}",
            target.uri,
            "check the address, whether it needs plain HTTP (--insecure), and your `docker login`",
        ) from error
