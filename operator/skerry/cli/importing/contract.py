"""What an importer is given, and what it returns: the model in ONNX, and what its library knows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

    from skerry.cli.importing.samples import Samples

OPSETS = {"": 17, "ai.onnx.ml": 3}
"""What exporters are asked for where they leave the choice: both engines read these, and recipes quantize them."""

TREES_OPSET = 15
"""The newest that onnxmltools writes; the operators of trees are those of ai.onnx.ml in each."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Original:
    """The model in its own library, to compare the exported one with.

    Attributes:
        library: for people.
        output: the output in ONNX that holds what `answer` returns.
        answer: computes the answers to a few samples (by the model's inputs, samples first).
        arrays: the samples that it can answer; None where any.
        exact: it is asked with the data as the user has it, such as float64, and not as rounded for ONNX.
    """

    library: str
    output: str
    answer: Callable[[Arrays], NDArray[Any]]
    arrays: Arrays | None = None
    exact: bool = False


@dataclass(frozen=True)
class Imported:
    """A model in ONNX.

    Attributes:
        model: without the weights that lie in `companions`.
        exporter: what has made it, with its version, for people.
        choices: what was chosen on the way and why, for people: (what, choice).
        classes: of a classifier, in the order of its scores; None where it is none, or none are known.
        values: it predicts numbers, and no classes.
        columns: the table's columns, in the order in which they make the only input; empty where any.
        original: to compare with; None where it can't be asked.
        companions: files with weights, by the names under which the model looks for them.
        shipped: samples that came with the model, for want of others.
    """

    model: ModelProto
    exporter: str
    choices: tuple[tuple[str, str], ...] = ()
    classes: tuple[Any, ...] | None = None
    values: bool = False
    columns: tuple[str, ...] = ()
    original: Original | None = None
    companions: Mapping[str, Path] = field(default_factory=dict)
    shipped: Samples | None = None


class Importer(Protocol):
    """Exports a model to ONNX."""

    def __call__(self, path: Path, samples: Samples | None) -> Imported:
        """Export the model that lies at `path`.

        Args:
            path: a file or a folder of the importer's kind.
            samples: the user's data, which says of which types the columns are.

        Raises:
            CliError: the exporter is not installed, or can't export it.
        """
