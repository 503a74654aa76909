"""docs/start.md as a stranger follows it: in an empty folder, on a cluster of one node where nothing is yet.

Only the four settings that the page asks for are given: where the repository, the registry and the node are.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from docs.tools.__main__ import DOCS
from docs.tools.blocks import blocks
from tests.lab import Lab
from tests.lab.fixtures import WORKER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

PAGE = DOCS / "start.md"


@pytest.fixture
def cluster() -> Iterator[Lab]:
    """Yield a lab of its own, since other tests install Skerry in theirs."""
    lab = Lab(f"{os.environ.get('SKERRY_LAB_NAME', 'test')}-docs{WORKER}")
    try:
        lab.up(nodes=1)
        yield lab
    finally:
        lab.down()


def script() -> str:
    """Return all commands of the page as one shell script, with a heading before each block."""
    steps = [block for block in blocks(PAGE) if block.where == "start"]
    parts = [f"echo '--- start.md:{step.line}'\n{step.text}" for step in steps]
    return "set -euo pipefail\n" + "".join(parts)


def test_a_stranger_gets_from_nothing_to_an_answer(cluster: Lab, tmp_path: Path) -> None:
    programs = {cluster.binary("kubectl").parent, cluster.binary("helm").parent}
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "KUBECONFIG": str(cluster.kubeconfig),
        "REPOSITORY": str(DOCS.parent),
        "REGISTRY": cluster.registry,
        "REGISTRY_INSECURE": "1",
        "NODE": cluster.nodes[0].name,
    }
    done = subprocess.run(
        ["bash", "-c", script()], cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    print(done.stdout)  # noqa: T201 - for a failure's report
    assert done.returncode == 0, done.stdout[-4000:]
    assert '"model_name":"tiny"' in done.stdout.replace(" ", ""), "the answer of the model"
    assert "Promoted" in done.stdout, "the history"
    assert "<svg" in (tmp_path / "skerry" / "tiny.html").read_text()
