"""Manifests that tests share: a good one of each kind, and a table of bad ones.

Both sides that check a manifest are held against this table: the API server (tests/cluster) and
the pydantic models (tests/unit/api).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]

API_VERSION = "skerry.dev/v1alpha1"
DIGEST = "sha256:" + "0123456789abcdef" * 4
HASH = "0123456789abcdef" * 4

MINIMAL: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "EdgeModel",
    "metadata": {"name": "intent"},
    "spec": {
        "source": {"uri": "oci://registry.example:5000/models/intent:3"},
        "evaluation": {
            "dataset": {"uri": "oci://registry.example:5000/datasets/intent:1"},
            "metric": "Accuracy",
        },
        "targets": [{"hardwareClassName": "x86-vnni"}],
    },
}
HARDWARE_CLASS: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "HardwareClass",
    "metadata": {"name": "arm-small"},
    "spec": {"nodeSelector": {"kubernetes.io/arch": "arm64"}},
}
ROUTE: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "ModelRoute",
    "metadata": {"name": "intent-x86-vnni"},
    "spec": {
        "edgeModelName": "intent",
        "hardwareClassName": "x86-vnni",
        "stable": {"revision": "0123456789"},
    },
}
VARIANT: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "ModelVariant",
    "metadata": {"name": "intent-0123456789"},
    "spec": {
        "edgeModelName": "intent",
        "hardwareClassName": "x86-vnni",
        "engine": "ONNXRuntime",
        "engineVersion": "1.32.0",
        "buildKey": HASH,
        "source": {"uri": "oci://registry.example/intent:3", "digest": DIGEST},
        "evaluation": {
            "dataset": {"uri": "oci://registry.example/data:1", "digest": DIGEST},
            "metric": "Accuracy",
            "calibrationSamples": 128,
            "goldenSamples": 8,
        },
        "recipeSet": "onnxruntime/1",
        "maxRecipes": 8,
        "limits": {"cpu": "1", "memory": "512Mi"},
    },
}
NODE: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "EdgeNode",
    "metadata": {"name": "device-1"},
    "spec": {"hardwareClassName": "x86-vnni"},
}


@dataclass(frozen=True)
class Bad:
    """A good manifest with one mistake.

    Attributes:
        changes: New value by dotted path; None removes the field.
        where: The path that the API server's message names.
        says: What else it says.
        base: The good manifest.
    """

    name: str
    changes: dict[str, Any]
    where: str
    says: str
    base: Manifest = field(default_factory=lambda: MINIMAL)

    def manifest(self) -> Manifest:
        """Return the manifest with its mistake."""
        return changed(self.base, self.changes)


def changed(base: Manifest, changes: dict[str, Any]) -> Manifest:
    """Return a copy of a manifest with new values at dotted paths; None removes what is there."""
    copied = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = copied
        for part in parents:
            place = place.setdefault(part, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return copied


def waves(*percents: object) -> list[Manifest]:
    """Return waves of these shares."""
    return [{"percent": percent} for percent in percents]


def guard(*rules: Manifest) -> Manifest:
    """Return changes that set the guard's rules."""
    return {"spec.guard.rules": list(rules)}


def ring(key: str, value: str) -> Manifest:
    """Return a wave over the nodes with this label."""
    return {"nodeSelector": {key: value}}


_ALL = {"percent": 100}
_PULLS = "spec.rollout.maxConcurrentPulls"
_DEADLINE = "spec.rollout.progressDeadline"
_SOAK, _WAVES, _TRAFFIC = "spec.rollout.soak", "spec.rollout.waves", "spec.rollout.traffic"
_URI, _PIN = "spec.source.uri", "spec.source.digest"
_ENDPOINT, _SECRET = "spec.source.endpoint", "spec.source.credentialsSecretName"
_LIMITS = "spec.serving.resources.limits"
_TOLERATE = "spec.guard.rules[0].tolerate"
_CLASS_NODES = "spec.nodeSelector"
_X86 = {"hardwareClassName": "x86-vnni"}

