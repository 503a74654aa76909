"""Opening a model for the script's own runs, with the options that a device would serve with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from measuring import Run


def open_model(file: Path) -> Run:
    """Open an ONNX file with ONNX Runtime, an OpenVINO file with OpenVINO; one thread."""
    return _openvino(file) if file.suffix == ".xml" else _onnxruntime(file)


def _onnxruntime(file: Path) -> Run:
    import onnxruntime as ort  # noqa: PLC0415 - peaks must not count the other engine

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run(sample: dict[str, Any]) -> Any:
        return session.run(None, sample)[0]

    return run


def _openvino(file: Path) -> Run:
    import numpy as np  # noqa: PLC0415
    import openvino as ov  # noqa: PLC0415

    options = {
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }  # fmt: skip
    request = ov.Core().compile_model(str(file), "CPU", options).create_infer_request()

    def run(sample: dict[str, Any]) -> Any:
        return np.array(request.infer(sample, share_inputs=True)[0])

    return run
