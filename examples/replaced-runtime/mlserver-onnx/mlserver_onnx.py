"""MLServer with ONNX files: what `implementation` of its model settings names.

An example of a serving image of one's own: MLServer brings REST and gRPC, this class the model.
"""

from __future__ import annotations

import os

import onnxruntime as ort
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):  # type: ignore[misc]  # mlserver is only in the image
    """One ONNX file, on the CPU, with as many threads as OMP_NUM_THREADS says."""

    async def load(self) -> bool:
        """Open the file that `parameters.uri` names."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        self._session = ort.InferenceSession(
            self.settings.parameters.uri, options, providers=["CPUExecutionProvider"]
        )
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Compute one request."""
        inputs = {one.name: NumpyCodec.decode_input(one) for one in payload.inputs}
        names = [output.name for output in self._session.get_outputs()]
        arrays = self._session.run(names, inputs)
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            id=payload.id,
            outputs=[
                NumpyCodec.encode_output(name, array)
                for name, array in zip(names, arrays, strict=True)
            ],
        )
