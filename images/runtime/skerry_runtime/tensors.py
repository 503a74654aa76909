"""Tensors of the Open Inference Protocol v2: JSON and binary forms to numpy arrays and back.

Sources: the protocol's "Inference Request/Response JSON Object" and its binary tensor data
extension (KServe's open-inference-protocol; the extension as Triton defines it). Elements are in
row-major order, little-endian; a BYTES element is a 4-byte length and its bytes.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry_runtime.datatypes import BY_PROTOCOL, Datatype
from skerry_runtime.nonfinite import from_words, in_words, narrowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry.engines import TensorSpec

_LENGTH = struct.Struct("<I")


class RequestError(Exception):
    """The request is wrong; `status` is 400 unless said, the message is for its author."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class InferRequest:
    """A checked request: arrays for the model, and which outputs come back in which form."""

    inputs: dict[str, NDArray[Any]]
    outputs: tuple[str, ...]
    binary: frozenset[str] = field(default_factory=frozenset)
    id: str | None = None


def parse_request(
    body: bytes,
    header_length: int | None,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
) -> InferRequest:
    """Read an inference request.

    Args:
        body: The HTTP body: JSON, and with `header_length` binary tensors behind it.
        header_length: Value of Inference-Header-Content-Length, in bytes; None when absent.
        inputs: What the model takes.
        outputs: What the model gives.

    Raises:
        RequestError: Not JSON, unknown or missing tensors, wrong types, shapes or sizes.
    """
    head, tail = _divide(body, header_length)
    request = _object(head)
    arrays = _read_inputs(_list(request, "inputs"), tail, {spec.name: spec for spec in inputs})
    require_all(arrays, inputs)
    names, binary = _wanted(request, [spec.name for spec in outputs])
    identity = request.get("id")
    if identity is not None and not isinstance(identity, str):
        raise RequestError("`id` must be a string")
    return InferRequest(arrays, names, binary, identity)


def require_all(arrays: dict[str, NDArray[Any]], inputs: Sequence[TensorSpec]) -> None:
    """Check that no input is missing.

    Raises:
        RequestError: One is.
    """
    if missing := [spec.name for spec in inputs if spec.name not in arrays]:
        raise RequestError(f"inputs are missing: {', '.join(missing)}")


