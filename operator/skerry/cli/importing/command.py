"""The command `skerry import` and its options; what it needs is loaded when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - as Metric
from typing import Annotated

import typer

from skerry.tasks import Metric  # noqa: TC001 - typer reads the annotation


def import_saved(
    model: Annotated[
        Path,
        typer.Argument(
            help="A file or folder: .onnx, .tar.gz of a model zoo, .joblib, .pkl, .json or .ubj of XGBoost,"
            " .txt of LightGBM, .pt2, .keras, .h5, a SavedModel. Opening a pickle runs the code in it: import"
            " only pickles that you trust.",
            show_default=False,
        ),
    ],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Samples that the model was not trained with: .csv with a header, .npz or .npy. Default: those"
            " that came with the model, as model zoos pack them."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Column or array of the data that holds the labels, or a .npy file. Default: labels."
        ),
    ] = None,
    metric: Annotated[
        Metric | None, typer.Option(help="Default: chosen by model and labels.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the EdgeModel. Default: the file's.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write. Default: the name.")
    ] = None,
    registry: Annotated[
        str, typer.Option(help="HOST[:PORT][/PATH] that both images will be pushed to.")
    ] = "registry.example",
    hardware_class: Annotated[
        list[str] | None,
        typer.Option("--class", "-c", help="A hardware class to run on. Default: x86-small."),
    ] = None,
) -> None:
    """Make folder, data set and manifest from a model as its library saves it, and assess them.

    The library's own exporter makes ONNX of it, its answers are compared with the original's, and the
    assessment that the operator's job would run is run on this machine. Nothing is pushed or applied.
    """
    from skerry.cli.importing.extras import require  # noqa: PLC0415 - each command loads what it needs

    for package in ("onnx", "onnxruntime"):
        require(package, "import", model)
    from skerry.cli.importing.make import Order, import_model, next_steps  # noqa: PLC0415

    order = Order(
        model, data, labels, metric, name, output, registry, hardware_class or ["x86-small"]
    )
    layout = import_model(order, _say)
    typer.echo(f"\n{layout.folder} is ready. Next:")
    for step in next_steps(layout):
        typer.echo(f"  {step}")


def _say(what: str, choice: str) -> None:
    typer.echo(f"{what:>12}  {choice}")
