"""The whole way of an import: export, data set, comparison, manifest, assessment; with a word on each choice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skerry.cli.errors import CliError
from skerry.cli.importing import assessing, graphs
from skerry.cli.importing.choosing import choose_labels, choose_metric, memory_limit
from skerry.cli.importing.fitting import fitted
from skerry.cli.importing.kinds import kind_of
from skerry.cli.importing.samples import Samples, read_samples
from skerry.cli.importing.writing import DATASET, MODEL, Layout, name_of
from skerry_runtime.datatypes import is_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.api.edgemodel import EdgeModel
    from skerry.cli.importing.contract import Imported
    from skerry.cli.importing.fitting import Fitted
    from skerry.engines import LoadedModel

CHANGE = "change model or data as it says, and import it again"
MORE = "what came with the model does not do: name more samples by --data"


@dataclass(frozen=True)
class Order:
    """What the user asks for.

    Attributes:
        model: the file or folder to import.
        data: .csv, .npz or .npy; None takes what came with the model.
        labels: the column or array of the labels, or a .npy file.
        metric: None leaves the choice to the import.
        name: of the EdgeModel; None takes the file's.
        output: the folder to write; None takes the name.
        registry: HOST[:PORT][/PATH] that the images will be pushed to.
        classes: the hardware classes to run on.
    """

    model: Path
    data: Path | None = None
    labels: str | None = None
    metric: str | None = None
    name: str | None = None
    output: Path | None = None
    registry: str = "registry.example"
    classes: list[str] = field(default_factory=lambda: ["x86-small"])


def import_model(order: Order, say: Callable[[str, str], None]) -> Layout:
    """Write folders and manifest, and assess them.

    Args:
        order: what the user asks for.
        say: is given each choice with its value and reason.

    Raises:
        CliError: something can't be used; nothing is left of what was written.
    """
    kind = kind_of(order.model)
    given = read_samples(order.data, order.labels) if order.data else None
    imported = kind.load()(order.model, given)
    samples = given or imported.shipped
    if samples is None:
        raise CliError(
            "a data set is needed, to measure and certify builds",
            str(order.model),
            "name one by --data: .csv, .npz or .npy, of samples that the model was not trained with",
        )
    name = order.name or name_of(order.model)
    layout = Layout(order.output or _folder(name, order.model), name, order.registry)
    _explain(imported, kind.title, say)
    with layout.made():
        manifest = _write(order, imported, samples, layout, say)
        assessment = assessing.assess(layout, manifest, CHANGE if given else MORE)
    say("assessment", assessment.message)
    return layout


def _folder(name: str, model: Path) -> Path:
    """Return the folder to write, which is not that of the model."""
    taken = Path(name).resolve() == model.resolve()
    return Path(f"{name}-skerry" if taken else name)


def _write(
    order: Order,
    imported: Imported,
    samples: Samples,
    layout: Layout,
    say: Callable[[str, str], None],
) -> EdgeModel:
    """Write the three, and say what was chosen."""
    if graphs.scores_first(imported.model):
        say("outputs", "the scores before the class, which is text: the metric compares the first")
    size = layout.write_model(imported.model, dict(imported.companions))
    loaded = assessing.open_model(layout.model_file, order.model)
    data = fitted(loaded.inputs, samples, imported.columns)
    _explain_axes(loaded, data, say)
    for note in data.notes:
        say("data", note)
    if imported.original:
        say("answers", assessing.compare(loaded, data, imported.original, order.model))
    first = loaded.outputs[0]
    labeled, answered = _answered(order.model, imported, loaded, samples, data)
    metric = choose_metric(order.metric, labeled.labels, imported, first)
    say("metric", f"{metric.value}: {metric.why}")
    labels, said = choose_labels(metric.value, labeled, imported, first)
    if said or answered:
        say("labels", said or answered)
    layout.write_dataset(data.arrays, labels)
    memory = memory_limit(size)
    say("limits", f"1 core, {memory.value}: {memory.why}; change them in the manifest")
    return layout.write_manifest(metric.value, order.classes, memory.value)


def _answered(
    path: Path, imported: Imported, loaded: LoadedModel, samples: Samples, data: Fitted
) -> tuple[Samples, str]:
    """Return samples with the original's answers as labels, where it groups them and nobody has named the groups.

    That is what clusters and outliers are: the only right answer is the original's own.
    """
    original = imported.original
    named = imported.classes is not None or imported.values or samples.labels is not None
    groups = loaded.outputs[0].datatype.startswith("INT")
    if named or original is None or original.arrays or not groups:
        return samples, ""
    answers = assessing.answers(loaded, data, original, path)
    if not answers.size == len(answers) == samples.count:  # rows of ids are no groups
        return samples, ""
    said = f"there are none: the groups that {original.library} itself answers"
    return replace(samples, labels=answers.astype(np.int64).ravel()), said


def _explain(imported: Imported, title: str, say: Callable[[str, str], None]) -> None:
    opsets = ", ".join(f"{o.domain or 'ai.onnx'} {o.version}" for o in imported.model.opset_import)
    say("model", title)
    say("exporter", imported.exporter)
    say("opset", opsets)
    for what, choice in imported.choices:
        say(what, choice)


def _explain_axes(loaded: LoadedModel, data: Fitted, say: Callable[[str, str], None]) -> None:
    whole = [info.name for info in loaded.inputs if is_whole(data.arrays[info.name], info)]
    fixed = [info.name for info in loaded.inputs if info.shape[:1] not in ((), (-1,))]
    if whole:
        say(
            "batch axis",
            f"{whole[0]} is given whole with each sample, so samples are asked one by one",
        )
    elif fixed:
        said = f"{fixed[0]} takes 1 at a time: it is asked row by row"
        say("batch axis", f"{said}; an open first axis would be faster")
    else:
        say("batch axis", "open: requests are computed together")


def next_steps(layout: Layout) -> tuple[str, ...]:
    """Return the commands that come next, for people."""
    return (
        *(f"skerry push {layout.folder / f} {layout.images[f]}" for f in (MODEL, DATASET)),
        f"skerry plan --offline -f {layout.manifest_file} --model {layout.model_file}",
        f"kubectl apply -f {layout.manifest_file}",
    )
