"""KServe's own server with an ONNX file, as its docs make a custom model: `kserve_onnx.py FILE ...`."""

from __future__ import annotations

import argparse
import os
from typing import Any

import kserve
import onnxruntime as ort
from kserve import InferOutput, InferRequest, InferResponse
from kserve.utils.numpy_codec import from_np_dtype


class OnnxModel(kserve.Model):  # type: ignore[misc]  # kserve is only in its own environment
    """One ONNX file, on the CPU, with as many threads as OMP_NUM_THREADS says."""

    def __init__(self, name: str, file: str) -> None:
        super().__init__(name)
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        self._session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]
        self.ready = True

    def predict(self, payload: InferRequest, *_headers: Any, **_more: Any) -> InferResponse:
        """Compute one request; tensors go back in their binary form, by REST as by gRPC."""
        inputs = {one.name: one.as_numpy() for one in payload.inputs}
        outputs = []
        for name, array in zip(self._names, self._session.run(self._names, inputs), strict=True):
            output = InferOutput(name, list(array.shape), from_np_dtype(array.dtype))
            output.set_data_from_numpy(array, binary_data=True)
            outputs.append(output)
        return InferResponse(payload.id, self.name, infer_outputs=outputs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("file")
    options, _ = parser.parse_known_args()
    kserve.ModelServer().start([OnnxModel("encoder", options.file)])
