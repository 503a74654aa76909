"""Pushes a folder as an OCI image: `python examples/push.py [--insecure] FOLDER HOST/REPO:TAG`.

The image holds just the folder's files and can be mounted as an image volume; `spec.source.uri` and
`spec.evaluation.dataset.uri` of an EdgeModel name it as oci://HOST/REPO:TAG. Prints its digest. The
same files give the same digest. Credentials are those of `docker login` (~/.docker/config.json).
"""

import argparse
import sys
import tempfile
from pathlib import Path

from skerry.api.job import RegistryAccess
from skerry.artifacts.images import Image, RegistryClient, RegistryError, pack_folder


def main() -> None:
    """Parse the command line and push."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", help="HOST[:PORT]/REPOSITORY:TAG")
    parser.add_argument("--insecure", action="store_true", help="plain HTTP")
    arguments = parser.parse_args()
    address, _, path = arguments.target.partition("/")
    repository, _, tag = path.partition(":")
    if not (address and repository and tag):
        parser.error(f"{arguments.target} is not HOST[:PORT]/REPOSITORY:TAG")
    access = RegistryAccess(
        address=address, repository=repository, insecure=arguments.insecure, docker_config=login()
    )
    try:
        with tempfile.TemporaryDirectory() as scratch:
            layer = pack_folder(arguments.folder, Path(scratch) / "layer.tar")
            print(RegistryClient(access).push(Image((layer,)), tag))
    except (RegistryError, FileNotFoundError) as error:
        sys.exit(str(error))


def login() -> str | None:
    """Return the path of the credentials that `docker login` keeps, if there are any."""
    config = Path.home() / ".docker" / "config.json"
    return str(config) if config.is_file() else None


if __name__ == "__main__":
    main()
