"""Small changes to an exported graph, so that requests can carry what it takes and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import TensorProto, helper

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

ZIPMAP = "ZipMap"
CLASS_ATTRIBUTES = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
BATCH = "batch"
LOCALE = "C.UTF-8"
NUMBERS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16})


def classes_in(model: ModelProto) -> tuple[Any, ...] | None:
    """Return the classes that a classifier of ai.onnx.ml names, in the order of its scores."""
    found = [classes for node in model.graph.node if (classes := _classes_of(node))]
    return found[-1] if found else None


def without_zipmap(model: ModelProto) -> bool:
    """Let outputs that ZipMap makes be the scores themselves: no request carries dictionaries.

    Returns:
        Whether there were any.
    """
    outputs = {value.name: value for value in model.graph.output}
    makers = [n for n in model.graph.node if n.op_type == ZIPMAP and n.output[0] in outputs]
    for node in makers:
        classes = _classes_of(node) or ()
        name = node.output[0]
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, len(classes)])
        outputs[name].CopyFrom(value)
        node.CopyFrom(helper.make_node("Identity", [node.input[0]], [name], name=f"{name}_scores"))
    if makers and not any(one.domain in ("", "ai.onnx") for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", 17))
    return bool(makers)


def scores_first(model: ModelProto) -> bool:
    """Move the first output of numbers before one of text: metrics look at the first.

    Returns:
        Whether the order has changed.
    """
    outputs = list(model.graph.output)
    if not outputs or _type_of(outputs[0]) != TensorProto.STRING:
        return False
    scores = next((one for one in outputs if _type_of(one) in NUMBERS), None)
    if scores is None:
        return False
    ordered = [scores, *(one for one in outputs if one.name != scores.name)]
    kept = [type(one).FromString(one.SerializeToString()) for one in ordered]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return True


def open_outputs(model: ModelProto) -> None:
    """Leave the first axis of every output open: some exporters of trees write 1 for any count."""
    for value in model.graph.output:
        axes = value.type.tensor_type.shape.dim
        if axes:
            axes[0].Clear()
            axes[0].dim_param = BATCH


def in_any_locale(model: ModelProto) -> None:
    """Let text be lowered by Unicode's rules: the default, en_US, is not installed on small machines."""
    for node in model.graph.node:
        if node.op_type == "StringNormalizer":
            kept = [one for one in node.attribute if one.name != "locale"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("locale", LOCALE)])


def tidy(model: ModelProto) -> None:
    """Name the open first axis of inputs and outputs alike, and each domain once: some exporters do neither."""
    versions: dict[str, int] = {}
    for entry in model.opset_import:
        versions[entry.domain] = max(entry.version, versions.get(entry.domain, 0))
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*one) for one in versions.items())
    for value in (*model.graph.input, *model.graph.output):
        axes = value.type.tensor_type.shape.dim
        if axes and not axes[0].HasField("dim_value"):
            axes[0].dim_param = BATCH


def _classes_of(node: NodeProto) -> tuple[Any, ...]:
    for attribute in node.attribute:
        if attribute.name in CLASS_ATTRIBUTES:
            values = attribute.strings or attribute.ints
            if values:
                return tuple(one.decode() if isinstance(one, bytes) else int(one) for one in values)
    return ()


def _type_of(value: Any) -> int:
    return int(value.type.tensor_type.elem_type)