def encode_outputs(
    arrays: dict[str, NDArray[Any]], specs: Sequence[TensorSpec], binary: frozenset[str]
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the response's `outputs` list and the binary parts, in the same order."""
    types = {spec.name: BY_PROTOCOL[spec.datatype] for spec in specs}
    tensors, parts = [], []
    for name, array in arrays.items():
        tensor = describe_tensor(name, array, types[name])
        if name in binary:
            part = to_bytes(array, types[name])
            tensor["parameters"] = {"binary_data_size": len(part)}
            parts.append(part)
        else:
            tensor["data"] = json_data(array, types[name])
        tensors.append(tensor)
    return tensors, parts


def json_tensors(
    arrays: dict[str, NDArray[Any]], specs: Sequence[TensorSpec]
) -> list[dict[str, Any]]:
    """Return arrays as tensors of the protocol in JSON."""
    return encode_outputs(arrays, specs, frozenset())[0]


def describe_tensor(name: str, array: NDArray[Any], datatype: Datatype) -> dict[str, Any]:
    """Return a tensor without its data."""
    return {"name": name, "datatype": datatype.protocol, "shape": list(array.shape)}


def json_data(array: NDArray[Any], datatype: Datatype) -> list[Any]:
    """Return the elements as a flat list."""
    flat = array.ravel()
    if datatype.is_bytes:
        return [element if isinstance(element, str) else text_of(element) for element in flat]
    if flat.dtype.kind == "f":
        return in_words(flat)
    data: list[Any] = flat.tolist()
    return data


def _divide(body: bytes, header_length: int | None) -> tuple[bytes, memoryview]:
    length = len(body) if header_length is None else header_length
    if not 0 <= length <= len(body):
        raise RequestError(
            f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes"
        )
    return body[:length], memoryview(body)[length:]


def _object(text: bytes) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise RequestError("the body must be a JSON object with `inputs`")
    return request


def _list(request: dict[str, Any], key: str) -> list[dict[str, Any]]:
    tensors = request.get(key, [])
    if not isinstance(tensors, list) or not all(isinstance(one, dict) for one in tensors):
        raise RequestError(f"`{key}` must be a list of objects")
    return tensors


def _parameters(thing: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = thing.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise RequestError(f"`parameters` of {where} must be an object")
    return parameters


def _read_inputs(
    tensors: list[dict[str, Any]], tail: memoryview, specs: dict[str, TensorSpec]
) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    at = 0
    for tensor in tensors:
        spec = spec_of(tensor, specs, arrays)
        size = _parameters(tensor, f"input `{spec.name}`").get("binary_data_size")
        if size is None:
            arrays[spec.name] = from_json(tensor, spec)
            continue
        arrays[spec.name] = from_bytes(tensor, spec, _slice(tail, at, size, spec.name))
        at += size
    if at != len(tail):
        raise RequestError(f"{len(tail) - at} bytes of binary data belong to no input")
    return arrays


def _slice(tail: memoryview, at: int, size: Any, name: str) -> memoryview:
    if not _is_count(size) or at + size > len(tail):
        raise RequestError(
            f"input `{name}`: binary_data_size is {size}, but {len(tail) - at} bytes are left"
            " behind the JSON (is Inference-Header-Content-Length set?)"
        )
    return tail[at : at + size]


def spec_of(
    tensor: dict[str, Any], specs: dict[str, TensorSpec], seen: dict[str, Any]
) -> TensorSpec:
    """Return the spec that a tensor of the request names, once its type and shape were checked.

    Raises:
        RequestError: Unknown, given twice, or not what the model takes.
    """
    name = tensor.get("name")
    if not isinstance(name, str) or name not in specs:
        raise RequestError(f"unknown input {name!r}; the model takes {', '.join(specs)}")
    if name in seen:
        raise RequestError(f"input `{name}` is given twice")
    spec = specs[name]
    if tensor.get("datatype") != spec.datatype:
        raise RequestError(
            f"input `{name}` has datatype {tensor.get('datatype')}, the model takes {spec.datatype}"
        )
    if not spec.accepts(_shape(tensor, name)):
        raise RequestError(
            f"input `{name}` has shape {tensor['shape']}, the model takes {list(spec.shape)}"
            " (-1 is any)"
        )
    return spec


def _shape(tensor: dict[str, Any], name: str) -> tuple[int, ...]:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(_is_count(axis) for axis in shape):
        raise RequestError(f"input `{name}`: `shape` must be a list of counts")
    return tuple(shape)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def from_json(tensor: dict[str, Any], spec: TensorSpec) -> NDArray[Any]:
    """Return the array of a tensor's `data`, a flat list."""
    data, shape = tensor.get("data"), _shape(tensor, spec.name)
    if not isinstance(data, list):
        raise RequestError(f"input `{spec.name}` has neither `data` nor binary_data_size")
    datatype = BY_PROTOCOL[spec.datatype]
    try:
        array = _array(data, datatype)
    except (ValueError, OverflowError, TypeError) as error:
        raise RequestError(f"input `{spec.name}`: {error}") from error
    return _reshaped(array, shape, spec.name)


def _array(data: list[Any], datatype: Datatype) -> NDArray[Any]:
    if datatype.is_bytes:
        return np.array(data, dtype=np.object_)
    raw = np.asarray(data)
    if raw.size == 0:
        return raw.astype(datatype.numpy)
    if datatype.numpy.kind == "f" and raw.dtype.kind in "OU":
        raw = from_words(data, datatype)
    allowed = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}[datatype.numpy.kind]
    if raw.dtype.kind not in allowed:
        raise TypeError(f"the data are not all {datatype.protocol}")
    if datatype.numpy.kind in "iu":
        limits = np.iinfo(datatype.numpy)
        if raw.min() < limits.min or raw.max() > limits.max:
            raise OverflowError(f"the data are out of the range of {datatype.protocol}")
        return raw.astype(datatype.numpy)
    return narrowed(raw, datatype)


def _reshaped(array: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    if array.size != math.prod(shape):
        raise RequestError(
            f"input `{name}` has {array.size} elements, its shape {list(shape)} needs"
            f" {math.prod(shape)}"
        )
    return array.reshape(shape)


def from_bytes(tensor: dict[str, Any], spec: TensorSpec, data: memoryview) -> NDArray[Any]:
    """Return the array of a tensor's elements in their binary form."""
    if "data" in tensor:
        raise RequestError(f"input `{spec.name}` has both `data` and binary_data_size")
    datatype, shape = BY_PROTOCOL[spec.datatype], _shape(tensor, spec.name)
    if datatype.is_bytes:
        return _reshaped(_strings(data, spec.name), shape, spec.name)
    if len(data) != math.prod(shape) * datatype.numpy.itemsize:
        raise RequestError(
            f"input `{spec.name}` has {len(data)} bytes, {datatype.protocol} of shape"
            f" {list(shape)} needs {math.prod(shape) * datatype.numpy.itemsize}"
        )
    array = np.frombuffer(data, datatype.wire).reshape(shape)
    # Behind JSON of any length the elements lie at any address, which the engine doesn't expect.
    return array.astype(datatype.numpy, copy=not array.flags.aligned)


def _strings(data: memoryview, name: str) -> NDArray[Any]:
    elements: list[str] = []
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise RequestError(f"input `{name}`: the last length is cut short")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise RequestError(f"input `{name}`: an element is longer than the data")
        elements.append(text_of(bytes(data[at : at + length])))
        at += length
    return np.array(elements, dtype=np.object_)


def text_of(element: Any) -> str:
    """Return a BYTES element as the text that the engine takes."""
    if not isinstance(element, bytes):
        return str(element)
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise RequestError(
            f"a BYTES element is not UTF-8, which the engine needs: {error}"
        ) from error


def to_bytes(array: NDArray[Any], datatype: Datatype) -> bytes:
    """Return the binary form of an array's elements."""
    if not datatype.is_bytes:
        return array.astype(datatype.wire, copy=False).tobytes()
    encoded = [text_of(element).encode() for element in array.ravel()]
    return b"".join(_LENGTH.pack(len(element)) + element for element in encoded)


def _wanted(
    request: dict[str, Any], known: Sequence[str]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the requested outputs (all by default) and those that come back as binary."""
    by_default = _parameters(request, "the request").get("binary_data_output") is True
    asked = _list(request, "outputs")
    if not asked:
        return tuple(known), frozenset(known if by_default else ())
    names = checked_outputs([output.get("name") for output in asked], known)
    binary = {
        name
        for name, output in zip(names, asked, strict=True)
        if _parameters(output, f"output `{name}`").get("binary_data", by_default) is True
    }
    return names, frozenset(binary)


def checked_outputs(asked: Sequence[Any], known: Sequence[str]) -> tuple[str, ...]:
    """Return the outputs that a request asks for by name.

    Raises:
        RequestError: One is unknown or asked for twice.
    """
    for name in asked:
        if not isinstance(name, str) or name not in known:
            raise RequestError(f"unknown output {name!r}; the model gives {', '.join(known)}")
    if len(set(asked)) < len(asked):
        raise RequestError("an output is asked for twice")
    return tuple(asked)
