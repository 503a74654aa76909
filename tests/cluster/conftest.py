"""The real API server with Skerry's kinds, and kubectl as people use it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from skerry.cli import main as entry
from skerry.cluster.kinds import OURS
from tests.cluster.chart import rendered
from tests.cluster.cli import Cli
from tests.cluster.verdicts import Verdicts
from tests.cluster.world import World, running_world
from tests.lab.commands import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab import Lab

ROOT = Path(__file__).parents[2]
SERVED_SECONDS = 60.0


@dataclass(frozen=True)
class Kubectl:
    """kubectl with one user's kubeconfig, in one namespace."""

    binary: Path
    kubeconfig: Path
    namespace: str = "default"

    def tried(self, *words: str | Path, stdin: object = None) -> subprocess.CompletedProcess[str]:
        """Run it; `stdin` that is no text is written as JSON."""
        text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
        scope = (f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}")
        return subprocess.run(
            [self.binary, *scope, *words], input=text, capture_output=True, text=True, check=False
        )

    def __call__(self, *words: str | Path, stdin: object = None) -> str:
        """Run it, which must succeed, and return its standard output."""
        done = self.tried(*words, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(map(str, words))}: {done.stderr}"
        return done.stdout

    def refused(self, *words: str | Path, stdin: object = None) -> str:
        """Run it, which must fail, and return why."""
        done = self.tried(*words, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(map(str, words))}: {done.stdout}"
        return done.stderr

    def get(self, *words: str) -> dict[str, Any]:
        """Return an object or a list."""
        found: dict[str, Any] = json.loads(self("get", *words, "--output=json"))
        return found

    def apply(self, manifest: object, *flags: str) -> dict[str, Any]:
        """Apply a manifest on the server's side and return the object."""
        words = ("apply", "--server-side", "--output=json", *flags, "--filename=-")
        applied: dict[str, Any] = json.loads(self(*words, stdin=manifest))
        return applied

    def within(self, namespace: str) -> Kubectl:
        """Return the same user in another namespace."""
        return Kubectl(self.binary, self.kubeconfig, namespace)

    def as_account(self, account: str, folder: Path, *bound: str) -> Kubectl:
        """Return a service account of this namespace, with a kubeconfig in `folder` that has only its token."""
        token = self("create", "token", account, *bound).strip()
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"] = [{"name": u["name"], "user": {"token": token}} for u in config["users"]]
        file = folder / f"{account}.yaml"
        file.write_text(yaml.safe_dump(config))
        return Kubectl(self.binary, file, self.namespace)


@pytest.fixture(scope="session")
def administrator(control_plane: Lab) -> Kubectl:
    """Return kubectl as the cluster's administrator, with Skerry's CRDs installed."""
    kubectl = Kubectl(control_plane.binary("kubectl"), control_plane.kubeconfig)
    kubectl("apply", "--server-side", "--force-conflicts", f"--filename={ROOT / 'crds'}")
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    # For a moment after that lists are still answered with 404 or 429.
    for kind in OURS.values():
        words = ("get", "--raw", kind.path())
        wait_for(lambda w=words: kubectl.tried(*w).returncode == 0, kind.name, SERVED_SECONDS)  # type: ignore[misc]
    return kubectl


@pytest.fixture(scope="module")
def kubectl(administrator: Kubectl, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """Yield kubectl in a namespace of the module's own."""
    name = request.module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    administrator("create", "namespace", name)
    yield administrator.within(name)
    administrator("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def world(
    control_plane: Lab, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Yield simulated nodes and a running operator; a module that needs others makes its own."""
    with running_world(control_plane, kubectl, tmp_path_factory.mktemp("operator")) as made:
        yield made


@pytest.fixture(scope="module")
def health_config(control_plane: Lab) -> dict[str, Any]:
    """Return the ConfigMap that the chart renders for Argo CD."""
    parts = yaml.safe_load_all(rendered(control_plane, **{"argocd.healthChecks.create": "true"}))
    return next(p for p in parts if p and p["metadata"]["name"] == "skerry-argocd-health")


@pytest.fixture(scope="module")
def judge(control_plane: Lab, health_config: dict[str, Any]) -> Verdicts:
    """Return the verdicts of Argo CD and kstatus about objects."""
    return Verdicts(control_plane.binary("verdicts"), health_config["data"])


@pytest.fixture
def cli(
    kubectl: Kubectl, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Return the command line as the administrator, in the module's namespace."""
    for console in (entry.out, entry.err):
        monkeypatch.setattr(console, "width", 400)
    return Cli(kubectl.kubeconfig, kubectl.namespace, capsys, monkeypatch)
