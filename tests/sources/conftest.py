"""One of each server for all tests, with the same files in each."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.sources.artifacts import Pusher
from tests.sources.fetching import Job
from tests.sources.servers import Store, WebServer, gcs_server, s3_server, web_server
from tests.unit.optimizer.registries import Registry, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = b"\x08\x09" + random.Random(4).randbytes(4_000_000)
"""Begins as an ONNX model does; what is behind is for the assessment to judge."""

DATA = b"PK\x03\x04" + random.Random(5).randbytes(100_000)
FILES = {
    "model.onnx": MODEL,
    "intent-v3.onnx": MODEL,
    "data.npz": DATA,
    "folder/model.onnx": MODEL[:5000],
    "folder/model.onnx.data": MODEL[5000:900_000],
    "other/deep/intent.onnx": MODEL[:100],
    "two/a.onnx": MODEL[:100],
    "two/b.onnx": MODEL[:200],
    "weights.pt": b"PK\x03\x04 weights",
    "page.onnx": b"<!DOCTYPE html><title>Log in</title>",
    "empty.onnx": b"",
}


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with web_server(tmp_path_factory.mktemp("web"), FILES) as started:
        yield started


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with s3_server(tmp_path_factory.mktemp("s3"), FILES) as started:
        yield started


@pytest.fixture(scope="session")
def gs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with gcs_server(tmp_path_factory.mktemp("gs"), FILES) as started:
        yield started


@pytest.fixture
def job(tmp_path: Path, registry: Registry) -> Job:
    return Job(tmp_path, registry)


@pytest.fixture
def pusher(registry: Registry, tmp_path: Path) -> Pusher:
    name = tmp_path.name.replace("_", "-")[-30:].strip("-")
    return Pusher(registry.address, f"zoo/{name}")
