"""EdgeModels and HardwareClasses out of YAML files, checked by the models that the CRDs are made of."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from skerry.api import EdgeModel, HardwareClass
from skerry.api.config import OperatorConfig
from skerry.api.crd import open_api_schema
from skerry.api.mistakes import mistakes
from skerry.cli.errors import CliError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STDIN = "-"
KINDS: dict[str, type[EdgeModel | HardwareClass]] = {
    "EdgeModel": EdgeModel,
    "HardwareClass": HardwareClass,
}


@dataclass(frozen=True)
class Manifests:
    """What the files hold, in their order; other kinds are left out.

    Attributes:
        raw: each EdgeModel as it was written, for the API server's own check.
    """

    models: tuple[EdgeModel, ...]
    raw: tuple[dict[str, Any], ...]
    classes: dict[str, HardwareClass]


def read_manifests(paths: Sequence[str]) -> Manifests:
    """Read YAML files, `-` being the standard input.

    Raises:
        CliError: a file can't be read, is no YAML, holds a wrong manifest, or none holds an EdgeModel.
    """
    models: list[EdgeModel] = []
    raw: list[dict[str, Any]] = []
    classes: dict[str, HardwareClass] = {}
    for place, document in (found for path in paths for found in _documents(path)):
        kind = KINDS.get(str(document.get("kind")))
        if kind is None:
            continue
        parsed = _validated(kind, document, place)
        if isinstance(parsed, EdgeModel):
            models.append(parsed)
            raw.append(document)
        else:
            classes[parsed.metadata.name] = parsed
    if not models:
        raise CliError(
            "it holds no EdgeModel", ", ".join(paths), "name a file with kind: EdgeModel"
        )
    return Manifests(tuple(models), tuple(raw), classes)


def read_config(path: Path) -> OperatorConfig:
    """Return the operator's configuration from a file.

    Raises:
        CliError: it can't be read, or is wrong.
    """
    ((place, document),) = list(_documents(str(path)))[:1] or [(str(path), {})]
    return config_from(document, place)


def config_from(document: Any, place: str) -> OperatorConfig:
    """Return the operator's configuration from what was parsed.

    Raises:
        CliError: it is wrong.
    """
    try:
        return OperatorConfig.model_validate(document)
    except ValidationError as error:
        wrong = "; ".join(mistakes(error))
        raise CliError(wrong, place, "check that it is of this version") from error


def _documents(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = sys.stdin.read() if path == STDIN else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CliError(f"cannot be read: {why}", path, "check the path") from error
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise CliError(f"this is not YAML: {what}", path, "check its indentation") from error
    for number, document in enumerate(documents, start=1):
        place = path if len(documents) == 1 else f"{path} (document {number})"
        if document is None:
            continue
        if not isinstance(document, dict):
            raise CliError("it holds no object", place, "write apiVersion, kind, metadata and spec")
        yield place, document


def _validated(
    kind: type[EdgeModel | HardwareClass], document: dict[str, Any], place: str
) -> EdgeModel | HardwareClass:
    """Return what the API server would store; it ignores a status, and knows more metadata than we."""
    applied = {key: value for key, value in document.items() if key != "status"}
    try:
        kind.model_validate({**applied, "metadata": {"name": "any"}}, extra="forbid")
        return kind.model_validate(applied)
    except ValidationError as error:
        todo = f"see `kubectl explain {kind.info.short} --recursive` for all fields"
        wrong = "; ".join(mistakes(error, partial(_fields, open_api_schema(kind))))
        raise CliError(wrong, place, todo) from error


def _fields(schema: dict[str, Any], location: tuple[int | str, ...]) -> Iterator[str]:
    """Yield the names of the fields at a place of a kind."""
    for part in location:
        step = (
            schema.get("items") if isinstance(part, int) else schema.get("properties", {}).get(part)
        )
        schema = step or {}
    yield from schema.get("properties", {})
