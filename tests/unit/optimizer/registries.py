"""A real registry (Debian's docker-registry) on loopback, with or without a login."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from skerry.api.job import RegistryAccess

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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
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
        _answers(address)
        yield Registry(address, storage)
    finally:
        process.terminate()
        process.wait(10)


@retry(
    stop=stop_after_delay(20),
    wait=wait_fixed(0.05),
    retry=retry_if_exception_type(httpx.TransportError),
)
def _answers(address: str) -> None:
    httpx.get(f"http://{address}/v2/", trust_env=False)


def docker_config(folder: Path, address: str, password: str = PASSWORD) -> Path:
    """Write what `docker login` writes."""
    secret = base64.b64encode(f"{USER}:{password}".encode()).decode()
    file = folder / "config.json"
    file.write_text(json.dumps({"auths": {address: {"auth": secret}}}))
    return file
