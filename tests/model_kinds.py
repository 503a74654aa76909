"""The kinds of models that exporters write, and what becomes of each: what docs/how-to/own-model.md says.

A test that shows a kind names it by `shows`. tests/unit/docs/test_model_kinds.py holds that each kind is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pytest


class Outcome(StrEnum):
    """What becomes of a model."""

    SERVED = "served"
    AS_IT_IS = "served as it is"
    REFUSED = "refused"


@dataclass(frozen=True)
class ModelKind:
    """A kind of models.

    Attributes:
        has: What such a model has, for people.
        outcome: What becomes of it.
        happens: How, for people.
    """

    has: str
    outcome: Outcome
    happens: str


SERVED, AS_IT_IS, REFUSED = Outcome
KINDS = {
    "more than 2 GB": ModelKind(
        "more than 2 GB, which one file of ONNX cannot hold", AS_IT_IS,
        "weights in separate files stay there, nothing is converted, recipes that cannot read it so fail alone;"
        " one file above 2 GB: `SourceUnusable`",
    ),
    "fixed batch": ModelKind(
        "a first axis of 1", SERVED,
        "it is asked row by row, in measurements and on the device; `batching` is false in the certificate",
    ),
    "old opset": ModelKind("an opset below 13", SERVED, "it is converted to 17"),
    "unconvertible opset": ModelKind(
        "an old opset that ONNX cannot convert", AS_IT_IS, "it is built at its own opset",
    ),
    "foreign operators": ModelKind(
        "operators of other domains next to ONNX's own", SERVED, "they stay as they are",
    ),
    "trees": ModelKind(
        "no operators of ONNX's own (trees of `ai.onnx.ml`)", AS_IT_IS,
        "it is built by the recipe `source`; recipes that find nothing to quantize are NotSupported",
    ),
    "weights by nodes": ModelKind(
        "weights in Constant nodes, or transposed by a node", SERVED,
        "they become initializers, so that recipes can quantize them",
    ),
    "quantized": ModelKind(
        "weights in int8 already", AS_IT_IS,
        "the source keeps its precision, `Int8`, and is not quantized a second time",
    ),
    "float16": ModelKind(
        "weights in float16 or bfloat16", SERVED,
        "the source is called so; recipes that need float32 fail alone",
    ),
    "text": ModelKind(
        "inputs or outputs of text", AS_IT_IS,
        "ONNX Runtime builds and serves it, as BYTES of the protocol; the first output must be numbers",
    ),
    "scalar output": ModelKind(
        "a scalar output, or several outputs", SERVED,
        "all of them are served and compared, and the golden samples hold all of them",
    ),
    "output that depends on the sample": ModelKind(
        "an output whose shape depends on the sample (NonZero, NonMaxSuppression)", SERVED,
        "it is compared, also in the golden samples; where it comes first: `SourceUnusable`",
    ),
    "states": ModelKind(
        "states with the batch on another axis (LSTM, GRU), or inputs without a batch", SERVED,
        "the data set gives each sample a whole input; requests are computed as they come, never joined",
    ),
    "default": ModelKind(
        "an input with a default (an initializer of its name)", SERVED,
        "it always has its default; an array for it: `EvaluationUnusable`",
    ),
    "not finite": ModelKind(
        "NaN and infinities in inputs or outputs", SERVED,
        "they are data: a build has to answer with them where the source does, and nowhere else",
    ),
    "functions": ModelKind(
        "functions of its own", SERVED, "they are inlined for an engine that does not read them",
    ),
    "read otherwise": ModelKind(
        "an operator that an engine reads in another way than ONNX Runtime", SERVED,
        "the engine is refused, with the output's name; the others build it",
    ),
    "unused input": ModelKind(
        "an input that no node uses", SERVED, "every engine's build takes it, as the source does",
    ),
    "two names": ModelKind(
        "one tensor as several outputs, or an input as an output", SERVED, "each name stays",
    ),
    "branches": ModelKind(
        "an If whose branches have other ranks (a traced `squeeze`)", SERVED,
        "the output gets as many axes as its answers have",
    ),
    "three axes": ModelKind(
        "MatMul by a weight with three axes", SERVED,
        "a recipe that makes a model of it that does not run fails alone",
    ),
    "output without a shape": ModelKind(
        "an output without a shape", SERVED, "it gets as many open axes as its answers have",
    ),
    "input without a shape": ModelKind(
        "an input without a shape", REFUSED, "`SourceUnusable`: export it with a shape",
    ),
    "sequence or map": ModelKind(
        "a sequence, a map (ZipMap) or an optional as input or output", REFUSED,
        "`SourceUnusable`: the message names it and the export that gives a tensor",
    ),
    "random": ModelKind(
        "random operators", REFUSED,
        "`SourceUnusable`: its answers differ from call to call, so nothing can be certified",
    ),
}  # fmt: skip


def shows(*kinds: str) -> pytest.MarkDecorator:
    """Return the mark of a test that shows what becomes of these kinds."""
    assert KINDS.keys() >= set(kinds), kinds
    return pytest.mark.shows(*kinds)
