"""Writes every lock of the checkout (`make locks`). Versions stay unless `--upgrade` asks for the newest."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from image_build import BuildError
from image_build.locks import locks, resolve

REPOSITORY = Path(__file__).resolve().parent.parent


def main(
    *, upgrade: Annotated[bool, typer.Option(help="Take the newest versions.")] = False
) -> None:
    """Resolve what images and environments require."""
    try:
        for lock in locks(REPOSITORY):
            resolve(lock, upgrade=upgrade)
            print(lock.file.relative_to(REPOSITORY), flush=True)
    except BuildError as error:
        Console(stderr=True).print(
            "[red]error:[/red]", Text(str(error)), highlight=False, soft_wrap=True
        )
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
