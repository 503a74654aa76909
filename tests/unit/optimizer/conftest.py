"""What the optimizer's tests share: one registry for all, and no telemetry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.optimizer.registries import Registry, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as started:
        yield started
