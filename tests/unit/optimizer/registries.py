"""A real registry (Debian's docker-registry) on loopback, with or without a login."""

from __future__ import annotations

import base64
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from skerry.jobs.plans import RegistryAccess
from tests.waiting import free_port, wait_for_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "robot", "secret"
HTPASSWD = f"{USER}:$2b$05$4.3XhmGtGzCdLU5fDljR2exGoJTOqYg/KGUpwiPWkk3ljWqElZGNm\n"


@dataclass(frozen=True)
class Registry:
    """A running registry; `storage` is its folder on disk."""

    address: str
    storage: Path

    def access(
        self, repository: str = "skerry/test/model", config: Path | None = None
    ) -> RegistryAccess:
        """Say where a repository of it is, as a job's plan does."""
        return RegistryAccess(
            address=self.address, repository=repository, insecure=True,
            docker_config=None if config is None else str(config),
        )  # fmt: skip


@contextmanager
def running_registry(folder: Path, *, login: bool = False) -> Iterator[Registry]:
    """Run a registry on a free port of loopback; with `login`, only for USER and PASSWORD."""
    address = f"127.0.0.1:{free_port()}"
    storage = folder / "storage"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": address},
    }
    if login:
        (folder / "htpasswd").write_text(HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    command = ["docker-registry", "serve", str(folder / "config.yml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for_answer(f"http://{address}/v2/")
        yield Registry(address, storage)
    finally:
        process.terminate()
        process.wait(10)


def docker_config(folder: Path, address: str, password: str = PASSWORD) -> Path:
    """Write what `docker login` writes."""
    secret = base64.b64encode(f"{USER}:{password}".encode()).decode()
    file = folder / "config.json"
    file.write_text(json.dumps({"auths": {address: {"auth": secret}}}))
    return file


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Yield a registry for all tests; a conftest.py that imports it has it."""
    with running_registry(tmp_path_factory.mktemp("registry")) as started:
        yield started
