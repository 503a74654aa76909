"""The five kinds on the real API server: defaults, status, columns, merging, immutability, sizes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from skerry.api import KINDS, EdgeModel, EdgeNode, HardwareClass, ModelRoute
from skerry.api.common import OWN_LABELS
from skerry.api.crd import open_api_schema
from skerry.api.edgenode import EdgeNodeStatus
from skerry_agent.trial.node_status import most_urgent
from tests.cluster.conftest import ROOT
from tests.cluster.fullest import fullest
from tests.cluster.manifests import (
    API_VERSION,
    BAD,
    HARDWARE_CLASS,
    MINIMAL,
    NODE,
    ROUTE,
    SOURCES,
    VARIANT,
    Bad,
    Manifest,
    changed,
)

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.api.common import Resource
    from tests.cluster.conftest import Kubectl

pytestmark = pytest.mark.cluster

EXAMPLES = sorted(
    path
    for path in (ROOT / "examples").glob("*/*.yaml")
    if any(
        "skerry.dev/" in str(part.get("apiVersion"))
        for part in yaml.safe_load_all(path.read_text())
    )
)
ROUTE_BYTES = 2048
UNSEEN = {"observedGeneration": -1}
"""The status that nobody has written yet; a route has none at all."""
BASES = {base["kind"]: base for base in (MINIMAL, HARDWARE_CLASS, VARIANT, ROUTE, NODE)}


def test_there_are_examples() -> None:
    assert {path.parent.name for path in EXAMPLES} >= {"minilm", "sources", "tiny"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_apply(kubectl: Kubectl, path: Path) -> None:
    kubectl("apply", "--server-side", "--validate=strict", f"--filename={path}")
    for manifest in yaml.safe_load_all(path.read_text()):
        kind = next(k for k in KINDS if k.__name__ == manifest["kind"])
        stored = kubectl.get(kind.info.plural, manifest["metadata"]["name"])
        assert kind.model_validate(stored).metadata.uid


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_manifests_are_refused(kubectl: Kubectl, bad: Bad) -> None:
    message = kubectl.refused("create", "--dry-run=server", "--filename=-", stdin=bad.manifest())
    assert f"{bad.where}: " in message or bad.where == "metadata.name"
    assert bad.says in message


@pytest.mark.parametrize("base", BASES.values(), ids=BASES.keys())
def test_defaults_are_those_of_the_models(kubectl: Kubectl, base: Manifest) -> None:
    kind = next(k for k in KINDS if k.__name__ == base["kind"])
    created = json.loads(
        kubectl("create", "--dry-run=server", "--output=json", "--filename=-", stdin=base)
    )
    assert created["spec"] == kind.model_validate(base).to_wire()["spec"]
    assert created.get("status", UNSEEN) == UNSEEN


def test_a_part_that_is_given_keeps_the_other_defaults(kubectl: Kubectl) -> None:
    given = changed(MINIMAL, {"spec.rollout": {"soak": None, "traffic": [5]}})
    text = json.dumps(given).replace('"traffic"', '"soak": null, "traffic"')
    created = json.loads(
        kubectl("create", "--dry-run=server", "--output=json", "--filename=-", stdin=text)
    )
    rollout = created["spec"]["rollout"]
    assert rollout["traffic"] == [5]
    assert rollout["soak"] == "10m"
    assert rollout["waves"][-1] == {"percent": 100}


def test_unknown_fields_are_reported(kubectl: Kubectl) -> None:
    typo = changed(MINIMAL, {"spec.rollout": {"waevs": []}})
    message = kubectl.refused("create", "--dry-run=server", "--filename=-", stdin=typo)
    assert 'unknown field "spec.rollout.waevs"' in message


def test_status_is_a_subresource(kubectl: Kubectl) -> None:
    created = kubectl.apply(changed(MINIMAL, {"metadata.name": "sub", "status.phase": "Serving"}))
    assert created["status"] == UNSEEN
    patch = json.dumps({"spec": {"targets": []}, "status": {"phase": "Serving"}})
    kubectl("patch", "em", "sub", "--subresource=status", "--type=merge", f"--patch={patch}")
    after = kubectl.get("em", "sub")
    assert after["status"] == {**UNSEEN, "phase": "Serving"}
    assert after["spec"] == created["spec"]
    assert after["metadata"]["generation"] == 1


def test_columns(kubectl: Kubectl) -> None:
    kubectl.apply(changed(MINIMAL, {"metadata.name": "columns"}))
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "GatesNotMet",
        "message": "quality 0.91 misses 0.95",
        "lastTransitionTime": "2026-11-23T12:00:00Z",
    }
    status = {"phase": "Failed", "conditions": [condition]}
    patch = json.dumps({"status": status})
    kubectl("patch", "em", "columns", "--subresource=status", "--type=merge", f"--patch={patch}")
    header, row = kubectl("get", "em", "columns").splitlines()
    assert header.split() == ["NAME", "PHASE", "READY", "REASON", "UPDATED", "AGE"]
    assert row.split()[:4] == ["columns", "Failed", "False", "GatesNotMet"]
    assert "quality 0.91 misses 0.95" in kubectl("get", "em", "columns", "--output=wide")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_short_names_and_explanations(kubectl: Kubectl, kind: type[Resource]) -> None:
    kubectl("get", kind.info.short)
    assert (kind.__doc__ or "").split(".")[0][:40] in kubectl("explain", kind.info.short)
    assert kind.info.plural in kubectl("api-resources", "--categories=skerry")


def test_two_writers_share_the_targets(kubectl: Kubectl) -> None:
    first = changed(MINIMAL, {"metadata.name": "shared"})
    kubectl.apply(first, "--field-manager=team-a")
    other = {"hardwareClassName": "arm-small", "engine": "ONNXRuntime"}
    second = changed(first, {"spec": {"targets": [other]}})
    merged = kubectl.apply(second, "--field-manager=team-b")
    assert [target["hardwareClassName"] for target in merged["spec"]["targets"]] == [
        "x86-vnni",
        "arm-small",
    ]
    replaced = changed(first, {"spec.targets": [{"hardwareClassName": "x86-avx"}]})
    alone = kubectl.apply(replaced, "--field-manager=team-a")
    classes = {target["hardwareClassName"] for target in alone["spec"]["targets"]}
    assert classes == {"x86-avx", "arm-small"}


def test_a_node_s_models_are_merged_by_namespace_and_name(kubectl: Kubectl) -> None:
    name = "device-merge"
    kubectl.apply(changed(NODE, {"metadata.name": name}))
    shell = {"apiVersion": NODE["apiVersion"], "kind": "EdgeNode", "metadata": {"name": name}}
    for manager, namespace in (("agent", "assist"), ("agent-of-another", "vision")):
        model = {"namespace": namespace, "name": "intent", "healthy": True}
        kubectl.apply(
            shell | {"status": {"models": [model]}},
            "--subresource=status",
            f"--field-manager={manager}",
        )
    found = kubectl.get("en", name)["status"]["models"]
    assert [model["namespace"] for model in found] == ["assist", "vision"]
    kubectl("delete", "en", name)


def test_a_variant_is_immutable(kubectl: Kubectl) -> None:
    kubectl.apply(VARIANT)
    message = kubectl.refused(
        "patch",
        "mv",
        VARIANT["metadata"]["name"],
        "--type=merge",
        '--patch={"spec":{"maxRecipes":9}}',
    )
    assert "spec can't be changed" in message


def test_a_route_keeps_its_model_and_class(kubectl: Kubectl) -> None:
    kubectl.apply(ROUTE)
    name = ROUTE["metadata"]["name"]
    message = kubectl.refused(
        "patch", "mr", name, "--type=merge", '--patch={"spec":{"hardwareClassName":"other"}}'
    )
    assert "a route belongs to one model and one class" in message
    kubectl("patch", "mr", name, "--type=merge", '--patch={"spec":{"stable":null}}')
    assert "stable" not in kubectl.get("mr", name)["spec"]


@pytest.mark.parametrize("kind", [k for k in KINDS if k.info.has_status], ids=lambda k: k.__name__)
def test_the_fullest_status_is_accepted(kubectl: Kubectl, kind: type[Resource]) -> None:
    base = changed(BASES[kind.__name__], {"metadata.name": "fullest"})
    kubectl.apply(base)
    written = fullest(open_api_schema(kind)["properties"]["status"])
    if kind is EdgeNode:  # the agent leaves models out before the object gets too large
        kept = most_urgent(EdgeNodeStatus.model_validate(written).models)
        written["models"] = [model.to_wire() for model in kept]
    status = kind.model_validate(base | {"status": written}).to_wire()["status"]
    shell = {key: base[key] for key in ("apiVersion", "kind", "metadata")}
    stored = kubectl.apply(shell | {"status": status}, "--subresource=status")
    assert stored["status"].keys() == status.keys()
    kubectl("delete", kind.info.plural, "fullest")


def test_the_emptiest_status_is_accepted(kubectl: Kubectl) -> None:
    for kind in (EdgeModel, HardwareClass):
        base = changed(BASES[kind.__name__], {"metadata.name": "emptiest"})
        kubectl.apply(base)
        status = kind.model_validate(base).to_wire()["status"]
        shell = {key: base[key] for key in ("apiVersion", "kind", "metadata")}
        assert kubectl.apply(shell | {"status": status}, "--subresource=status")["status"] == status
        kubectl("delete", kind.info.plural, "emptiest")


def worst_route() -> Manifest:
    """Return a route with every role taken, all guard rules and a long reason for a rollback."""
    revision = {"revision": "0123456789", "attempt": 12}
    at = "2026-11-23T12:34:56.123456Z"
    halted = revision | {
        "rule": "LatencyShift",
        "nodeName": "x" * 63,
        "message": "m" * 256,
        "rollbackTime": at,
    }
    spec: dict[str, Any] = {
        "edgeModelName": "m" * 40,
        "edgeModelUID": "01234567-89ab-cdef-0123-456789abcdef",
        "hardwareClassName": "c" * 24,
        "stable": revision,
        "candidate": revision | {"traffic": [5, 10, 20, 30, 50, 70, 80, 90], "soakSeconds": 86400},
        "previous": revision | {"expirationTime": at},
        "guard": {
            "minSamples": 10000,
            "rules": EdgeModel.model_validate(MINIMAL).to_wire()["spec"]["guard"]["rules"],
        },
        "halted": halted,
    }
    route = changed(ROUTE, {"metadata.name": f"{'m' * 40}-{'c' * 24}"})
    route["metadata"]["labels"] = {
        **OWN_LABELS,
        "skerry.dev/model": "m" * 40,
        "skerry.dev/hardware-class": "c" * 24,
    }
    owner: Manifest = {"apiVersion": API_VERSION, "kind": "EdgeModel", "name": "m" * 40}
    owner |= {"uid": "01234567-89ab-cdef-0123-456789abcdef", "controller": True}
    route["metadata"]["ownerReferences"] = [owner]
    return ModelRoute.model_validate(route | {"spec": spec}).to_wire() | {
        "metadata": route["metadata"]
    }


def test_a_route_stays_small(kubectl: Kubectl) -> None:
    stored = kubectl.apply(
        worst_route(), "--field-manager=skerry-operator", "--show-managed-fields"
    )
    managed = stored["metadata"].pop("managedFields")
    object_bytes, wire_bytes = (
        len(json.dumps(part, separators=(",", ":"))) for part in (stored, managed)
    )
    assert object_bytes < ROUTE_BYTES, f"{object_bytes} bytes, and {wire_bytes} of managedFields"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source["uri"])
def test_every_form_of_a_source_is_taken(kubectl: Kubectl, source: Manifest) -> None:
    manifest = changed(MINIMAL, {"spec.source": source, "spec.evaluation.dataset": source})
    created = json.loads(
        kubectl("create", "--dry-run=server", "--output=json", "--filename=-", stdin=manifest)
    )
    assert created["spec"] == EdgeModel.model_validate(manifest).to_wire()["spec"]
