"""EdgeModels and HardwareClasses out of YAML files, checked by the models that the CRDs are made of."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from skerry.api import EdgeModel, HardwareClass
from skerry.api.config import OperatorConfig
from skerry.cli.errors import CliError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

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
        raise CliError(_mistakes(error), place, "check that it is of this version") from error


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
    todo = f"see `kubectl explain {kind.info.short} --recursive` for all fields"
    try:
        parsed = kind.model_validate(document)
    except ValidationError as error:
        raise CliError(_mistakes(error), place, todo) from error
    read = parsed.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if unknown := list(_unknown(document.get("spec"), read, "spec")):
        raise CliError("; ".join(f"{one}: there is no such field" for one in unknown), place, todo)
    return parsed


def _unknown(written: Any, read: Any, path: str) -> Iterator[str]:
    """Yield the fields of a manifest that its model did not read: the API server refuses them too."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            if key in read:
                yield from _unknown(value, read[key], f"{path}.{key}")
            elif value is not None:
                yield f"{path}.{key}"
    elif isinstance(written, list) and isinstance(read, list):
        for number, (one, other) in enumerate(zip(written, read, strict=False)):
            yield from _unknown(one, other, f"{path}[{number}]")


def _mistakes(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, mistake['loc'])) or 'the manifest'}: {_said(mistake)}"
        for mistake in error.errors()
    )


def _said(mistake: ErrorDetails) -> str:
    if mistake["type"] == "string_type" and isinstance(mistake["input"], int | float):
        return f'this is text, so write it in quotes: "{mistake["input"]}"'
    return mistake["msg"].removeprefix("Value error, ")
