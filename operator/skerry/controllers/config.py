"""Reads the operator's configuration file; reports a mistake in one line, with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from skerry.api.config import OperatorConfig
from skerry.api.mistakes import mistakes
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OperatorConfig", "load_config"]

_TODO = (
    "correct the chart's values (ConfigMap skerry-operator) or the file that SKERRY_CONFIG names"
)


def load_config(path: Path) -> OperatorConfig:
    """Return the configuration in `path`.

    Raises:
        SkerryError: when it cannot be read, is no YAML, or says something unknown or wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SkerryError(
            f"cannot read the configuration: {error.strerror}", str(path), _TODO
        ) from error
    try:
        return OperatorConfig.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SkerryError(f"this is not YAML: {error}", str(path), _TODO) from error
    except ValidationError as error:
        raise SkerryError("; ".join(mistakes(error)), str(path), _TODO) from error
