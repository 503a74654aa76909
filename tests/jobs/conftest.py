"""What the tests of jobs share: one registry for all, and no telemetry."""

from __future__ import annotations

import os

from tests.unit.optimizer.registries import registry

__all__ = ["registry"]

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
