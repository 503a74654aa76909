"""Gives tests a lab: `lab` with four nodes, `control_plane` with none, each once for a session.

A lab that is up already is used as it is and left up; one that a fixture started is taken down.
The workers of a run (pytest-xdist) have a lab each, and one folder for their registries: an image or a
build that one of them has pushed is there for all.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.lab import Lab
from tests.lab.toolchain import Toolchain, cache_root, pinned

CONTROL_PLANE_NAME = "test-api"
# Set by pytest-xdist: gw0, gw1, ... Each of its workers has labs of its own.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
SERVERS = {"s3": "versitygw", "gs": "fake-gcs-server"}
"""Fixtures of tests of sources (tests/sources), and what they run."""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Yield a whole lab with four nodes of two classes; its name is SKERRY_LAB_NAME, else `test`."""
    name = _own(os.environ.get("SKERRY_LAB_NAME", "test"))
    yield from _running(name, nodes=4, kept_registry=_registry_of(_run()) if WORKER else None)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Lab]:
    """Yield an API server with its controllers and a registry, without nodes; it is ready in seconds."""
    yield from _running(_own(os.environ.get("SKERRY_API_LAB_NAME", CONTROL_PLANE_NAME)), nodes=0)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the lab needs before the first test, whose time limit is too short for that."""
    used = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    wanted = list(pinned()) if used & {"lab", "control_plane"} else []
    wanted += [binary for fixture, binary in SERVERS.items() if fixture in used]
    if wanted:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            Toolchain().ensure(wanted)


def pytest_unconfigure() -> None:
    """Remove the registry of this run, and of runs that were killed, once all workers have ended."""
    if WORKER:
        return
    for folder in _registry_of(0).parent.glob("tests-*"):
        run = int(folder.name.rpartition("-")[2])
        if run == _run() or not psutil.pid_exists(run):
            shutil.rmtree(folder, ignore_errors=True)


def _run() -> int:
    """Return what names this run for all of its workers: the process that started them."""
    return os.getppid() if WORKER else os.getpid()


def _registry_of(run: int) -> Path:
    return cache_root() / "registry" / f"tests-{run}"


def _own(name: str) -> str:
    """Return the name of the lab of this worker."""
    return f"{name}-{WORKER}" if WORKER else name


def _running(name: str, nodes: int, kept_registry: Path | None = None) -> Iterator[Lab]:
    found = Lab(name, kept_registry=kept_registry)
    was_up = found.is_up()
    try:
        found.up(nodes)
        yield found
    finally:
        if not was_up:
            found.down()
