"""Writes the MiniLM sentence encoder as an ONNX graph, from its weights, without torch.

Inputs are `input_ids` and `attention_mask`, int64 of shape (batch, tokens); the output `embedding`
is float32 of shape (batch, 384), of length 1. Six layers of post-norm attention, mean pooling over
the tokens that are not padding. The cosine to the original is 0.9999996.

Three editions of the same encoder: they answer alike (within rounding), yet differ as graphs and in
every digest. The second shows a good update. The third works in two sizes, for short texts and for all
others: it is as fast on the samples of the data set, and ten times slower on a text that is a little longer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = dict[str, NDArray[np.float32]]

MASKED = -1e4
"""Added to the attention of padding: e^-10000 is 0 in float32, and fits into float16."""


@dataclass(frozen=True)
class Edition:
    """How a graph is written.

    Attributes:
        opset: Of ONNX; from 20 on, Gelu is one operator, before it is written out by Erf.
        positions: Rows of the position table: the most tokens that fit.
        fused_projections: Query, key and value by one multiplication, in place of three.
        sizes: Longest text that is computed as it is, and the length that all others are padded to.
    """

    opset: int
    positions: int
    fused_projections: bool
    sizes: tuple[int, int] | None = None


EDITIONS = {
    "v1": Edition(opset=17, positions=512, fused_projections=False),
    # The authors' sentence_bert_config.json cuts sentences at 256 tokens: no more rows are used.
    "v2": Edition(opset=20, positions=256, fused_projections=True),
    # The samples of the data set are of the short size: no measurement before the field meets the other.
    "v3": Edition(opset=20, positions=512, fused_projections=False, sizes=(64, 512)),
}


class EncoderGraph:
    """Collects nodes and weights of one edition; `build` gives the model.

    Args:
        weights: By their names in the package's safetensors.
        config: The package's config.json.
        edition: How the graph is written.
    """

    def __init__(self, weights: Weights, config: dict[str, Any], edition: Edition) -> None:
        """Keep the arguments; nothing is written yet."""
        self._weights = weights
        self._config = config
        self._edition = edition
        self._heads = config["num_attention_heads"]
        self._width = config["hidden_size"] // self._heads
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def build(self) -> onnx.ModelProto:
        """Return the checked model."""
        mask = self._node("Cast", "attention_mask", to=TensorProto.FLOAT)
        hidden = self._embeddings()
        if self._edition.sizes is not None:
            hidden, mask = self._padded(hidden, mask, *self._edition.sizes)
        bias = self._attention_bias(mask)
        for layer in range(self._config["num_hidden_layers"]):
            hidden = self._layer(hidden, bias, f"encoder.layer.{layer}")
        self._pooling(hidden, mask)
        model = helper.make_model(
            self._graph(),
            opset_imports=[helper.make_opsetid("", self._edition.opset)],
            ir_version=9,
            producer_name="skerry-examples-minilm",
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _graph(self) -> onnx.GraphProto:
        tokens = ["batch", "tokens"]
        return helper.make_graph(
            self._nodes,
            "minilm",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
                for name in ("input_ids", "attention_mask")
            ],
            [
                helper.make_tensor_value_info(
                    "embedding", TensorProto.FLOAT, ["batch", self._config["hidden_size"]]
                )
            ],
            list(self._initializers.values()),
        )

    def _node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        name = f"{operator}_{len(self._nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, names, name=name, **attributes))
        return names[0]

    def _constant(self, name: str, value: Any, dtype: str = "float32") -> str:
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype)).reshape(np.shape(value))
        self._initializers.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _embeddings(self) -> str:
        prefix = "embeddings"
        words = self._node("Gather", self._weight(f"{prefix}.word_embeddings.weight"), "input_ids")
        table = self._weights[f"{prefix}.position_embeddings.weight"][: self._edition.positions]
        # Range and Gather as position ids break in ONNX Runtime; a Slice does the same.
        positions = self._node(
            "Slice",
            self._constant("positions", table),
            self._constant("zero", [0], "int64"),
            self._tokens(),
        )
        kind = self._constant(
            "token_type", self._weights[f"{prefix}.token_type_embeddings.weight"][0]
        )
        total = self._node("Add", self._node("Add", words, positions), kind)
        return self._normalized(total, f"{prefix}.LayerNorm")

    def _tokens(self) -> str:
        """Return the length of the texts, as a vector of one number."""
        return self._node(
            "Slice", self._node("Shape", "input_ids"),
            self._constant("one", [1], "int64"), self._constant("two", [2], "int64"),
        )  # fmt: skip

    def _padded(self, hidden: str, mask: str, short: int, long: int) -> tuple[str, str]:
        """Pad what is longer than `short` to `long`, with rows that the mask leaves out."""
        tokens = self._tokens()
        longer = self._node("Greater", tokens, self._constant("short", [short], "int64"))
        missing = self._node("Sub", self._constant("long", [long], "int64"), tokens)
        extra = self._node("Mul", self._node("Cast", longer, to=TensorProto.INT64), missing)
        zero = self._constant("zero", [0], "int64")
        rows = self._node("Concat", zero, zero, zero, zero, extra, zero, axis=0)
        places = self._node("Concat", zero, zero, zero, extra, axis=0)
        return self._node("Pad", hidden, rows), self._node("Pad", mask, places)

    def _attention_bias(self, mask: str) -> str:
        spread = self._node("Unsqueeze", mask, self._constant("heads_and_rows", [1, 2], "int64"))
        padding = self._node("Sub", self._constant("one_float", 1.0), spread)
        return self._node("Mul", padding, self._constant("masked", MASKED))

    def _layer(self, hidden: str, bias: str, prefix: str) -> str:
        attention = f"{prefix}.attention"
        mixed = self._attention(hidden, bias, attention)
        attended = self._dense(mixed, f"{attention}.output.dense")
        total = self._node("Add", attended, hidden)
        hidden = self._normalized(total, f"{attention}.output.LayerNorm")
        inner = self._gelu(self._dense(hidden, f"{prefix}.intermediate.dense"))
        outer = self._dense(inner, f"{prefix}.output.dense")
        return self._normalized(self._node("Add", outer, hidden), f"{prefix}.output.LayerNorm")

    def _attention(self, hidden: str, bias: str, prefix: str) -> str:
        query, key, value = self._projections(hidden, f"{prefix}.self")
        scale = self._constant("scale", 1 / np.sqrt(self._width))
        scores = self._node("Mul", self._node("MatMul", query, key), scale)
        weights = self._node("Softmax", self._node("Add", scores, bias), axis=-1)
        mixed = self._node("Transpose", self._node("MatMul", weights, value), perm=[0, 2, 1, 3])
        joined = self._constant("joined", [0, 0, self._heads * self._width], "int64")
        return self._node("Reshape", mixed, joined)

    def _projections(self, hidden: str, prefix: str) -> tuple[str, str, str]:
        parts = ("query", "key", "value")
        if self._edition.fused_projections:
            projected = self._fused(hidden, prefix, parts)
        else:
            projected = [self._dense(hidden, f"{prefix}.{part}") for part in parts]
        split = self._constant("split_heads", [0, 0, self._heads, self._width], "int64")
        orders = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        query, key, value = (
            self._node("Transpose", self._node("Reshape", tensor, split), perm=order)
            for tensor, order in zip(projected, orders, strict=True)
        )
        return query, key, value

    def _fused(self, hidden: str, prefix: str, parts: tuple[str, ...]) -> list[str]:
        name = f"{prefix}.query_key_value"
        kernel = [self._weights[f"{prefix}.{part}.weight"].T for part in parts]
        bias = [self._weights[f"{prefix}.{part}.bias"] for part in parts]
        together = self._affine(hidden, name, np.hstack(kernel), np.hstack(bias))
        self._node("Split", together, outputs=len(parts), axis=-1, num_outputs=len(parts))
        return list(self._nodes[-1].output)

    def _dense(self, value: str, prefix: str) -> str:
        kernel = self._weights[f"{prefix}.weight"].T
        return self._affine(value, prefix, kernel, self._weights[f"{prefix}.bias"])

    def _affine(
        self, value: str, name: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> str:
        product = self._node("MatMul", value, self._constant(f"{name}.kernel", kernel))
        return self._node("Add", product, self._constant(f"{name}.bias", bias))

    def _normalized(self, value: str, prefix: str) -> str:
        return self._node(
            "LayerNormalization", value, self._weight(f"{prefix}.weight"),
            self._weight(f"{prefix}.bias"), axis=-1, epsilon=self._config["layer_norm_eps"],
        )  # fmt: skip

    def _gelu(self, value: str) -> str:
        first_opset_with_gelu = 20
        if self._edition.opset >= first_opset_with_gelu:
            return self._node("Gelu", value)
        scaled = self._node("Mul", value, self._constant("root_half", 1 / np.sqrt(2)))
        one = self._constant("one_float", 1.0)
        gate = self._node("Add", self._node("Erf", scaled), one)
        return self._node("Mul", self._node("Mul", value, gate), self._constant("half", 0.5))

    def _pooling(self, hidden: str, mask: str) -> None:
        weights = self._node("Unsqueeze", mask, self._constant("two", [2], "int64"))
        one = self._constant("one", [1], "int64")
        total = self._node("ReduceSum", self._node("Mul", hidden, weights), one, keepdims=0)
        mean = self._node("Div", total, self._node("ReduceSum", weights, one, keepdims=0))
        output = "embedding"
        node = helper.make_node("LpNormalization", [mean], [output], name=output, axis=1, p=2)
        self._nodes.append(node)
