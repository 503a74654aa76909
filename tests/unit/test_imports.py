"""The import contracts of pyproject.toml: layers, pure decisions, one client, small programs on devices."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")
FOLDERS = (
    "operator", "agents", "images/fetcher", "images/runtime", "images/optimizer", "engines/onnxruntime",
    "engines/openvino",
)  # fmt: skip
"""Where the import packages lie."""


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts on the packages under `root`."""
    paths = os.pathsep.join(str(root / folder) for folder in FOLDERS)
    return subprocess.run(
        [LINT, "--no-cache"], cwd=root, env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_import_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_decides_reads_no_clock() -> None:
    """`datetime` may be imported for its types; asking it for the time is what must not be."""
    operator = ROOT / "operator" / "skerry"
    rooms = [operator / name for name in ("decide", "judging", "models", "render")]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for room in (*rooms, ROOT / "agents" / "skerry_agent" / "trial")
        for path in sorted(room.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
        if isinstance(node.value, ast.Name) and node.value.id in {"datetime", "date"}
    ]
    assert found == []


FORBIDDEN = (
    ("operator/skerry/decide/rollout/schedule.py", "import time",
     "skerry.decide.rollout.schedule -> time"),
    ("operator/skerry/decide/rollout/schedule.py", "import skerry.artifacts.plain_files",
     "skerry.decide is not allowed to import skerry.artifacts"),
    ("operator/skerry/cluster/compare.py", "import skerry.decide.snapshot",
     "skerry.cluster.compare -> skerry.decide.snapshot"),
    ("operator/skerry/jobs/files.py", "import numpy", "skerry.jobs.files -> numpy"),
    ("operator/skerry/jobs/stages.py", "import skerry.api.common",
     "skerry.jobs.stages is not allowed to import pydantic"),
    ("images/runtime/skerry_runtime/artifact.py", "import skerry.jobs.files",
     "skerry_runtime.artifact -> skerry.jobs.files"),
    ("images/runtime/skerry_runtime/engine.py", "import skerry_optimizer.engine",
     "skerry_runtime is not allowed to import skerry_optimizer"),
    ("images/fetcher/skerry_fetcher/sink.py", "import skerry_runtime.limits",
     "skerry_fetcher is not allowed to import skerry_runtime"),
    ("operator/skerry/engines/plugin.py", "import onnxruntime",
     "skerry.engines.plugin -> onnxruntime"),
    ("agents/skerry_agent/trial/smoke.py", "import time", "skerry_agent.trial.smoke -> time"),
    ("agents/skerry_agent/trial/local_model.py", "import skerry_agent.clock",
     "skerry_agent.trial is not allowed to import time"),
    ("agents/skerry_agent/metrics.py", "import skerry_agent.runner",
     "skerry_agent.metrics is not allowed to import skerry_agent.runner"),
)  # fmt: skip
"""A module, what it must not import, and the message about that."""


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the findings for a copy with all of these imports, under the same configuration."""
    root = tmp_path_factory.mktemp("spoiled")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copy(ROOT / "pyproject.toml", root)
    for module, statement, _ in FORBIDDEN:
        bad = root / module
        name = statement.rpartition(" ")[2].replace(".", "_")
        bad.write_text(f"{bad.read_text()}\n\ndef late_{name}() -> None:\n    {statement}\n")
    done = lint(root)
    assert done.returncode != 0
    return done.stdout


@pytest.mark.parametrize(("module", "statement", "seen"), FORBIDDEN)
def test_a_forbidden_import_is_seen(module: str, statement: str, seen: str, spoiled: str) -> None:
    """The contracts bite."""
    assert seen in spoiled, f"{statement} in {module}"


def test_a_serving_process_imports_no_pydantic() -> None:
    """Also not by way of a library: all that serves is imported in a process of its own."""
    package = ROOT / "images" / "runtime" / "skerry_runtime"
    names = sorted(
        f"skerry_runtime.{path.stem}" for path in package.glob("*.py") if path.stem != "__main__"
    )
    assert "skerry_runtime.server" in names
    assert _loaded(*names, "skerry_onnxruntime", "skerry_openvino") == set()


def test_a_container_that_has_nothing_to_do_imports_no_pydantic() -> None:
    assert _loaded("skerry_optimizer.__main__", "skerry_runtime.measure.__main__") == set()


def _loaded(*modules: str) -> set[str]:
    """Return what a fresh process has loaded of pydantic and the API models after importing these modules."""
    code = (
        f"import importlib, sys; [importlib.import_module(one) for one in {modules!r}];"
        " print(*(one for one in ('pydantic', 'skerry.api') if one in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())
