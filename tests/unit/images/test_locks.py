"""The locks hold what pyproject.toml and the images' folders require, each file by its hash."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from image_build.locks import locks

if TYPE_CHECKING:
    from image_build.locks import Lock

ROOT = Path(__file__).resolve().parents[3]
LOCKS = list(locks(ROOT))
PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)==(\S+)(?: ; .*?)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


def _name(lock: Lock) -> str:
    return str(lock.file.relative_to(ROOT))


@pytest.mark.parametrize("lock", LOCKS, ids=_name)
def test_every_requirement_is_locked_to_a_version_that_fits(lock: Lock) -> None:
    pinned = PINNED.findall(lock.file.read_text())
    for requirement in map(Requirement, lock.requirements):
        versions = [
            version for name, version, _ in pinned
            if canonicalize_name(name) == canonicalize_name(requirement.name)
        ]  # fmt: skip
        assert any(requirement.specifier.contains(one) for one in versions), (
            f"{requirement} is not in {_name(lock)}; run `make locks`"
        )


@pytest.mark.parametrize("lock", LOCKS, ids=_name)
def test_a_lock_holds_hashes_and_names_no_server(lock: Lock) -> None:
    text = lock.file.read_text()
    assert not PINNED.sub("", text).strip()
    assert "://" not in text


def test_every_image_of_python_code_has_a_lock() -> None:
    held = {lock.file.parent.name for lock in LOCKS}
    assert {"operator", "agent", "fetcher", "runtime", "optimizer"} <= held
