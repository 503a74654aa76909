"""Talks to buildah: builds, looks up, checks and pushes images in its storage."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from image_build.run import BuildError, run

NAME_PREFIX = "skerry"
"""First part of the images' names, in buildah's storage and in a registry."""


def local_name(name: str, key: str) -> str:
    """Return the name of an image in buildah's storage."""
    return f"localhost/{NAME_PREFIX}/{name}:{key}"


def exists(image: str) -> bool:
    """Return whether buildah's storage holds an image."""
    return bool(run("buildah", "images", "--quiet", "--filter", f"reference={image}").strip())


def build(image: str, context: Path, arguments: Mapping[str, str]) -> None:
    """Build a context's Containerfile, with no network, keeping layers for the next build."""
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    # With chroot isolation buildah itself cannot take the network away.
    run(
        "unshare", "--net", "buildah", "bud", "--isolation=chroot", "--layers", "--quiet",
        "--pull=false", "--format=oci", "--timestamp=0", *options,
        "--file", context / "Containerfile", "--tag", image, context,
    )  # fmt: skip


def user_of(image: str) -> str:
    """Return the user that an image's containers run as, empty for the default (root)."""
    inspected = json.loads(run("buildah", "inspect", "--type=image", image))
    config = inspected["OCIv1"].get("config", {})
    return str(config.get("User", ""))


def require_unprivileged(image: str, containerfile: Path) -> None:
    """Refuse an image that runs as root.

    Raises:
        BuildError: It names no user by number, or user 0 (a name cannot be checked by a kubelet).
    """
    user = user_of(image).split(":")[0]
    if not user.isdigit() or int(user) == 0:
        raise BuildError(
            f"{containerfile}: its containers would run as {user or 'root'!r}; end it with "
            "`USER 65532:65532`"
        )


def digest_of(image: str) -> str:
    """Return the digest of an image in buildah's storage (a push may give it another)."""
    form = "{{.Digest}}"
    return run("buildah", "images", "--format", form, "--filter", f"reference={image}").split()[0]


def push(image: str, registry: str, *, insecure: bool) -> str:
    """Push an image to a registry.

    Args:
        image: Its name in buildah's storage.
        registry: `HOST:PORT`, optionally with a path.
        insecure: Whether plain HTTP is allowed.

    Returns:
        The reference by digest that kubelets can pull.
    """
    target = image.replace("localhost", registry.rstrip("/"), 1)
    verify = f"--tls-verify={'false' if insecure else 'true'}"
    with tempfile.NamedTemporaryFile("r", suffix=".digest") as digest:
        run(
            "buildah", "push", "--quiet", verify, "--digestfile", digest.name, image,
            f"docker://{target}",
        )  # fmt: skip
        return f"{target.rpartition(':')[0]}@{digest.read().strip()}"
