"""A model as a real job measured it: MiniLM on one core of an AMD EPYC shared with other work, 2026-11-23.

tests/data/minilm-report.json is the report of that job as it lies in the registry next to its artifact.
"""

from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from skerry.api import EdgeModel, ModelVariant
from skerry.api.modelvariant import RecipeResult
from skerry.cli.reading import Picture
from skerry.cli.report.evidence import Evidence
from skerry.decide.build.tries import gates_key
from tests.cluster.manifests import DIGEST, MINIMAL, VARIANT, changed

REPORT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "minilm-report.json").read_text()
)
START = datetime(2026, 11, 23, 14, 40, tzinfo=UTC)
NOW = START + timedelta(hours=1)
EVIDENCE = Evidence(
    tuple(RecipeResult.model_validate(t) for t in REPORT["recipeResults"]),
    REPORT["node"],
    REPORT["measuredAt"],
)
OPENVINO = "minilm-x86-b-openvino"
CHOICE = "OpenVINO weight-int8-block128 is better than ONNXRuntime weight-int8-block128"
IMAGE = f"registry.example:5000/skerry/demo/minilm@{DIGEST}"


def measured_picture(message: str = "all is well", **build: Any) -> Picture:
    """Return the model with its one class and variant; `build` changes what its status says of the build."""
    name = "minilm-x86-b"
    said = {
        "hardwareClassName": "x86-b", "phase": "Serving", "reason": "Serving", "message": message,
        "build": {"variantName": name, **build},
        "rollout": {"desired": "0123456789", "stable": "0123456789"},
    }  # fmt: skip
    written = changed(
        MINIMAL,
        {
            "metadata.name": "minilm", "metadata.namespace": "demo", "metadata.uid": "u1",
            "spec.gates": REPORT["plan"]["gates"], "spec.targets": [{"hardwareClassName": "x86-b"}],
            "status": {"phase": said["phase"], "targets": [said]},
        },
    )  # fmt: skip
    model = EdgeModel.model_validate(written)
    status = {**variant_status(), "gatesKey": gates_key(model.spec)}
    variant = changed(
        VARIANT, {"metadata.name": name, "spec.hardwareClassName": "x86-b", "status": status}
    )
    return Picture(model, (), (ModelVariant.model_validate(variant),), {})


def picture_of_two_engines() -> Picture:
    """Return the same class with OpenVINO's build, which was chosen, as a second one; its figures are made up."""
    picture = measured_picture()
    (onnx,) = picture.variants
    certified = openvino_recipe_result("weight-int8-block128", "2.6", "0.981", "0.41")
    recipe_results = [
        openvino_recipe_result("post-training-int8", "3.9", "0.871", "0.62"), certified,
        {"recipe": "bfloat16", "precision": "BFloat16", "outcome": "NotSupported", "message": "no AMX"},
    ]  # fmt: skip
    status = {
        **variant_status(), "recipe_results": recipe_results, "chosen": "weight-int8-block128",
        "gates": [{"name": "speedup", "required": True, "threshold": "0.95",
                   "observed": certified["speedup"], "outcome": "Pass"}],
        "certificate": {
            "modelDigest": DIGEST, "datasetDigest": DIGEST, "engineVersion": "2026.1", "baseline": "",
            "certified": certified, "issueTime": NOW.isoformat(),
        },
        "conditions": [{"type": "Certified", "status": "True", "reason": "GatesPassed", "message": "",
                        "observedGeneration": 1, "lastTransitionTime": NOW.isoformat()}],
    }  # fmt: skip
    named = {
        "metadata.name": OPENVINO,
        "spec.hardwareClassName": "x86-b",
        "spec.engine": "OpenVINO",
    }
    openvino = ModelVariant.model_validate(changed(VARIANT, {**named, "status": status}))
    builds = [
        {"engine": engine, "variantName": name, "phase": "Certified", "reason": "GatesPassed"}
        for engine, name in (("OpenVINO", OPENVINO), ("ONNXRuntime", onnx.metadata.name))
    ]
    front = [{"engine": "OpenVINO", "recipe": "weight-int8-block128", "speedup": "2.600",
              "quality": "0.981", "memoryReduction": "0.410"}]  # fmt: skip
    said = measured_picture(
        variantName=OPENVINO, engine="OpenVINO", engineBuilds=builds, choice=CHOICE, front=front
    )
    return Picture(said.model, (), (onnx, openvino), {})


def openvino_recipe_result(recipe: str, speedup: str, quality: str, memory: str) -> dict[str, Any]:
    """Return a measured candidate with intervals of a twentieth."""

    def interval(value: str) -> dict[str, str]:
        middle = float(value)
        return {"value": value, "low": f"{middle * 0.95:.3f}", "high": f"{middle * 1.05:.3f}"}

    return {
        "recipe": recipe, "precision": "Int8", "bytes": 23_000_000, "speedup": interval(speedup),
        "quality": interval(quality), "memoryReduction": interval(memory),
    }  # fmt: skip


def variant_status() -> dict[str, Any]:
    """Return the status that the operator writes from the job's summary, which has no room for raw figures."""
    raw = {"p50Milliseconds", "memoryBytes"}
    recipe_results = [{k: v for k, v in t.items() if k not in raw} for t in REPORT["recipeResults"]]
    seconds = {"BaselineMeasurement": 20, "FormatConversion": 5, "Quantization": 30,
               "HardwareAcceleration": 5, "Validation": 240}  # fmt: skip
    stages, at = [], START
    for name, length in seconds.items():
        end = at + timedelta(seconds=length)
        times = {"startTime": at.isoformat(), "completionTime": end.isoformat()}
        stages.append({"name": name, "outcome": "Succeeded", **times})
        at = end
    return {
        "stages": stages, "recipe_results": recipe_results, "chosen": REPORT["chosen"], "gates": REPORT["gates"],
        "artifact": {"image": IMAGE, "digest": DIGEST}, "nodeName": REPORT["node"],
    }  # fmt: skip


def evidence_layer() -> bytes:
    """Return the layer with the report, as the job packs it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        body = json.dumps(REPORT).encode()
        entry = tarfile.TarInfo("report.json")
        entry.size = len(body)
        archive.addfile(entry, io.BytesIO(body))
    return written.getvalue()
