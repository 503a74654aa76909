"""`python -m examples.demo up|down`."""

from __future__ import annotations

import sys

import typer

from examples.demo.scenario import play
from examples.demo.watch import NotReachedError, console
from tests.lab import Lab, LabError
from tests.lab.client.environment import CommandError, bring_up
from tests.lab.client.install import building_images

LAB_NAME = "demo"

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def up() -> None:
    """Bring up the cluster and play the story; it stays up."""
    try:
        with building_images():
            environment = bring_up(LAB_NAME, console.print)
        play(environment)
    except (CommandError, LabError, NotReachedError) as error:
        console.print(f"[bold red]{error}[/]")
        sys.exit(1)


@app.command()
def down() -> None:
    """Take the lab of the demonstration down again."""
    Lab(LAB_NAME).down()


if __name__ == "__main__":
    app()
