"""PyTorch: programs as torch.export saves them, by torch.onnx."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.cli.importing import graphs
from skerry.cli.importing.contract import Imported, Original
from skerry.cli.importing.extras import exporting, require, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.cli.importing.contract import Arrays
    from skerry.cli.importing.samples import Samples

EXTRA = "import-torch"
OPSET = 18
"""The oldest that torch.onnx writes from an exported program."""
SAVE = "save it by torch.export.save(torch.export.export(model.eval(), example, dynamic_shapes=...), 'model.pt2')"


def convert(path: Path, _: Samples | None) -> Imported:
    """Import an exported program; see `skerry.cli.importing.contract.Importer`."""
    torch = require("torch", EXTRA, path)
    require("onnxscript", EXTRA, path)
    with _quiet():
        with exporting("PyTorch", path, SAVE):
            program = torch.export.load(str(path))
        with exporting(
            "torch.onnx", path, "change the operator that it names, or export it yourself"
        ):
            exported = torch.onnx.export(program, dynamo=True, opset_version=OPSET, verbose=False)
    made = exported.model_proto
    graphs.tidy(made)
    first = made.graph.output[0].name
    return Imported(
        made,
        version_of("torch"),
        (("program", "as torch.export saved it: its dynamic shapes are the open axes"),),
        original=Original("PyTorch", first, _answers(torch, program, made)),
    )


def _answers(torch: Any, program: Any, made: Any) -> Callable[[Arrays], NDArray[Any]]:
    names = [value.name for value in made.graph.input]

    def answer(arrays: Arrays) -> NDArray[Any]:
        given = [torch.from_numpy(np.array(arrays[name], order="C")) for name in names]
        with torch.no_grad():
            found = program.module()(*given)
        first = next(iter(found.values())) if isinstance(found, dict) else found
        first = first[0] if isinstance(first, tuple | list) else first
        return np.asarray(first.detach().numpy())

    return answer


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what PyTorch logs of packages that are not installed, and of files that it can't read, out of sight."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
