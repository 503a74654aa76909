"""Fetches outside of a build what an image needs: Python packages and Debian packages.

Builds have no network. Python packages are installed here into a folder that the Containerfile
copies, so that a layer holds what is used and nothing else, and buildah's cache of layers knows it
by its content. Debian packages are resolved against what the base image already has.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

from image_build.cache import cached, files_below, key_of, key_of_folders
from image_build.run import BuildError, run
from image_build.spec import LOCK, ImageSpec

GLIBC_MINOR = 36
"""The base image has glibc 2.36 (Debian 12); wheels for it or any older one fit."""

DEBIAN_INSTALL = """\
#!/bin/sh
# Installs the packages next to it; services are not started in a build.
set -eu
printf 'exit 101\\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive dpkg --install /inputs/*.deb
rm -rf /usr/sbin/policy-rc.d /var/log/* /var/cache/debconf/*-old /usr/share/man /usr/share/locale
"""

COMMAND = """\
#!/usr/bin/env python3
import sys

from {module} import {attribute}

sys.exit({call}())
"""


def dependencies(spec: ImageSpec, python: str) -> Path:
    """Return a folder with the packages that an image's lock names.

    Raises:
        BuildError: The image has no lock, or a file has another hash than the lock names.
    """
    lock = spec.folder / LOCK
    if not lock.exists():
        raise BuildError(f"{lock} is missing; run `make locks`, which writes it")

    def make(folder: Path) -> None:
        _install(folder, python, "--no-deps", "--require-hashes", "--requirement", str(lock))

    return cached("dependencies", key_of(lock.read_text(), python, os.uname().machine), make)


def distribution(repository: Path, python: str) -> Path:
    """Return a folder with skerry itself, without its dependencies, built from this checkout."""
    sources = _sources(repository)
    project = repository / "pyproject.toml"

    def make(folder: Path) -> None:
        copy = folder / "checkout"
        _copy_sources(repository, sources, copy)
        pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
        run(*pip, "--wheel-dir", folder, copy)
        wheel = next(folder.glob("*.whl"))
        shutil.rmtree(copy)
        _install(folder, python, "--no-deps", str(wheel))
        wheel.unlink()

    key = key_of(project.read_text(), key_of_folders(sources), python)
    return cached("distributions", key, make)


def debian_packages(spec: ImageSpec, status: Path) -> Path:
    """Return a folder with .deb files for a root file system whose dpkg status is given."""

    def make(folder: Path) -> None:
        (folder / "partial").mkdir()
        run(
            "apt-get", "install", "--yes", "--download-only", "--no-install-recommends",
            "-o", f"Dir::State::status={status}", "-o", f"Dir::Cache::archives={folder}",
            "-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root", *spec.debian_packages,
        )  # fmt: skip
        shutil.rmtree(folder / "partial")
        if not list(folder.glob("*.deb")):
            raise BuildError(f"{spec.folder}: apt found no package to fetch; run `apt-get update`")
        (folder / "install").write_text(DEBIAN_INSTALL)

    return cached("debian", key_of(spec.debian_packages, status.read_text(), DEBIAN_INSTALL), make)


def _sources(repository: Path) -> list[Path]:
    """Return the folders of the distribution's packages, as pyproject.toml names them."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    folders: dict[str, str] = project["tool"]["setuptools"]["package-dir"]
    return [repository / folder for folder in folders.values()]


def _copy_sources(repository: Path, sources: list[Path], copy: Path) -> None:
    for source in sources:
        for file in files_below(source):
            target = copy / file.relative_to(repository)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(repository / name, copy / name)


def _install(folder: Path, python: str, *arguments: str) -> None:
    """Install packages for another Python of the same machine type into `folder`."""
    site = folder / "site"
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:",
        "--implementation=cp", f"--python-version={python}", *_platforms(), "--target", site,
        *arguments,
    )  # fmt: skip
    shutil.rmtree(site / "bin", ignore_errors=True)
    _write_commands(site, folder / "bin")
    _compile(site, python)


def _platforms() -> list[str]:
    machine = os.uname().machine
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR, 4, -1)]
    legacy = [f"manylinux{year}_{machine}" for year in ("2014", "2010", "1")]
    return [f"--platform={name}" for name in (*names, *legacy, f"linux_{machine}", "any")]


def _write_commands(site: Path, commands: Path) -> None:
    """Write the packages' console scripts: those that pip writes name this machine's Python."""
    for metadata in sorted(site.glob("*.dist-info")):
        found: Distribution = PathDistribution(metadata)
        for entry in found.entry_points.select(group="console_scripts"):
            commands.mkdir(exist_ok=True)
            script = commands / entry.name
            root = entry.attr.split(".")[0]
            text = COMMAND.format(module=entry.module, attribute=root, call=entry.attr)
            script.write_text(text)
            script.chmod(0o755)


def _compile(site: Path, python: str) -> None:
    """Write byte code, which a container with a read-only root cannot keep for itself.

    Skipped where this Python's byte code would not fit; the image then only starts more slowly.
    """
    if python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return
    command = (sys.executable, "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash")
    # A package may carry files that are templates and do not compile; that is not an error.
    subprocess.run([*command, str(site)], capture_output=True, check=False)
