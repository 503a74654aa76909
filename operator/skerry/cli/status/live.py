"""The tree once, or again and again until interrupted."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.markup import escape

from skerry.cli.errors import lines
from skerry.cli.reading import picture, read_model, read_models
from skerry.cli.status.tree import tree
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from skerry.cli.connection import Connection


async def look(
    connection: Connection, name: str | None, *, everywhere: bool, all_nodes: bool
) -> RenderableType:
    """Return the tree of one model, or of all in the namespace or cluster."""
    models = (
        [await read_model(connection, name)]
        if name
        else await read_models(connection, everywhere=everywhere)
    )
    if not models:
        where = "this cluster" if everywhere else f"namespace {connection.namespace}"
        return f"There is no EdgeModel in {where}."
    pictures = [await picture(connection, model) for model in models]
    now = datetime.now(UTC)
    return Group(*(tree(one, now, all_nodes=all_nodes) for one in pictures))


async def watch(
    connection: Connection,
    console: Console,
    name: str | None,
    seconds: float,
    *,
    everywhere: bool,
    all_nodes: bool,
) -> None:
    """Show the tree and look again every `seconds`, until interrupted.

    What goes wrong after the first look is shown below the last tree, and looked at again.

    Raises:
        SkerryError: the first look failed.
    """
    seen = await look(connection, name, everywhere=everywhere, all_nodes=all_nodes)
    with _screen(console, seen) as show:
        while True:
            await asyncio.sleep(seconds)
            try:
                seen = await look(connection, name, everywhere=everywhere, all_nodes=all_nodes)
            except SkerryError as error:
                show(Group(seen, f"[red]{escape(lines(error)[0])}[/]"))
            else:
                show(seen)


@contextmanager
def _screen(console: Console, first: RenderableType) -> Iterator[Callable[[RenderableType], None]]:
    """Yield a function that shows the latest tree; a pipe or file gets each one after the other instead."""
    if not console.is_terminal:
        console.print(first)
        yield console.print
        return
    with Live(first, console=console, auto_refresh=False, vertical_overflow="visible") as live:

        def update(seen: RenderableType) -> None:
            live.update(seen, refresh=True)

        yield update
