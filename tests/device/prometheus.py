"""A real Prometheus that scrapes a few addresses, and what it answers."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from tests.waiting import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 120.0


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression has now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression})
        assert answer.is_success, f"{expression}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def until(self, expression: str, seconds: float = START_SECONDS) -> None:
        """Wait until an expression has a series."""
        wait_for(expression, lambda: self.query(expression), bool, seconds)

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules, with their health."""
        groups = httpx.get(f"{self.url}/api/v1/rules").raise_for_status().json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def prometheus(
    folder: Path, rules: Path, targets: dict[str, tuple[str, dict[str, str]]]
) -> Iterator[Prometheus]:
    """Scrape each target (job: address and labels) once a second, and evaluate the rules."""
    scraped = [
        {"job_name": job, "static_configs": [{"targets": [address], "labels": labels}]}
        for job, (address, labels) in targets.items()
    ]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = {"global": every, "rule_files": [str(rules)], "scrape_configs": scraped}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    server = Prometheus(f"http://127.0.0.1:{free_port()}")
    flags = (
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={server.url.removeprefix('http://')}",
    )
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(["prometheus", *flags], stdout=log, stderr=log)
    try:
        wait_for("Prometheus", lambda: _ready(server.url), bool, START_SECONDS)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def metrics_of(expression: str) -> set[str]:
    """Return names of the metrics in an expression."""
    return set(re.findall(r"\b(?:skerry|haproxy|process)_[a-z0-9_]+(?=[{\[) ]|$)", expression)) - {
        "skerry_dev_model"
    }


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False
