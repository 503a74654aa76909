"""The lab's command line: `python -m tests.lab [--name NAME] up|down|status|...`."""

import sys
import time
from dataclasses import dataclass
from typing import Annotated

import httpx
import psutil
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.lab.api import Api
from tests.lab.errors import LabError
from tests.lab.lab import DEFAULT_NAME, DEFAULT_NODES, Lab
from tests.lab.pki import Authority
from tests.lab.toolchain import Toolchain

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
console = Console(stderr=True, highlight=False)

MEBIBYTE = 1 << 20


@dataclass
class Options:
    """What stands before the command."""

    name: str = DEFAULT_NAME

    def lab(self) -> Lab:
        """Return the lab that is meant, reporting its steps with the seconds since now."""
        began = time.monotonic()
        return Lab(
            self.name,
            report=lambda line: console.print(f"{time.monotonic() - began:5.1f} s  {line}"),
        )


options = Options()


@app.callback()
def main(name: Annotated[str, typer.Option(help="Which lab.")] = DEFAULT_NAME) -> None:
    """Start, look at and remove a throw-away Kubernetes cluster."""
    options.name = name


@app.command()
def up(
    nodes: Annotated[int, typer.Option(help="0: the control plane alone.")] = DEFAULT_NODES,
) -> None:
    """Bring the lab up, and wait until it works."""
    lab = options.lab()
    lab.up(nodes)
    console.print(f"lab {lab.name} is up; export KUBECONFIG={lab.kubeconfig}", soft_wrap=True)


@app.command()
def down() -> None:
    """Remove the lab and everything that it made, after a crash too."""
    options.lab().down()
    console.print(f"lab {options.name} is gone")


@app.command()
def status() -> None:
    """Show the lab's programs and nodes; ends with 1 if it is not whole."""
    lab = options.lab()
    table = Table("program", "process", "state", "memory (MiB)", "CPU (s)")
    for record in lab.processes.records():
        table.add_row(record.name, str(record.pid), *_usage(record.process()))
    console.print(table)
    whole = lab.is_up()
    if whole:
        ready = Api(lab.plan.api_url, Authority(lab.plan.state / "pki")).ready_nodes()
        for node in lab.nodes:
            state = "ready" if node.name in ready else "not ready"
            console.print(f"{node.name}  {node.ip}  {node.hardware_class}  {state}")
        console.print(f"API server {lab.plan.api_url}, registry {lab.registry}")
    raise typer.Exit(0 if whole else 1)


@app.command()
def kubeconfig() -> None:
    """Print the path of the administrator's kubeconfig."""
    sys.stdout.write(f"{options.lab().kubeconfig}\n")


@app.command()
def cut(node: str) -> None:
    """Cut a node off from everything; its pods keep running."""
    options.lab().cut(node)


@app.command()
def mend(node: str) -> None:
    """Undo `cut`."""
    options.lab().mend(node)


@app.command()
def binaries() -> None:
    """Find or build the lab's binaries, and print where they are."""
    for name, path in Toolchain(console).ensure().items():
        sys.stdout.write(f"{name} {path}\n")


def _usage(process: psutil.Process | None) -> tuple[str, str, str]:
    if process is None:
        return "[red]dead[/red]", "", ""
    times = process.cpu_times()
    memory = process.memory_info().rss / MEBIBYTE
    return "alive", f"{memory:.0f}", f"{times.user + times.system:.1f}"


if __name__ == "__main__":
    try:
        app()
    except (LabError, httpx.HTTPError) as error:
        console.print("[red]error:[/red]", Text(str(error)), soft_wrap=True)
        sys.exit(1)
