"""How Argo CD and kstatus see objects: the program tests/lab/binaries/verdicts, with the chart's scripts."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.cluster.conftest import Kubectl

WELL, ON_ITS_WAY, HELD, ACT = (
    ("Healthy", "Current"),
    ("Progressing", "InProgress"),
    ("Suspended", "InProgress"),
    ("Degraded", "Failed"),
)
"""What both say of a thing that is as the spec asks, on its way, held by a person, or in need of one."""


@dataclass(frozen=True)
class Seen:
    """One object as both see it."""

    argocd: str
    argocd_message: str
    kstatus: str

    @property
    def both(self) -> tuple[str, str]:
        """The two words alone."""
        return self.argocd, self.kstatus


@dataclass(frozen=True)
class Verdicts:
    """The program, and the `data` of an argocd-cm."""

    program: Path
    config: dict[str, str]

    def __call__(self, *objects: dict[str, Any]) -> Sequence[Seen]:
        """Return each object's verdict, in order."""
        asked = json.dumps({"config": self.config, "objects": objects})
        done = subprocess.run(
            [self.program], input=asked, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [
            Seen(said["argocd"]["status"], said["argocd"]["message"], said["kstatus"]["status"])
            for said in json.loads(done.stdout)
        ]


def wait_in_background(kubectl: Kubectl, name: str, condition: str) -> subprocess.Popen[str]:
    """Return a process in which a person waits for a condition of an EdgeModel."""
    scope = (f"--kubeconfig={kubectl.kubeconfig}", f"--namespace={kubectl.namespace}")
    words = ("wait", f"--for=condition={condition}", f"edgemodel/{name}", "--timeout=120s")
    return subprocess.Popen([kubectl.binary, *scope, *words], stdout=subprocess.PIPE, text=True)
