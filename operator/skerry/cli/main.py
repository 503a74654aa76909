"""The commands and their options. An error becomes two lines on the standard error and exit code 1."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from skerry.cli import actions, history
from skerry.cli.connection import Where, run
from skerry.cli.errors import CliError, lines
from skerry.cli.importing.command import import_saved
from skerry.cli.reading import picture, read_model
from skerry.cluster import kinds
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.cli.actions import Order
    from skerry.cli.connection import Connection
    from skerry.cli.reading import Picture

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Name of the EdgeModel.", show_default=False)]
Classes = Annotated[
    list[str] | None, typer.Option("--class", "-c", help="A hardware class. Default: all.")
]
LEAST_WATCH_SECONDS = 0.5
PIPED_WIDTH = 200
"""Columns where no terminal says how many it has: lines that `grep` and logs can use."""


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console


out, err = _console(), _console(stderr=True)
app.command(name="import")(import_saved)


Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace. Default: the context's.")
]
Kubeconfig = Annotated[Path | None, typer.Option(help="Path of the kubeconfig, as for kubectl.")]
Context = Annotated[
    str | None, typer.Option(help="Context of the kubeconfig. Default: the current one.")
]


@app.callback()
def about() -> None:
    """Watch and control what Skerry serves on a fleet. No command writes a spec."""


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="Name of an EdgeModel. Default: all.")] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option(min=LEAST_WATCH_SECONDS, help="Seconds between refreshes.")
    ] = 2.0,
    everywhere: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Show all namespaces.")
    ] = False,
    nodes: Annotated[bool, typer.Option("--nodes", help="Show every node.")] = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show models, classes, builds, waves and nodes as a tree, each with its reason."""
    from skerry.cli.status import live  # noqa: PLC0415 - each command loads what it needs

    if name and everywhere:
        raise CliError("a name can't be combined with --all-namespaces", name, "leave one out")

    async def work(connection: Connection) -> None:
        if watch:
            await live.watch(
                connection, out, name, interval, everywhere=everywhere, all_nodes=nodes
            )
        else:
            out.print(await live.look(connection, name, everywhere=everywhere, all_nodes=nodes))

    with suppress(KeyboardInterrupt):
        run(Where(kubeconfig, context, namespace), work)


