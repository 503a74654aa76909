"""The error that ends a stage, under the name that all stages know it by."""

from __future__ import annotations

from skerry.artifacts.stage import StageError, first_line

__all__ = ["StageError", "first_line"]
