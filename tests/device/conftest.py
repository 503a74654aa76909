"""A device for each test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import yaml

from tests.cluster.api import Api
from tests.device.forward import Forward
from tests.device.world import Device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab import Lab

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def api(control_plane: Lab) -> Api:
    """Return the administrator's API, with Skerry's kinds."""
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    return Api(control_plane.kubeconfig)


@pytest.fixture
def device(
    control_plane: Lab, api: Api, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Device]:
    """Yield a device where gateway and agent run, two revisions are served, and stable has the traffic."""
    server = yaml.safe_load(control_plane.kubeconfig.read_text())["clusters"][0]["cluster"][
        "server"
    ]
    name = (
        "d-" + re.sub("[^a-z0-9]+", "-", request.node.name)[:30].strip("-") + f"-{uuid4().hex[:6]}"
    )
    forward = Forward(server)
    made = Device(api, control_plane, tmp_path, name, forward)
    try:
        made.prepare()
        made.start_gateway()
        made.start_agent()
        yield made
    finally:
        made.end()
        forward.close()
