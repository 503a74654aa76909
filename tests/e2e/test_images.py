"""The image builder, on a checkout of one small image next to the real base image."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from image_build.locks import Lock, resolve
from image_build.spec import LOCK
from tests.lab import Lab
from tests.lab.commands import run

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).resolve().parents[2]

CONTAINERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY .inputs/dependencies/ /opt/skerry/
ENV PYTHONPATH=/opt/skerry/site
ENTRYPOINT ["python3"]
"""

UNPRIVILEGED = "USER 65532:65532\n"
PACKAGE = "annotated-types==0.7.0"


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """Yield a checkout that has the builder, the base image and an image `small`."""
    for part in ("build.py", "image_build", "base"):
        source, target = REPOSITORY / "images" / part, tmp_path / "images" / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir()
            shutil.copy(source, target)
    small = tmp_path / "images" / "small"
    small.mkdir()
    (small / "Containerfile").write_text(CONTAINERFILE + UNPRIVILEGED)
    (small / "image.toml").write_text('requirements = "requirements.txt"\n')
    (small / "requirements.txt").write_text(f"{PACKAGE}  # pure Python, and tiny\n")
    resolve(Lock(small / LOCK, (PACKAGE,)))
    yield tmp_path
    stored = ("images", "--quiet", "--filter", "reference=localhost/skerry/small")
    if made := run("buildah", *stored).split():
        run("buildah", "rmi", "--force", *set(made))


def test_an_image_is_built_once_and_served_by_digest(checkout: Path, control_plane: Lab) -> None:
    push = ("--push", control_plane.registry, "--insecure", "--json")
    first, second = (json.loads(_build(checkout, *push, "small").stdout) for _ in range(2))
    assert first == second
    name, _, digest = first[0]["reference"].partition("@")
    repository = name.removeprefix(f"{control_plane.registry}/")
    url = f"http://{control_plane.registry}/v2/{repository}/manifests/{digest}"
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    assert httpx.get(url, headers=accept, trust_env=False).status_code == httpx.codes.OK


def test_another_input_is_another_image(checkout: Path) -> None:
    before = _build(checkout, "--json", "small").stdout
    (checkout / "images" / "small" / "more").write_text("content")
    assert _build(checkout, "--json", "small").stdout != before


def test_an_image_that_runs_as_root_is_refused(checkout: Path) -> None:
    (checkout / "images" / "small" / "Containerfile").write_text(CONTAINERFILE)
    for _ in range(2):  # the second finds it built, and refuses it nonetheless
        done = _build(checkout, "small", check=False)
        assert done.returncode == 1
        assert "USER 65532:65532" in done.stderr


def test_a_package_whose_hash_is_not_in_the_lock_is_refused(checkout: Path) -> None:
    lock = checkout / "images" / "small" / LOCK
    lock.write_text(re.sub("sha256:[0-9a-f]{64}", "sha256:" + 64 * "0", lock.read_text()))
    done = _build(checkout, "small", check=False)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_an_image_without_a_lock_is_refused(checkout: Path) -> None:
    (checkout / "images" / "small" / LOCK).unlink()
    done = _build(checkout, "small", check=False)
    assert done.returncode == 1
    assert "run `make locks`" in done.stderr


def test_an_unknown_field_is_refused(checkout: Path) -> None:
    (checkout / "images" / "small" / "image.toml").write_text('extra = ["agent"]\n')
    done = _build(checkout, "small", check=False)
    assert done.returncode == 1
    assert "unknown fields ['extra']" in done.stderr


def _build(checkout: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "images/build.py", *arguments]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done
