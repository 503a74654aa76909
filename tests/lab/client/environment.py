"""The cluster that the demonstration and the end-to-end tests run on.

With KUBECONFIG and REGISTRY set that cluster is used; otherwise the lab is brought up.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab import Lab
from tests.lab.toolchain import Toolchain, cache_root

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]


class CommandError(RuntimeError):
    """A command that the demonstration needs failed; the message holds what it printed."""


def run(*command: str, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command to its end and return its standard output.

    Raises:
        CommandError: with the command's own words, when it fails.
    """
    done = subprocess.run(
        command, input=stdin, env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise CommandError(f"{' '.join(command)}\nended with {done.returncode}:\n{said}")
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A cluster, a registry, and the two programs that drive them."""

    kubeconfig: Path
    registry: str
    insecure: bool
    kubectl_path: str
    helm_path: str
    lab: Lab | None

    @property
    def variables(self) -> dict[str, str]:
        """The environment for programs that read KUBECONFIG."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def kubectl_command(self, *arguments: str) -> list[str]:
        """Return the command line of kubectl against this cluster."""
        return [self.kubectl_path, f"--kubeconfig={self.kubeconfig}", *arguments]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it printed."""
        return run(*self.kubectl_command(*arguments), stdin=stdin)

    def helm(self, *arguments: str, stdin: str | None = None) -> str:
        """Run helm and return what it printed."""
        return run(self.helm_path, *arguments, stdin=stdin, env=self.variables)

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply some objects with `kubectl apply`."""
        listing = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(listing))

    def get(self, *arguments: str) -> Any:
        """Return the parsed output of `kubectl get ... -o json`."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))


def bring_up(lab_name: str, report: Callable[[str], None]) -> Environment:
    """Return the user's own cluster when KUBECONFIG and REGISTRY are set, else the lab, ready to use."""
    kubeconfig, registry = os.environ.get("KUBECONFIG"), os.environ.get("REGISTRY")
    if kubeconfig and registry:
        insecure = os.environ.get("REGISTRY_INSECURE", "") == "1"
        found = Toolchain().ensure(["kubectl", "helm"])
        return Environment(
            Path(kubeconfig),
            registry,
            insecure,
            str(found["kubectl"]),
            str(found["helm"]),
            lab=None,
        )
    lab = Lab(lab_name, report, kept_registry=cache_root() / "registry" / lab_name)
    lab.up(nodes=4)
    return of_lab(lab)


def of_lab(lab: Lab) -> Environment:
    """Return the environment of a lab that is up."""
    return Environment(
        lab.kubeconfig,
        lab.registry,
        insecure=True,
        kubectl_path=str(lab.binary("kubectl")),
        helm_path=str(lab.binary("helm")),
        lab=lab,
    )
