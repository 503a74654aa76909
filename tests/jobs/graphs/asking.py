"""Asks what is served in each form of the protocol, and compares the answers with ONNX Runtime's on the source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from skerry.engines import TensorSpec
from skerry_onnxruntime.model import DATATYPES
from skerry_runtime import open_inference_pb2 as messages
from skerry_runtime.datatypes import BY_PROTOCOL
from skerry_runtime.grpc_service import PREFIX, GrpcService
from skerry_runtime.service import HEADER_LENGTH, Request
from skerry_runtime.tensors import describe_tensor, from_bytes, from_json, json_data, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx

    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.service import Service

    Ask = Callable[[Service, Arrays], Arrays]

INFER = "/v2/models/random/infer"
RELATIVE = {np.dtype("f2"): 2e-2, np.dtype("f4"): 1e-3, np.dtype("f8"): 1e-3}
"""Of an output's largest value: how far rounding may move a float, also one that passes through 16 bits within."""


class Source:
    """The source in ONNX Runtime, with no code of Skerry's around it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, ["CPUExecutionProvider"]
        )
        self.inputs, self.outputs = (
            [TensorSpec(one.name, DATATYPES[one.type], _shape(one.shape)) for one in some]
            for some in (self._session.get_inputs(), self._session.get_outputs())
        )

    def answers(self, inputs: Arrays) -> Arrays:
        """Return all outputs."""
        names = [one.name for one in self.outputs]
        return dict(zip(names, self._session.run(names, inputs), strict=True))


def by_json(service: Service, inputs: Arrays) -> Arrays:
    """Ask with a body of JSON alone."""
    specs = {spec.name: spec for spec in service.model.session.inputs}
    tensors = [
        describe_tensor(name, array, BY_PROTOCOL[specs[name].datatype])
        | {"data": json_data(array, BY_PROTOCOL[specs[name].datatype])}
        for name, array in inputs.items()
    ]
    body = json.dumps({"inputs": tensors}).encode()
    answer = service.answer(Request("POST", INFER, {}, body))
    assert answer.status == 200, answer.body.decode()
    return {one["name"]: from_json(one, _spec(one)) for one in json.loads(answer.body)["outputs"]}


def by_binary(service: Service, inputs: Arrays) -> Arrays:
    """Ask with tensors in their binary form."""
    specs = {spec.name: spec for spec in service.model.session.inputs}
    tensors, parts = [], []
    for name, array in inputs.items():
        datatype = BY_PROTOCOL[specs[name].datatype]
        parts.append(to_bytes(array, datatype))
        size = {"parameters": {"binary_data_size": len(parts[-1])}}
        tensors.append(describe_tensor(name, array, datatype) | size)
    head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    headers = {"INFERENCE_HEADER_CONTENT_LENGTH": str(len(head))}
    answer = service.answer(Request("POST", INFER, headers, b"".join([head, *parts])))
    assert answer.status == 200, answer.body.decode()
    at = int(dict(answer.headers)[HEADER_LENGTH])
    found: Arrays = {}
    for one in json.loads(answer.body[:at])["outputs"]:
        end = at + one["parameters"]["binary_data_size"]
        found[one["name"]] = from_bytes(one, _spec(one), memoryview(answer.body[at:end]))
        at = end
    return found


def by_grpc(service: Service, inputs: Arrays) -> Arrays:
    """Ask by a message of the protocol's gRPC form."""
    specs = {spec.name: spec for spec in service.model.session.inputs}
    request = messages.ModelInferRequest(model_name="random")
    for name, array in inputs.items():
        tensor = request.inputs.add(name=name, datatype=specs[name].datatype)
        tensor.shape.extend(array.shape)
        request.raw_input_contents.append(to_bytes(array, BY_PROTOCOL[specs[name].datatype]))
    answer = GrpcService(service.model).answer(f"{PREFIX}ModelInfer", request.SerializeToString())
    assert answer.code == 0, answer.details
    found = messages.ModelInferResponse.FromString(answer.message)
    made: Arrays = {}
    for one, raw in zip(found.outputs, found.raw_output_contents, strict=True):
        plain = {"name": one.name, "datatype": one.datatype, "shape": list(one.shape)}
        made[one.name] = from_bytes(plain, _spec(plain), memoryview(raw))
    return made


FORMS: Sequence[Ask] = (by_json, by_binary, by_grpc)


def check_same(found: Arrays, wanted: Arrays) -> None:
    """Compare answers: names in order, types, shapes; integers, truth and text exactly, floats to rounding."""
    assert list(found) == list(wanted)
    for name, expected in wanted.items():
        array = found[name]
        assert array.dtype == expected.dtype, f"{name}: {array.dtype} for {expected.dtype}"
        assert array.shape == expected.shape, f"{name}: {array.shape} for {expected.shape}"
        if expected.dtype.kind != "f":
            np.testing.assert_array_equal(array, expected, name)
            continue
        most = np.abs(expected[np.isfinite(expected)]).max(initial=0.0).astype("f8")
        near = RELATIVE[expected.dtype] * max(float(most), 1e-3)
        np.testing.assert_allclose(
            array, expected, rtol=RELATIVE[expected.dtype], atol=near, err_msg=name
        )


def joined(answers: Sequence[Arrays]) -> Arrays:
    """Return answers to samples alone, one below the other."""
    return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}


def rows_of(arrays: Arrays, rows: Sequence[int]) -> Arrays:
    """Return some samples of a data set."""
    return {name: array[list(rows)] for name, array in arrays.items()}


def same(one: Arrays, other: Arrays) -> bool:
    """Return whether answers are the same but for rounding."""
    try:
        check_same(one, other)
    except AssertionError:
        return False
    return True


def _spec(tensor: dict[str, Any]) -> TensorSpec:
    return TensorSpec(tensor["name"], tensor["datatype"], tuple(tensor["shape"]))


def _shape(axes: Sequence[Any]) -> tuple[int, ...]:
    return tuple(axis if isinstance(axis, int) else -1 for axis in axes)