@app.command()
def promote(
    name: Name,
    hardware_class: Classes = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Approve a candidate whose spec.rollout.promotion is Manual."""
    _order(
        Where(kubeconfig, context, namespace),
        name,
        lambda seen, now: actions.promote(seen, hardware_class or (), now),
    )


@app.command()
def abort(
    name: Name,
    hardware_class: Classes = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Roll a candidate back as if it had failed. It is not tried again until a retry."""
    _order(
        Where(kubeconfig, context, namespace),
        name,
        lambda seen, _: actions.abort(seen, hardware_class or ()),
        yes=yes,
    )


@app.command()
def undo(
    name: Name,
    hardware_class: Classes = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Roll back to the previous revision while it is kept (spec.rollout.rollbackWindow)."""
    _order(
        Where(kubeconfig, context, namespace),
        name,
        lambda seen, now: actions.undo(seen, hardware_class or (), now),
    )


@app.command()
def retry(
    name: Name,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Retry what failed or was rolled back, and resolve tags of source and data set again."""
    _order(Where(kubeconfig, context, namespace), name, actions.retry)


@app.command(name="history")
def show_history(
    name: Name,
    hardware_class: Classes = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show how revisions ended: promoted, rolled back, aborted, superseded."""
    model = run(
        Where(kubeconfig, context, namespace), lambda connection: read_model(connection, name)
    )
    if not model.status.history:
        out.print(f"No rollout of {name} has ended yet.")
        return
    out.print(history.table(model, hardware_class or (), datetime.now(UTC)))


@app.command()
def report(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. Default: NAME.html.")
    ] = None,
    *,
    evidence: Annotated[
        bool, typer.Option(help="Add raw figures from the registry, if it is reachable.")
    ] = True,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Write an HTML report of a model: builds, Pareto front, gates, stages, recommendations."""
    from skerry.cli.report.make import make  # noqa: PLC0415 - draws with matplotlib, which takes a second

    target = output or Path(f"{name}.html")
    page, notes = run(
        Where(kubeconfig, context, namespace),
        lambda connection: make(connection, name, evidence=evidence),
    )
    try:
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CliError(
            f"cannot be written: {error.strerror}", str(target), "name another file by --output"
        ) from error
    for note in notes:
        err.print(f"note: {note}", highlight=False, markup=False)
    out.print(f"{target} ({len(page) / 1000:.0f} kB)", highlight=False)


@app.command()
def plan(
    filename: Annotated[
        list[str],
        typer.Option(
            "--filename", "-f", help="YAML with an EdgeModel and HardwareClasses; - reads stdin."
        ),
    ],
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not contact a cluster.")] = False,
    model: Annotated[
        Path | None, typer.Option(help="A local copy of the source to read for the plan.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The operator's configuration, for the installed engines.")
    ] = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show what an EdgeModel would do: the engines of each class and why, and what would change.

    It writes nothing. The exit code is 1 if a target would fail, because its class does not exist or
    no installed engine suits it.
    """
    from skerry.cli.plan.files import read_config, read_manifests  # noqa: PLC0415
    from skerry.cli.plan.make import make, offline_plans  # noqa: PLC0415 - each command loads what it needs

    manifests = read_manifests(filename)
    settings = read_config(config) if config else None
    if offline:
        plans = offline_plans(manifests, model, settings)
    else:
        plans = run(
            Where(kubeconfig, context, namespace),
            lambda connection: make(connection, manifests, model, settings),
        )
    for one in plans:
        out.print(one.shown)
    if failing := ", ".join(target for one in plans for target in one.failing):
        todo = "see the plan for the cause"
        raise CliError(f"would fail: {failing}", ", ".join(filename), todo)


@app.command()
def push(
    folder: Annotated[
        Path, typer.Argument(help="Folder with the files of the image.", show_default=False)
    ],
    target: Annotated[str, typer.Argument(help="HOST[:PORT]/REPOSITORY:TAG", show_default=False)],
    *,
    insecure: Annotated[
        bool, typer.Option("--insecure", envvar="REGISTRY_INSECURE", help="Use plain HTTP.")
    ] = False,
) -> None:
    """Push the folder of a model or a data set as an image, for use in a spec as oci://TARGET."""
    from skerry.cli import push as pushing  # noqa: PLC0415 - each command loads what it needs

    parsed = pushing.parse_target(target)
    digest = pushing.push_folder(folder, parsed, insecure=insecure, home=Path.home())
    out.print(f"{parsed.uri}\n{digest}", highlight=False, markup=False, soft_wrap=True)


def _order(
    where: Where, name: str, decide: Callable[[Picture, datetime], Order], *, yes: bool = True
) -> None:
    """Look, decide what to ask for, ask the person where it is risky, write the annotation, say so."""

    async def work(connection: Connection) -> Order:
        seen = await picture(connection, await read_model(connection, name), nodes=False)
        order = decide(seen, datetime.now(UTC))
        if order.risk and not yes:
            typer.confirm(f"{order.risk}. Continue?", abort=True)
        await connection.cluster.annotate(
            kinds.EDGE_MODEL, seen.model.to_wire(), {order.key: order.value}
        )
        return order

    order = run(where, work)
    for line in order.consequences:
        out.print(line, highlight=False, markup=False)
    out.print(f"to watch it: kubectl skerry status {name} --watch", highlight=False)


def main() -> None:
    """Run `skerry` or `kubectl-skerry`."""
    try:
        app(prog_name=_program())
    except SkerryError as error:
        what, todo = lines(error)
        _fail(what, todo)
    except ValidationError as error:
        _fail(
            f"an object in the cluster is not of this version of Skerry: {error.title}",
            "install `skerry` and the operator in the same version",
        )


def _fail(what: str, todo: str) -> None:
    err.print(f"error: {what}", highlight=False, markup=False, soft_wrap=True)
    err.print(f"  {todo}", highlight=False, markup=False, soft_wrap=True)
    sys.exit(1)


def _program() -> str:
    """Return the program's name as the user called it: kubectl runs a plug-in by its file's name."""
    return "kubectl skerry" if Path(sys.argv[0]).name.startswith("kubectl-") else "skerry"