SOURCES: tuple[Manifest, ...] = (
    {"uri": "oci://registry.example:5000/models/intent:3", "credentialsSecretName": "pull"},
    {"uri": "oci://registry.example/models/intent", "digest": DIGEST},
    {"uri": "oci+native://registry.example:5000/models/intent:3", "credentialsSecretName": "pull"},
    {"uri": "oci+native://registry.example/models/intent", "digest": DIGEST, "sizeLimit": "500Mi"},
    {"uri": "s3://models/intent/v3/model.onnx", "region": "eu-central-1"},
    {"uri": "s3://models.of-ours/intent/", "endpoint": "http://minio:9000", "plainHTTP": True},
    {"uri": "gs://models_1/intent.onnx", "digest": DIGEST, "credentialsSecretName": "gs.reader"},
    {"uri": "https://host:8443/intent.onnx?version=3", "sizeLimit": "500Mi"},
    {"uri": "http://host/intent.onnx", "plainHTTP": True, "digest": DIGEST},
    {"uri": "hf://Xenova/all-MiniLM-L6-v2@refs%2Fpr%2F1/onnx/model.onnx"},
    {"uri": "hf://datasets/owner/name@v1.0", "endpoint": "https://hub.example"},
    {"uri": "pvc://models/intent/v3/"},
    {"uri": "pvc://models/Gr\u00f6\u00dfe.onnx"},
)
"""Each way to name a source, in every form."""

