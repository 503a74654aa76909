"""Builds Skerry's images and pushes them to a registry.

    python images/build.py                                # all, into buildah's storage
    python images/build.py --push 10.77.0.1:5000 --insecure agent gateway
    python images/build.py --push registry.example --values skerry-values.yaml     # `make images`

Prints a line `name reference@digest` for each image. `--values` writes what the Helm chart has to know of
them. A registry that requires credentials gets those of `buildah login`. `image_build/spec.py` says what an
image's folder may hold.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from image_build import Builder, BuildError, BuiltImage
from image_build.values import chart_values, engine_names, write

REPOSITORY = Path(__file__).resolve().parent.parent


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Images; all if none is named.")] = None,
    push: Annotated[str | None, typer.Option(help="Registry to push to, HOST:PORT.")] = None,
    base: Annotated[str | None, typer.Option(help="A base image instead of images/base.")] = None,
    python: Annotated[str, typer.Option(help="The Python of that base image.")] = "3.11",
    *,
    insecure: Annotated[bool, typer.Option(help="Push by plain HTTP.")] = False,
    values: Annotated[
        Path | None, typer.Option(help="Write the chart's values into this file; with --push.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Build images and print their references by digest."""
    if values is not None and push is None:
        raise typer.BadParameter("nodes pull by it, so it needs --push", param_hint="--values")
    builder = Builder(REPOSITORY, base=base, python=python)
    console = Console(stderr=True)
    built: list[BuiltImage] = []
    try:
        for name in names or builder.names():
            with console.status(f"Building {name} (what is new to the cache takes a minute) ..."):
                built.append(
                    builder.push(name, push, insecure=insecure) if push else builder.describe(name)
                )
            if not as_json:
                print(name, built[-1].reference, flush=True)
    except BuildError as error:
        console.print("[red]error:[/red]", Text(str(error)), highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    if values is not None and push is not None:
        engines = engine_names(REPOSITORY)
        write(values, chart_values(built, push, insecure=insecure, engines=engines))
    if as_json:
        print(json.dumps([asdict(image) for image in built], indent=2))


if __name__ == "__main__":
    typer.run(main)
