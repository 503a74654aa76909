"""What the documentation says to do, done: every command, manifest, program and values file of its pages.

A page's blocks run in their order in a folder and a namespace of the page's own, against a real API server
and operator with devices that are played (`edge-1` and `edge-2`, class `x86-small`). Of what stands in
the pages only the registry's name is another one. docs/start.md runs on kubelets, in tests/e2e.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from docs.tools.__main__ import DOCS
from docs.tools.blocks import PYTHON, SHELL, YAML, Block, blocks
from image_build import BuiltImage
from image_build.spec import image_names
from image_build.values import chart_values, engine_names, write
from skerry.api.common import SYSTEM_NAMESPACE
from tests.cluster.chart import CHART, NAMESPACE
from tests.cluster.conftest import ROOT, Kubectl
from tests.cluster.world import push_image, running_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

CLASSES = {"x86-small": ("edge-1", "edge-2")}
REGISTRY, INSIDE = "registry.example:5000", "registry.inside.example/"
ON_KUBELETS = {"start.md"}
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if "adr" not in page.parts
    and page.name not in ON_KUBELETS
    and any(block.language in {SHELL, YAML, PYTHON} for block in blocks(page))
)


@dataclass(frozen=True)
class Reader:
    """Somebody who does what a page says, in a folder and a namespace of their own."""

    kubectl: Kubectl
    lab: Lab
    folder: Path

    def do(self, block: Block) -> None:
        """Run one block; it must succeed."""
        if block.where == "none":
            return
        if block.language == SHELL:
            self._shell(block, self._here(block.text))
        elif block.language == PYTHON:
            self._ended(block, [sys.executable, "-c", block.text])
        elif block.where == "values":
            self._values(block)
        elif block.language == YAML:
            self._admitted(block)

    def _here(self, text: str) -> str:
        """Return the text with the lab's registry in place of the page's, also inside the closed network."""
        registry = self.lab.registry
        text = text.replace(INSIDE, f"{registry}/inside/").replace(REGISTRY, registry)
        return text.replace("registry.example/", f"{registry}/")

    def _shell(self, block: Block, text: str) -> None:
        self._ended(block, ["bash", "-euo", "pipefail", "-c", text])

    def _admitted(self, block: Block) -> None:
        # A page may show another state of what it applied before, by another way.
        words = (
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
        )
        done = self.kubectl.tried(*words, "--filename=-", stdin=block.text)
        assert done.returncode == 0, f"{block.title}: {done.stderr}"

    def _values(self, block: Block) -> None:
        """Render the chart with values on top of those of `make images`, and send it to the API server."""
        (self.folder / "more-values.yaml").write_text(block.text)
        self._shell(
            block,
            # Helm makes the account of its test's pod first; a dry run makes none.
            f"helm template skerry charts/skerry --skip-tests --namespace {NAMESPACE}"
            " --values skerry-values.yaml --values more-values.yaml"
            " | kubectl apply --server-side --force-conflicts"
            f" --dry-run=server --namespace {NAMESPACE} --filename=-",
        )

    def _ended(self, block: Block, command: list[str]) -> None:
        programs = [self.kubectl.binary.parent, self.lab.helm.parent, Path(sys.executable).parent]
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "KUBECONFIG": str(self.kubectl.kubeconfig),
            "REGISTRY_INSECURE": "1",
            "HOME": str(self.folder.parent),
            "COLUMNS": "200",
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        print(f"--- {block.title}\n{done.stdout}{done.stderr}")  # noqa: T201 - for a failure's report
        assert done.returncode == 0, f"{block.title}: {done.stderr or done.stdout}"


@pytest.fixture(scope="module")
def cluster(
    control_plane: Lab, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kubectl]:
    """Yield the administrator of a cluster with an operator, and with a ConfigMap that Argo CD has."""
    folder = tmp_path_factory.mktemp("operator")
    with running_world(control_plane, kubectl, folder, classes=CLASSES):
        kubectl("create", "namespace", "argocd")
        kubectl.within("argocd")("create", "configmap", "argocd-cm")
        yield kubectl
        kubectl("delete", "namespace", "argocd")
        ours = ("configmap", "skerry-argocd-health", "--ignore-not-found")
        kubectl.within(SYSTEM_NAMESPACE)("delete", *ours)


@pytest.fixture
def reader(
    cluster: Kubectl, control_plane: Lab, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Reader]:
    """Yield a reader at the root of a checkout, after `make images`."""
    namespace = "docs-" + re.sub(r"[^a-z0-9]+", "-", request.node.callspec.id).strip("-")
    cluster("create", "namespace", namespace)
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    own = tmp_path / "kubeconfig"
    own.write_text(yaml.safe_dump(config))
    folder = tmp_path / "skerry"
    (folder / "charts").mkdir(parents=True)
    (folder / "charts" / "skerry").symlink_to(CHART)
    registry = control_plane.registry
    built = [BuiltImage(n, "", _pushed(registry, f"skerry/{n}")) for n in image_names(ROOT)]
    values = chart_values(built, registry, insecure=False, engines=engine_names(ROOT))
    write(folder / "skerry-values.yaml", values)
    containers = tmp_path / ".config" / "containers"
    containers.mkdir(parents=True)
    plain_http = f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n'
    (containers / "registries.conf").write_text(plain_http)
    yield Reader(Kubectl(cluster.binary, own, namespace), control_plane, folder)
    within = cluster.within(namespace)
    within("delete", "edgemodels", "--all", "--wait=false")
    within("delete", "namespace", namespace, "--wait=false")


def _pushed(registry: str, repository: str) -> str:
    """Return an image without any of Skerry's content, by digest."""
    digest = push_image(registry, repository, "docs", [(repository.encode(), {})])
    return f"{registry}/{repository}@{digest}"


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(DOCS).with_suffix(""))
)
def test_a_page_does_what_it_says(reader: Reader, page: Path) -> None:
    for block in blocks(page):
        reader.do(block)


def test_every_page_is_run() -> None:
    assert {page.stem for page in PAGES} >= {"own-model", "rollout-controls", "troubleshooting"}
