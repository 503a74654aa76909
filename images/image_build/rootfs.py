"""Makes the base image's root file system from Debian packages, as the machine's apt knows them."""

import shutil
from pathlib import Path

from image_build.cache import cached, key_of
from image_build.run import BuildError, run

RELEASE_FILE = Path("/etc/os-release")

UNNEEDED = (
    "var/cache/apt/*", "var/lib/apt/lists/*", "var/log/*", "usr/share/man/*", "usr/share/info/*",
    "usr/share/locale/*", "usr/share/lintian/*", "usr/share/bash-completion/*", "dev/*", "tmp/*",
    "usr/share/doc-base/*", "var/cache/debconf/*-old", "var/lib/dpkg/*-old",
)  # fmt: skip
"""What no container reads; licenses (usr/share/doc/*/copyright) stay."""


def debian_release() -> tuple[str, str]:
    """Return the machine's release (its code name) and the mirror that its apt sources name.

    Raises:
        BuildError: apt has no source of the machine's own release.
    """
    lines = RELEASE_FILE.read_text().splitlines()
    release = dict(line.split("=", 1) for line in lines if "=" in line)
    suite = release.get("VERSION_CODENAME", "").strip('"')
    targets = run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)",
        "Created-By: Packages",
    )  # fmt: skip
    for line in targets.splitlines():
        mirror, codename, component = line.split()
        if (codename, component) == (suite, "main"):
            return suite, mirror
    raise BuildError(
        f"apt has no source for {suite} main: run `apt-get update`, or give a base image by --base"
    )


def root_filesystem(packages: tuple[str, ...]) -> Path:
    """Return a folder with `rootfs.tar` and `status`, dpkg's list of what is installed in it."""
    suite, mirror = debian_release()
    architecture = run("dpkg", "--print-architecture").strip()

    def make(folder: Path) -> None:
        root = folder / "root"
        run(
            "debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, root,
            mirror,
        )  # fmt: skip
        _strip(root)
        shutil.copy(root / "var/lib/dpkg/status", folder / "status")
        python = (root / "usr/bin/python3").readlink().name
        (folder / "python-version").write_text(python.removeprefix("python"))
        run("tar", "--numeric-owner", "--sort=name", "-C", root, "-cf", folder / "rootfs.tar", ".")
        shutil.rmtree(root)

    return cached("rootfs", key_of(packages, suite, architecture, UNNEEDED), make)


def _strip(root: Path) -> None:
    for pattern in UNNEEDED:
        for path in root.glob(pattern):
            _remove(path)
    for path in root.glob("usr/share/doc/*/*"):
        if path.name != "copyright":
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