BAD = (
    Bad("no source", {"spec.source": None}, "spec.source", "Required"),
    Bad("no evaluation", {"spec.evaluation": None}, "spec.evaluation", "Required"),
    Bad("no targets", {"spec.targets": None}, "spec.targets", "Required"),
    Bad("empty targets", {"spec.targets": []}, "spec.targets", "at least 1"),
    Bad(
        "name with dots",
        {"metadata.name": "intent.v2"},
        "metadata.name",
        "no dots): it becomes http://NAME.NAMESPACE.svc",
    ),
    Bad("name from a digit", {"metadata.name": "3d"}, "metadata.name", "a lower-case letter, then"),
    Bad("name too long", {"metadata.name": "a" * 41}, "metadata.name", "at most 40 characters"),
    Bad("uri by ftp", {_URI: "ftp://host/intent.onnx"}, _URI, "should match '^(oci|s3|gs|https|"),
    Bad("uri with a space", {_URI: "s3://bucket/my model.onnx"}, _URI, "should match '^(oci|s3|"),
    Bad("uri with a no-break space", {_URI: "https://h/a\u00a0b"}, _URI, "should match '^(oci|s3|"),
    Bad("uri with a next line", {_URI: "https://h/a\u0085b"}, _URI, "should match '^(oci|s3|"),
    Bad("uri with a tab", {_URI: "pvc://claim/a\u000bb"}, _URI, "should match '^(oci|s3|"),
    Bad(
        "endpoint with a no-break space",
        {_URI: "s3://bucket/m.onnx", _ENDPOINT: "https://minio/a\u00a0b"},
        _ENDPOINT,
        "should match",
    ),
    Bad(
        "uri with a digest", {_URI: f"oci://host/intent@{DIGEST}"}, _URI, "write oci://HOST[:PORT]"
    ),
    Bad("uri in capitals", {_URI: "oci://host/Intent:3"}, _URI, "in lower case"),
    Bad("neither tag nor digest", {_URI: "oci://host:5000/intent"}, _URI, "or set digest"),
    Bad("car in capitals", {_URI: "oci+native://host/Intent:3"}, _URI, "in lower case"),
    Bad("car without a tag", {_URI: "oci+native://host:5000/intent"}, _URI, "or set digest"),
    Bad("car that is downloaded", {_URI: "oci+fetch://host/intent:3"}, _URI, "should match"),
    Bad("bucket without a key", {_URI: "s3://bucket"}, _URI, "write s3://BUCKET/KEY"),
    Bad("whole bucket", {_URI: "gs://bucket/"}, _URI, "gs://BUCKET/KEY"),
    Bad("uri by http", {_URI: "http://host/intent.onnx"}, _URI, "read without TLS"),
    Bad("folder by https", {_URI: "https://host/models/"}, _URI, "PATH of one file"),
    Bad(
        "password in the uri",
        {_URI: "https://me:secret@host/intent.onnx"},
        _URI,
        "put user and password into credentialsSecretName",
    ),
    Bad("hub without an owner", {_URI: "hf://intent"}, _URI, "hf://[datasets/]OWNER/NAME"),
    Bad("claim without a path", {_URI: "pvc://models"}, _URI, "write pvc://CLAIM/PATH"),
    Bad("way out of a claim", {_URI: "pvc://models/../x"}, _URI, "must not have . or .."),
    Bad(
        "endpoint by http",
        {_URI: "s3://bucket/m.onnx", _ENDPOINT: "http://minio"},
        _ENDPOINT,
        "is reached without TLS",
    ),
    Bad(
        "endpoint of a registry",
        {_ENDPOINT: "https://registry.example"},
        _ENDPOINT,
        "for s3, gs and hf only",
    ),
    Bad(
        "region of gs",
        {_URI: "gs://bucket/m.onnx", "spec.source.region": "eu-central-1"},
        "spec.source.region",
        "for s3 only",
    ),
    Bad(
        "secret for a claim",
        {_URI: "pvc://models/m.onnx", _SECRET: "creds"},
        _SECRET,
        "can mount the claim",
    ),
    Bad("secret with a slash", {_SECRET: "other/creds"}, _SECRET, "should match"),
    Bad("nothing allowed", {"spec.source.sizeLimit": "0"}, "spec.source.sizeLimit", "more than 0"),
    Bad("digest too short", {_PIN: "sha256:abc"}, _PIN, "should match '^sha256:"),
    Bad("digest of another sort", {_PIN: "md5:" + HASH}, _PIN, "should match '^sha256:"),
    Bad(
        "unknown metric",
        {"spec.evaluation.metric": "mae"},
        "spec.evaluation.metric",
        '"Accuracy", "F1", "RMSE", "NearestNeighbors"',
    ),
    Bad(
        "few calibration samples",
        {"spec.evaluation.calibrationSamples": 3},
        "spec.evaluation.calibrationSamples",
        "greater than or equal to 16",
    ),
    Bad(
        "many golden samples",
        {"spec.evaluation.goldenSamples": 65},
        "spec.evaluation.goldenSamples",
        "less than or equal to 64",
    ),
    Bad(
        "engine that is no name",
        {"spec.targets": [_X86 | {"engine": "tensor-rt"}]},
        "spec.targets[0].engine",
        "should match",
    ),
    Bad("target twice", {"spec.targets": [_X86, _X86]}, "spec.targets[1]", "Duplicate value"),
    Bad(
        "class with a dot",
        {"spec.targets": [{"hardwareClassName": "x86.a"}]},
        "spec.targets[0].hardwareClassName",
        "should match",
    ),
    Bad(
        "no recipes",
        {"spec.optimization.search.maxRecipes": 0},
        "spec.optimization.search.maxRecipes",
        "greater than or equal to 1",
    ),
    Bad(
        "no time",
        {"spec.optimization.search.timeLimit": "0m"},
        "spec.optimization.search.timeLimit",
        "longer than 0s",
    ),
    Bad(
        "no weight",
        {"spec.optimization.search.weights": {"speed": "0", "quality": "0.0", "memory": "0"}},
        "spec.optimization.search.weights",
        "at least one weight must be above 0",
    ),
    Bad("quality 1.5", {"spec.gates.quality": "1.5"}, "spec.gates.quality", "at most 1"),
    Bad("quality 0", {"spec.gates.quality": "0"}, "spec.gates.quality", "above 0"),
    Bad("quality as a number", {"spec.gates.quality": 0.95}, "spec.gates.quality", "string"),
    Bad("quality in per cent", {"spec.gates.quality": "95%"}, "spec.gates.quality", "should match"),
    Bad("speedup in words", {"spec.gates.speedup": "fast"}, "spec.gates.speedup", "should match"),
    Bad(
        "all memory saved",
        {"spec.gates.memoryReduction": "1"},
        "spec.gates.memoryReduction",
        "must be below 1",
    ),
    Bad(
        "empty artifact",
        {"spec.gates.artifactSize": "0Mi"},
        "spec.gates.artifactSize",
        "more than 0 bytes",
    ),
    Bad(
        "unknown profile",
        {"spec.gates.profile": "Lax"},
        "spec.gates.profile",
        '"Standard", "Strict"',
    ),
    Bad(
        "marginal as text",
        {"spec.gates.allowMarginal": "true"},
        "spec.gates.allowMarginal",
        "boolean",
    ),
    Bad("cpu 0", {f"{_LIMITS}.cpu": "0m"}, f"{_LIMITS}.cpu", "at least 1m"),
    Bad("cpu below 1m", {f"{_LIMITS}.cpu": "0.5m"}, f"{_LIMITS}.cpu", "at least 1m"),
    Bad("cpu in bytes", {f"{_LIMITS}.cpu": "1Gi"}, f"{_LIMITS}.cpu", "should match"),
    Bad("memory 0", {f"{_LIMITS}.memory": "0"}, f"{_LIMITS}.memory", "more than 0 bytes"),
    Bad("memory in milli", {f"{_LIMITS}.memory": "512m"}, f"{_LIMITS}.memory", "should match"),
    Bad("waves shrink", {_WAVES: waves(50, 25, 100)}, _WAVES, "waves must grow"),
    Bad("waves stay", {_WAVES: waves(50, 50, 100)}, _WAVES, "waves must grow"),
    Bad("waves end early", {_WAVES: waves(5, 25)}, _WAVES, "the last wave must be {percent: 100}"),
    Bad("no waves", {_WAVES: []}, _WAVES, "at least 1 items"),
    Bad("wave of 0", {_WAVES: waves(0, 100)}, f"{_WAVES}[0].percent", "greater than or equal to 1"),
    Bad("wave of 101", {_WAVES: waves(101)}, f"{_WAVES}[0].percent", "less than or equal to 100"),
    Bad("wave as text", {_WAVES: waves("5", 100)}, f"{_WAVES}[0].percent", "integer"),
    Bad("many waves", {_WAVES: waves(*range(1, 17), 100)}, _WAVES, "must have at most 16 items"),
    Bad("wave of nothing", {_WAVES: [{}, _ALL]}, f"{_WAVES}[0]", "either percent or nodeSelector"),
    Bad(
        "wave of both",
        {_WAVES: [{"percent": 5, **ring("site", "x")}, _ALL]},
        f"{_WAVES}[0]",
        "either percent or nodeSelector",
    ),
    Bad("ring at the end", {_WAVES: [_ALL, ring("a", "b")]}, _WAVES, "must be {percent: 100}"),
    Bad(
        "shares shrink around a ring",
        {_WAVES: [*waves(50), ring("a", "b"), *waves(25, 100)]},
        _WAVES,
        "greater than the one before",
    ),
    Bad(
        "ring by no label",
        {_WAVES: [ring("a/b/c", "x"), _ALL]},
        f"{_WAVES}[0].nodeSelector",
        "must be a valid label key",
    ),
    Bad(
        "ring by Skerry's labels",
        {_WAVES: [ring("skerry.node-restriction.kubernetes.io/shard", "3"), _ALL]},
        f"{_WAVES}[0].nodeSelector",
        "Skerry sets them itself",
    ),
    Bad(
        "empty ring",
        {_WAVES: [{"nodeSelector": {}}, _ALL]},
        f"{_WAVES}[0].nodeSelector",
        "at least 1",
    ),
    Bad(
        "unknown promotion",
        {"spec.rollout.promotion": "Never"},
        "spec.rollout.promotion",
        '"Automatic", "Manual"',
    ),
    Bad(
        "unknown standby",
        {"spec.rollout.standby": "Hot"},
        "spec.rollout.standby",
        '"Warm", "Cached", "None"',
    ),
    Bad("no pulls", {_PULLS: "0"}, _PULLS, "number of nodes from 1"),
    Bad("deadline of 0", {_DEADLINE: "0m"}, _DEADLINE, "longer than 0s"),
    Bad("suspend as text", {"spec.suspend": "yes"}, "spec.suspend", "boolean"),
    Bad("traffic shrinks", {_TRAFFIC: [50, 10]}, _TRAFFIC, "traffic must grow"),
    Bad("all traffic", {_TRAFFIC: [10, 100]}, f"{_TRAFFIC}[1]", "less than or equal to 99"),
    Bad("soak in words", {_SOAK: "10 minutes"}, _SOAK, "should match"),
    Bad("soak without unit", {_SOAK: "10"}, _SOAK, "should match"),
    Bad("soak of 0", {_SOAK: "0h0m0s"}, _SOAK, "longer than 0s"),
    Bad("few samples", {"spec.guard.minSamples": 5}, "spec.guard.minSamples", "or equal to 20"),
    Bad(
        "unknown guard metric",
        guard({"metric": "drift"}),
        "spec.guard.rules[0].metric",
        '"LatencyShift", "LatencyTail", "Errors", "Golden"',
    ),
    Bad(
        "guard metric twice",
        guard({"metric": "Golden"}, {"metric": "Golden"}),
        "spec.guard.rules[1]",
        "Duplicate value",
    ),
    Bad(
        "golden with tolerate",
        guard({"metric": "Golden", "tolerate": "1%"}),
        _TOLERATE,
        "Golden takes no tolerate",
    ),
    Bad(
        "latency in per cent",
        guard({"metric": "LatencyShift", "tolerate": "25%"}),
        _TOLERATE,
        'such as "1.25x"',
    ),
    Bad(
        "latency below stable's",
        guard({"metric": "LatencyTail", "tolerate": "0.9x"}),
        _TOLERATE,
        "1x or more",
    ),
    Bad("latency without tolerate", guard({"metric": "LatencyTail"}), _TOLERATE, "need a multiple"),
    Bad(
        "errors as a multiple",
        guard({"metric": "Errors", "tolerate": "2x"}),
        _TOLERATE,
        'such as "1%"',
    ),
    Bad("errors of 0", guard({"metric": "Errors", "tolerate": "0%"}), _TOLERATE, "above 0%"),
    Bad("errors of 100", guard({"metric": "Errors", "tolerate": "100%"}), _TOLERATE, "below 100%"),
    Bad("no guard", guard(), "spec.guard.rules", "at least 1"),
    Bad(
        "no degraded nodes",
        {"spec.guard.maxDegradedNodes": "0"},
        "spec.guard.maxDegradedNodes",
        "a number of nodes from 1",
    ),
    Bad(
        "too many degraded nodes",
        {"spec.guard.maxDegradedNodes": "101%"},
        "spec.guard.maxDegradedNodes",
        "1% to 100%",
    ),
    Bad("lost at once", {"spec.guard.lostAfter": "0s"}, "spec.guard.lostAfter", "longer than 0s"),
    Bad(
        "class name with dots",
        {"metadata.name": "arm.small"},
        "metadata.name",
        "it becomes a label of nodes and pods",
        HARDWARE_CLASS,
    ),
    Bad("class of all nodes", {_CLASS_NODES: {}}, _CLASS_NODES, "at least 1", HARDWARE_CLASS),
    Bad(
        "class by its own label",
        {_CLASS_NODES: {"skerry.node-restriction.kubernetes.io/hardware-class": "a"}},
        _CLASS_NODES,
        "Skerry sets them itself",
        HARDWARE_CLASS,
    ),
    Bad(
        "class by no label",
        {_CLASS_NODES: {"not a label": "a"}},
        _CLASS_NODES,
        "every key must be a valid label key",
        HARDWARE_CLASS,
    ),
    Bad(
        "unknown architecture",
        {"spec.architecture": "x86_64"},
        "spec.architecture",
        "amd64|arm64|arm",
        HARDWARE_CLASS,
    ),
    Bad(
        "revision's name",
        {"spec.stable.revision": "v1"},
        "spec.stable.revision",
        "should match",
        ROUTE,
    ),
    Bad("build key", {"spec.buildKey": "abc"}, "spec.buildKey", "should match", VARIANT),
    Bad(
        "node of no class",
        {"spec.hardwareClassName": None},
        "spec.hardwareClassName",
        "Required",
        NODE,
    ),
)
