"""Every query of the board and every metric of the alerts, asked of a real Prometheus.

What it scrapes is real too: an operator, a device's agent and gateway, a model server; with the labels
that the chart's PodMonitors give.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from skerry.cluster import kinds
from tests.cluster.manifests import MINIMAL
from tests.cluster.operator_process import OperatorProcess
from tests.device.conftest import ROOT
from tests.device.prometheus import Prometheus, metrics_of, prometheus
from tests.device.test_device import BODY, STABLE
from tests.device.world import AGENT_PORT, METRICS_PORT, NODE, eventually
from tests.unit.runtime.conftest import WIDTH, encoder_artifact, servers
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.device.world import Device

__all__ = ["encoder_artifact"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

FILES = ROOT / "charts" / "skerry" / "files"
MODEL = "encoder"
IN_GRAFANA = {"$__rate_interval": "15s", "$__range": "1m", "$model": ".*"}
SETTLED = 'min(count_over_time(up{job=~".+"}[1m])) >= 8 and min(up) == 1'
START_SECONDS = 240.0
"""Patience with four programs that start at once; on a free machine it takes ten."""


@pytest.fixture
def operator(device: Device, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Yield an operator that knows the device's class and has an EdgeModel to look at."""
    label = {"test.skerry.dev/monitored": device.name}
    device.api.apply(NODE, {"metadata": {"name": device.name, "labels": label}}, "test")
    hardware = {"metadata": {"name": device.name}, "spec": {"nodeSelector": label}}
    device.api.create(kinds.HARDWARE_CLASS, hardware)
    process = OperatorProcess(device.lab.kubeconfig, tmp_path, device.lab.registry)
    process.start()
    metadata = {"name": "looked-at", "namespace": device.name}
    model = device.api.create(kinds.EDGE_MODEL, {"metadata": metadata, "spec": MINIMAL["spec"]})
    wait_for(
        "the operator to look at the model",
        lambda: device.api.get(kinds.EDGE_MODEL, device.name, "looked-at")["status"],
        lambda status: status["observedGeneration"] > 0,
        START_SECONDS,
    )
    yield process
    device.api.delete(kinds.EDGE_MODEL, model)
    process.stop()
    device.api.delete(kinds.HARDWARE_CLASS, hardware)


@pytest.fixture
def scraped(
    device: Device,
    operator: OperatorProcess,
    encoder_artifact: Path,
    tmp_path: Path,
) -> Iterator[Prometheus]:
    """Yield Prometheus with some seconds of metrics from all four."""
    node = {"node": device.name}
    with ExitStack() as stack:
        start = stack.enter_context(servers())
        server = start(encoder_artifact, SKERRY_MODEL_NAME=MODEL)
        targets = {
            "operator": (f"127.0.0.1:{operator.metrics_port}", node),
            "agent": (f"127.0.0.1:{AGENT_PORT}", node),
            "gateway": (f"127.0.0.1:{METRICS_PORT}", node),
            "runtime": (f"127.0.0.1:{server.port}", {**node, "skerry_dev_model": MODEL}),
        }
        device.serve(STABLE)
        device.route(stable={"revision": STABLE})
        eventually(
            lambda: httpx.post(device.url, json=BODY).is_success, START_SECONDS, "it answers"
        )
        found = stack.enter_context(prometheus(tmp_path, FILES / "rules.yaml", targets))
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": [0.5] * WIDTH}
        for _ in range(5):
            httpx.post(device.url, json=BODY).raise_for_status()
            url = f"{server.url}/v2/models/{MODEL}/infer"
            httpx.post(url, json={"inputs": [tensor]}).raise_for_status()
        found.until(SETTLED)
        yield found


def test_board_and_alerts_ask_for_what_there_is(scraped: Prometheus) -> None:
    """No panel is empty, no alert waits for a metric of another name, and none fires on a sound device."""
    board = json.loads((FILES / "dashboard.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    empty = []
    for panel in panels:
        expression = panel["targets"][0]["expr"]
        for variable, value in IN_GRAFANA.items():
            expression = expression.replace(variable, value)
        if not scraped.query(expression):
            empty.append(f"{panel['title']}: {expression}")
    assert empty == []

    rules = scraped.rules()
    assert {rule["health"] for rule in rules} == {"ok"}
    named = {name for rule in rules for name in metrics_of(rule["query"])}
    assert len(named) >= 8
    assert [name for name in named if not scraped.query(f"count({name})")] == []
    assert {rule["name"] for rule in rules if rule["state"] == "firing"} == set()
