"""Runs a lane of tests and shows where its time went: `python -m tests.profile LANE [pytest's arguments]`.

Shows per file: wall time, CPU time (of pytest and of ended child processes), waiting (wall time without
that CPU time), how busy the machine was, and throttled periods. The figures of each test are kept in
build/profile/LANE.json. Measure on a machine that does nothing else: its busy share counts everybody.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.profiling import REPORT_ENVIRONMENT, Usage

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build/profile"
LANES = {
    "unit": ("tests/unit", "engines"),
    "sources": ("tests/sources",),
    "cluster": ("tests/cluster",),
    "device": ("tests/device",),
    "e2e": ("tests/e2e",),
}
TESTS_SHOWN = 40
COLUMNS = ("wall s", "CPU s", "of children", "waiting s", "cores busy", "stolen", "throttled")

app = typer.Typer(add_completion=False, help=__doc__)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def profile(
    context: typer.Context,
    lane: Annotated[str, typer.Argument(help=f"One of {', '.join(LANES)}.")],
    tests: Annotated[int, typer.Option(help="So many of the slowest tests.")] = TESTS_SHOWN,
) -> None:
    """Run a lane of tests and show where its time went."""
    if lane not in LANES:
        raise typer.BadParameter(f"there is no lane {lane!r}; there are {', '.join(LANES)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    target = RESULTS / f"{lane}.json"
    target.unlink(missing_ok=True)
    began = time.monotonic()
    status = run(LANES[lane], context.args, target)
    wall = time.monotonic() - began
    if target.exists():
        figures = json.loads(target.read_text())
        show({name: Usage(**figure) for name, figure in figures.items()}, tests)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = ended.ru_utime + ended.ru_stime
    print(  # noqa: T201
        f"the lane as a whole: {wall:.1f} s, {cpu:.1f} CPU seconds; figures: {target}"
    )
    raise typer.Exit(status)


def run(folders: tuple[str, ...], arguments: list[str], target: Path) -> int:
    """Run pytest with the profiler; return its exit status."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.profiling", *folders, *arguments]
    environment = os.environ | {REPORT_ENVIRONMENT: str(target)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def show(figures: dict[str, Usage], tests: int) -> None:
    """Print the figures of each file, and of the slowest tests."""
    files: dict[str, Usage] = {}
    for name, usage in figures.items():
        file = name.split("::")[0]
        files[file] = files.get(file, Usage()) + usage
    console = Console(width=160)
    console.print(table("file", files, len(files)))
    console.print(table("test", figures, tests))


def table(title: str, figures: dict[str, Usage], rows: int) -> Table:
    """Return the table of the entries with most wall time, and of their sum."""
    shown = Table(title, *COLUMNS, box=None)
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, usage in sorted(figures.items(), key=lambda entry: -entry[1].wall)[:rows]:
        shown.add_row(escape(name), *cells(usage))
    shown.add_row("sum", *cells(sum(figures.values(), Usage())))
    return shown


def cells(usage: Usage) -> list[str]:
    """Return an entry's figures as words."""
    cpu = usage.own + usage.children
    cores = usage.busy + usage.idle + usage.stolen
    return [
        f"{usage.wall:.2f}",
        f"{cpu:.2f}",
        f"{usage.children:.2f}",
        f"{max(0.0, usage.wall - cpu):.2f}",
        f"{usage.busy / cores:.0%}" if cores else "-",
        f"{usage.stolen / cores:.0%}" if cores else "-",
        f"{usage.throttled:.0f}",
    ]


if __name__ == "__main__":
    app()
