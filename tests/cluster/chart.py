"""The chart with values for tests: rendered, or installed as a user would."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.manifests import DIGEST

if TYPE_CHECKING:
    from tests.lab import Lab

CHART = Path(__file__).parents[2] / "charts" / "skerry"
NAMESPACE = "skerry-system"
VALUES = {
    "registry.address": "registry.example:5000",
    "images.operator": f"registry.example:5000/operator@{DIGEST}",
    "images.agent": f"registry.example:5000/agent@{DIGEST}",
    "images.gateway": f"registry.example:5000/gateway@{DIGEST}",
    "engines.ONNXRuntime.optimizerImage": f"registry.example:5000/optimizer@{DIGEST}",
    "engines.ONNXRuntime.runtimeImage": f"registry.example:5000/runtime@{DIGEST}",
}


VALUED = {"template", "install", "upgrade", "lint"}
"""Words of Helm that take values."""


def helm_command(
    lab: Lab, *words: str, values: dict[str, str] | None = None, namespace: str = NAMESPACE
) -> list[str]:
    """Return Helm's command line with the tests' values and more options, where it takes any."""
    settings = VALUES | (values or {}) if words[0] in VALUED else {}
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    scope = (f"--kubeconfig={lab.kubeconfig}", f"--namespace={namespace}")
    return [str(lab.helm), *words, *scope, *flags]


def helm(
    lab: Lab, *words: str, values: dict[str, str] | None = None, namespace: str = NAMESPACE
) -> subprocess.CompletedProcess[str]:
    """Run Helm with the tests' values and some more; it may fail."""
    command = helm_command(lab, *words, values=values, namespace=namespace)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rendered(lab: Lab, **values: str) -> str:
    """Return the chart's manifests."""
    done = helm(lab, "template", "skerry", str(CHART), values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout
