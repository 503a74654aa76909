"""The exporters of other libraries: imported when needed; one that is missing is named with its extra."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from skerry.cli.errors import CliError
from skerry.jobs.ending import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_WORDS = 160
"""Characters of a library's own error that a message keeps."""


def require(module: str, extra: str, path: Path) -> Any:
    """Import a module of an optional extra.

    Args:
        module: its import name.
        extra: of pyproject.toml.
        path: the user's file, for the message.

    Raises:
        CliError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise CliError(
            f"this kind of model needs the package {error.name}",
            str(path),
            f"pip install 'skerry[{extra}]'",
        ) from error


def version_of(*distributions: str) -> str:
    """Return name and version of the first of these distributions that is installed."""
    for name in distributions:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return distributions[0]


@contextmanager
def exporting(exporter: str, path: Path, cure: str) -> Iterator[None]:
    """Put an exporter's error into the user's words.

    Raises:
        CliError: what is inside has raised anything else.
    """
    try:
        yield
    except CliError:
        raise
    except Exception as error:  # exporters' errors share no base but Exception
        said = first_line(error)[:MOST_WORDS] or type(error).__name__
        raise CliError(f"{exporter} can't export it: {said}", str(path), cure) from error
