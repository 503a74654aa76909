"""Messages of the protocol's gRPC form to arrays and back, by the same checks as the REST form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry_runtime.datatypes import BY_PROTOCOL
from skerry_runtime.open_inference_pb2 import ModelInferResponse, ModelMetadataResponse
from skerry_runtime.tensors import (
    InferRequest,
    RequestError,
    checked_outputs,
    from_bytes,
    from_json,
    require_all,
    spec_of,
    text_of,
    to_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry.engines import TensorSpec
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.open_inference_pb2 import ModelInferRequest

# The field of InferTensorContents for each type; 16-bit floats have none.
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def read_request(
    message: ModelInferRequest, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> InferRequest:
    """Read an inference request.

    Raises:
        RequestError: Unknown or missing tensors, wrong types, shapes or sizes.
    """
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise RequestError(
            f"raw_input_contents has {len(raw)} entries for {len(message.inputs)} inputs:"
            " give one for each, in the same order"
        )
    specs = {spec.name: spec for spec in inputs}
    arrays: Arrays = {}
    for place, tensor in enumerate(message.inputs):
        plain = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.shape),
        }
        spec = spec_of(plain, specs, arrays)
        arrays[spec.name] = (
            from_bytes(plain, spec, memoryview(raw[place])) if raw else _typed(tensor, plain, spec)
        )
    require_all(arrays, inputs)
    known = [spec.name for spec in outputs]
    names = checked_outputs([output.name for output in message.outputs], known)
    return InferRequest(arrays, names or tuple(known), id=message.id)


def _typed(
    tensor: ModelInferRequest.InferInputTensor, plain: dict[str, Any], spec: TensorSpec
) -> NDArray[Any]:
    field = _CONTENTS.get(spec.datatype)
    if field is None:
        raise RequestError(f"input `{spec.name}`: {spec.datatype} comes only in raw_input_contents")
    data = list(getattr(tensor.contents, field))
    if spec.datatype == "BYTES":
        data = [text_of(element) for element in data]
    return from_json({**plain, "data": data}, spec)


def write_answer(
    request: InferRequest, arrays: Arrays, specs: Sequence[TensorSpec], name: str, version: str
) -> ModelInferResponse:
    """Return the answer, its tensors in raw form."""
    types = {spec.name: BY_PROTOCOL[spec.datatype] for spec in specs}
    answer = ModelInferResponse(model_name=name, model_version=version, id=request.id or "")
    for output, array in arrays.items():
        tensor = answer.outputs.add(name=output, datatype=types[output].protocol)
        tensor.shape.extend(array.shape)
        answer.raw_output_contents.append(to_bytes(array, types[output]))
    return answer


def tensor_metadata(spec: TensorSpec) -> ModelMetadataResponse.TensorMetadata:
    """Return what the metadata says of a tensor."""
    return ModelMetadataResponse.TensorMetadata(
        name=spec.name, datatype=spec.datatype, shape=spec.shape
    )
