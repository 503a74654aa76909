"""Keys: what changes them, what must not."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.api.common import ResourceLimits
from skerry.api.edgemodel import Gates, Serving, ServingResources, Weights
from skerry.tasks import Metric
from skerry.api.facts import Accelerator, AcceleratorKind, ClassFacts, CpuFacts, DeviceFacts
from skerry.api.modelvariant import EvaluationPlan, PinnedArtifact
from skerry.decide.build import identity
from skerry.decide.nodes.class_facts import sum_up
from skerry.decide.build.identity import build_key, evidence_key, hardware_of, revision, variant_name

DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
LIMITS = ResourceLimits(cpu="1", memory="512Mi")
HARDWARE = {"cpu": "Intel Xeon"}
CPU = CpuFacts(model="Intel Xeon", features=("avx2",), l1_data=2**15, l2=2**20, l3=2**24)
NODE = DeviceFacts(architecture="amd64", cpu=CPU, memory=2**34)


def evaluation(**changes: Any) -> EvaluationPlan:
    fields: dict[str, Any] = {
        "dataset": PinnedArtifact(uri="oci://r/d", digest=DIGEST),
        "metric": Metric.ACCURACY,
        "calibration_samples": 128,
        "golden_samples": 8,
    }
    return EvaluationPlan(**(fields | changes))


def key(**changes: Any) -> str:
    fields: dict[str, Any] = {
        "source_digest": DIGEST,
        "evaluation": evaluation(),
        "architecture": "amd64",
        "features": ("avx2", "avx512_vnni"),
        "engine": "ONNXRuntime",
        "engine_version": "1.32.0",
        "recipe_set": "onnxruntime/1",
        "max_recipes": 8,
    }
    return build_key(**(fields | changes))


@pytest.mark.parametrize(
    "change",
    [
        {"source_digest": OTHER},
        {"evaluation": evaluation(dataset=PinnedArtifact(uri="oci://r/d", digest=OTHER))},
        {"evaluation": evaluation(metric=Metric.NEAREST_NEIGHBORS)},
        {"evaluation": evaluation(calibration_samples=64)},
        {"evaluation": evaluation(golden_samples=9)},
        {"architecture": "arm64"},
        {"features": ("avx2",)},
        {"engine": "Other"},
        {"engine_version": "1.33.0"},
        {"recipe_set": "onnxruntime/2"},
        {"max_recipes": 4},
    ],
)
def test_what_changes_a_build(change: dict[str, Any]) -> None:
    assert key(**change) != key()


def test_what_does_not_change_a_build() -> None:
    moved = evaluation(dataset=PinnedArtifact(uri="oci://mirror/d", digest=DIGEST))
    assert key(evaluation=moved, features=("avx512_vnni", "avx2", "avx2")) == key()
    assert len(key()) == 64


def test_evidence_depends_on_hardware_limits_gates_and_weights() -> None:
    base = evidence_key(key(), HARDWARE, LIMITS, Gates(), Weights())
    same = ResourceLimits(cpu="1000m", memory="524288Ki")
    assert evidence_key(key(), HARDWARE, same, Gates(), Weights()) == base
    others = {
        evidence_key(key(), {"cpu": "other"}, LIMITS, Gates(), Weights()),
        evidence_key(key(max_recipes=4), HARDWARE, LIMITS, Gates(), Weights()),
        evidence_key(key(), HARDWARE, ResourceLimits(cpu="2"), Gates(), Weights()),
        evidence_key(key(), HARDWARE, LIMITS, Gates(quality="0.9"), Weights()),
        evidence_key(key(), HARDWARE, LIMITS, Gates(), Weights(speed="1")),
    }
    assert len(others | {base}) == 6


def class_facts(*nodes: DeviceFacts) -> ClassFacts | None:
    return sum_up({f"node-{number}": facts for number, facts in enumerate(nodes)})


def test_classes_of_equal_nodes_stand_for_the_same_hardware() -> None:
    first = hardware_of("x86-a", class_facts(NODE, NODE))
    assert first == hardware_of("x86-b", class_facts(NODE))
    assert first["cpu"] == "Intel Xeon"
    more_memory = NODE.model_copy(update={"memory": 2**36})
    assert hardware_of("x86-a", class_facts(more_memory)) == first, "the limit bounds it"


def with_cpu(**changes: object) -> DeviceFacts:
    assert NODE.cpu is not None
    return NODE.model_copy(update={"cpu": NODE.cpu.model_copy(update=changes)})


@pytest.mark.parametrize(
    "other",
    [
        with_cpu(model="AMD EPYC"),
        with_cpu(features=("avx2", "avx512_vnni")),
        with_cpu(l3=2**25),
        NODE.model_copy(update={"architecture": "arm64"}),
        NODE.model_copy(update={"accelerators": (Accelerator(kind=AcceleratorKind.INTEL_NPU),)}),
    ],
)
def test_nodes_that_differ_are_other_hardware(other: DeviceFacts) -> None:
    assert hardware_of("x86-a", class_facts(other)) != hardware_of("x86-a", class_facts(NODE))
    assert hardware_of("x86-a", class_facts(NODE, other)) == {"class": "x86-a"}, "a mixed class"


def test_a_class_of_unknown_nodes_stands_for_itself() -> None:
    assert hardware_of("x86-a", None) == {"class": "x86-a"}


def test_evidence_of_another_way_of_measuring_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    now = evidence_key(key(), HARDWARE, LIMITS, Gates(), Weights())
    monkeypatch.setattr(identity, "MEASURING", identity.MEASURING + 1)
    assert evidence_key(key(), HARDWARE, LIMITS, Gates(), Weights()) != now


def test_variant_name_is_readable_and_bounded() -> None:
    name = variant_name("m" * 40, "c" * 63, key(), LIMITS)
    assert name.startswith("m" * 40 + "-" + "c" * 63 + "-")
    assert len(name) <= 253
    assert name != variant_name("m" * 40, "c" * 63, key(), ResourceLimits(cpu="2"))
    assert variant_name("a-b", "c", key(), LIMITS) != variant_name("a", "b-c", key(), LIMITS)


def test_revision() -> None:
    serving = Serving(resources=ServingResources(limits=LIMITS))
    base = revision(DIGEST, serving, f"r/i@{DIGEST}", "x86")
    assert len(base) == 10
    assert revision(DIGEST, serving, f"mirror/i@{DIGEST}", "x86") == base
    less = Serving(resources=ServingResources(limits=ResourceLimits(cpu="250m")))
    others = {
        revision(OTHER, serving, f"r/i@{DIGEST}", "x86"),
        revision(DIGEST, less, f"r/i@{DIGEST}", "x86"),
        revision(DIGEST, serving, f"r/i@{OTHER}", "x86"),
        revision(DIGEST, serving, f"r/i@{DIGEST}", "arm"),
    }
    assert len(others | {base}) == 5
