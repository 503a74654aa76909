"""`python -m skerry_runtime.repository LAYOUT FOLDER`: lays an artifact out for a server of others.

Runs once, before the server: writes the model repository and configuration that the server reads,
with links into the artifact, which stays read-only and verified where it is, and the golden samples
as the agent expects them. Sources: Triton's model repository and model configuration documents,
OpenVINO Model Server's "Preparing a Model Repository", MLServer's model-settings.json.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skerry.engines import Layout, ModelError, TensorSpec
from skerry.jobs.names import SERVED_FILE
from skerry_runtime.artifact import read_artifact
from skerry_runtime.golden import replay_set
from skerry_runtime.limits import MOST_ROWS, thread_count
from skerry_runtime.nonfinite import WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

GOLDEN_FILE = "golden.json"
_REQUESTS: dict[Layout, dict[str, Any]] = {
    Layout.TRITON: dict(WORDS),
    Layout.MLSERVER: {"NaN": None},
}
"""How a server reads NaN and infinities in JSON, where that is not Skerry's way: Triton takes tokens
(RapidJSON's kParseNanAndInfFlag), MLServer null."""
_ANSWERS: dict[Layout, dict[str, Any]] = {
    Layout.TRITON: dict(WORDS),
    Layout.MLSERVER: dict.fromkeys(WORDS),
}
_TRITON_BACKENDS = {"ONNXRuntime": "onnxruntime", "OpenVINO": "openvino"}


def lay_out(layout: Layout, model: str, artifact_folder: Path, folder: Path, threads: int) -> None:
    """Write what a server reads of the artifact, and the golden samples.

    Raises:
        ModelError: The artifact is not what this release writes, or the server can't serve it.
    """
    artifact = read_artifact(artifact_folder)
    served = json.loads((artifact_folder / SERVED_FILE).read_text())
    inputs, outputs = _specs(served["inputs"]), _specs(served["outputs"])
    files = sorted(path for path in artifact_folder.glob("model.*") if path.is_file())
    samples = respelled(replay_set(artifact, inputs, outputs), layout)
    (folder / GOLDEN_FILE).write_text(json.dumps(samples))
    if layout is Layout.MLSERVER:
        settings = _mlserver(model, files[0], inputs, outputs)
        (folder / "model-settings.json").write_text(json.dumps(settings, indent=2))
    if layout in (Layout.TRITON, Layout.MODEL_VERSIONS):
        version = folder / model / "1"
        version.mkdir(parents=True, exist_ok=True)
        for file in files:
            (version / file.name).unlink(missing_ok=True)
            (version / file.name).symlink_to(file)
    if layout is Layout.TRITON:
        text = triton_config(
            model, artifact.engine, inputs, outputs, batching=artifact.batching, threads=threads
        )
        (folder / model / "config.pbtxt").write_text(text)


def respelled(golden: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """Return golden samples with NaN and infinities as a server reads and writes them.

    OpenVINO Model Server has no way in JSON: samples with such values are left out for it.

    Raises:
        ModelError: None is left.
    """
    samples = golden["samples"]
    if layout is Layout.MODEL_VERSIONS:
        samples = [one for one in samples if not any(map(_has_words, _tensors(one)))]
        if golden["samples"] and not samples:
            raise ModelError(
                "each golden sample has NaN or infinities, which OpenVINO Model Server can't carry in JSON: use"
                " Skerry's own runtime"
            )
    for sample in samples:
        for tensors, words in (
            (sample["request"]["inputs"], _REQUESTS.get(layout, {})),
            (sample["outputs"], _ANSWERS.get(layout, {})),
        ):
            for tensor in filter(_has_words, tensors):
                tensor["data"] = [words.get(value, value) for value in tensor["data"]]
    return golden | {"samples": samples}


def _tensors(sample: dict[str, Any]) -> list[dict[str, Any]]:
    return [*sample["request"]["inputs"], *sample["outputs"]]


def _has_words(tensor: dict[str, Any]) -> bool:
    return tensor["datatype"] != "BYTES" and any(isinstance(one, str) for one in tensor["data"])


def triton_config(
    model: str,
    engine: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    *,
    batching: bool,
    threads: int,
) -> str:
    """Return Triton's config.pbtxt; requests are joined only where the variant is certified so.

    Raises:
        ModelError: Triton has no backend for the engine.
    """
    if engine not in _TRITON_BACKENDS:
        raise ModelError(f"Triton has no backend for builds of {engine}: use another runtime")
    joins = batching and all(spec.shape[:1] == (-1,) for spec in (*inputs, *outputs))
    lines = [
        f"name: {json.dumps(model)}",
        f'backend: "{_TRITON_BACKENDS[engine]}"',
        f"max_batch_size: {MOST_ROWS if joins else 0}",
        *_triton_tensors("input", inputs, without_rows=joins),
        *_triton_tensors("output", outputs, without_rows=joins),
        "instance_group [ { count: 1, kind: KIND_CPU } ]",
    ]
    if joins:
        lines.append("dynamic_batching { max_queue_delay_microseconds: 0 }")
    name = "intra_op_thread_count" if engine == "ONNXRuntime" else "INFERENCE_NUM_THREADS"
    lines.append(f'parameters {{ key: "{name}", value: {{ string_value: "{threads}" }} }}')
    return "\n".join(lines) + "\n"


def _triton_tensors(kind: str, specs: Sequence[TensorSpec], *, without_rows: bool) -> list[str]:
    lines = []
    for spec in specs:
        shape = spec.shape[1:] if without_rows else spec.shape
        datatype = "TYPE_STRING" if spec.datatype == "BYTES" else f"TYPE_{spec.datatype}"
        name = json.dumps(spec.name)
        lines.append(f"{kind} [ {{ name: {name}, data_type: {datatype}, dims: {list(shape)} }} ]")
    return lines


def _mlserver(
    model: str, file: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> dict[str, Any]:
    """Return the model's settings; MLSERVER_MODEL_IMPLEMENTATION in the image names the class for ONNX files."""
    settings: dict[str, Any] = {
        "name": model,
        "platform": "onnx",
        "inputs": [_tensor(spec) for spec in inputs],
        "outputs": [_tensor(spec) for spec in outputs],
        "parameters": {"uri": str(file)},
    }
    implementation = os.environ.get("SKERRY_MLSERVER_IMPLEMENTATION")
    return settings | ({"implementation": implementation} if implementation else {})


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _specs(wire: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(one["name"], one["datatype"], tuple(one["shape"])) for one in wire)


def main() -> int:
    """Lay out as the command line and the pod's environment say; returns the exit code."""
    layout, folder = Layout(sys.argv[1]), Path(sys.argv[2])
    threads = thread_count(float(os.environ.get("SKERRY_CPU_LIMIT") or 1))
    artifact = Path(os.environ.get("SKERRY_MODEL_DIR", "/model"))
    try:
        lay_out(layout, os.environ["SKERRY_MODEL_NAME"], artifact, folder, threads)
    except ModelError as error:
        sys.stderr.write(f"cannot prepare for {layout}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
