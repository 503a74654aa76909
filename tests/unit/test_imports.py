"""The import contracts of pyproject.toml: pure decisions, one client, a small agent."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Checks the contracts on the packages under `root`."""
    paths = f"{root / 'operator'}:{root / 'agents'}"
    return subprocess.run(
        [LINT, "--no-cache"], cwd=root, env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_import_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_decide_and_render_read_no_clock() -> None:
    """`datetime` may be imported for its types; asking it for the time is what must not be."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("decide", "render")
        for path in sorted((ROOT / "operator" / "skerry" / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
        if isinstance(node.value, ast.Name) and node.value.id in {"datetime", "date"}
    ]
    assert found == []


def test_a_forbidden_import_is_seen(tmp_path: Path) -> None:
    """The contract bites: the same configuration on a copy with one bad import fails."""
    for part in ("operator", "agents"):
        shutil.copytree(ROOT / part, tmp_path / part)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    bad = tmp_path / "operator" / "skerry" / "decide" / "rollout" / "schedule.py"
    bad.write_text(bad.read_text() + "\n\ndef late() -> None:\n    import time\n")
    done = lint(tmp_path)
    assert done.returncode != 0
    assert "skerry.decide.rollout.schedule -> time" in done.stdout
