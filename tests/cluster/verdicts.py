"""How Argo CD and kstatus see objects: the program tests/lab/binaries/verdicts, with the chart's scripts."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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
        """Each object's verdict, in order."""
        asked = json.dumps({"config": self.config, "objects": objects})
        done = subprocess.run(
            [self.program], input=asked, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [
            Seen(said["argocd"]["status"], said["argocd"]["message"], said["kstatus"]["status"])
            for said in json.loads(done.stdout)
        ]
