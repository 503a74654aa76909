"""Which pods are a model's: those that its revision's DaemonSet made, whatever their labels say."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.api.common import ANNOTATION_PROTOCOL, LABEL_MODEL, LABEL_REVISION
from skerry.render.daemonsets import daemonset_name
from skerry_agent.gateway.state import Backend, GatewayState
from skerry_agent.pods import Pod, callers, of_model

A, B = "aaaaaaaaaa", "bbbbbbbbbb"


def owner(**changes: Any) -> dict[str, Any]:
    found = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "name": daemonset_name("intent", A),
        "uid": "u",
        "controller": True,
    }
    return {**found, **changes}


def pod(*owners: dict[str, Any], name: str = "p", revision: str = A) -> Pod:
    return Pod.of(
        {
            "metadata": {
                "namespace": "assist",
                "name": name,
                "labels": {LABEL_MODEL: "intent", LABEL_REVISION: revision},
                "ownerReferences": list(owners),
                "creationTimestamp": "2026-11-30T00:00:00Z",
            },
            "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 9999}]}]},
            "status": {"podIP": "10.0.0.2", "conditions": [{"type": "Ready", "status": "True"}]},
        }
    )


def test_a_pod_of_its_daemonset_serves() -> None:
    assert of_model([pod(owner())], "assist", "intent").keys() == {A}


@pytest.mark.parametrize(
    "owners",
    [
        [],
        [owner(kind="ReplicaSet")],
        [owner(apiVersion="example.dev/v1")],
        [owner(controller=False)],
        [owner(name=daemonset_name("intent", B))],
        [owner(name=daemonset_name("other", A))],
        [owner(name="intent")],
    ],
)
def test_a_pod_with_the_labels_alone_gets_no_request(owners: list[dict[str, Any]]) -> None:
    thief = pod(*owners)
    assert of_model([thief], "assist", "intent") == {}
    assert callers([thief]) == {"10.0.0.2": "assist"}, "it may ask, as any pod of its namespace"


def test_the_thief_does_not_stand_before_the_real_one() -> None:
    found = of_model([pod(owner(), name="real"), pod(name="thief")], "assist", "intent")
    assert found[A].name == "real"


def probed(path: str, **annotations: str) -> Pod:
    """A pod whose server has a probe of readiness."""
    probe = {"httpGet": {"path": path, "port": "http"}}
    return Pod.of(
        {
            "metadata": {"namespace": "assist", "name": "p", "annotations": annotations},
            "spec": {"containers": [{"name": "golden"}, {"readinessProbe": probe}]},
            "status": {"podIP": "10.0.0.2"},
        }
    )


def test_the_gateway_asks_what_the_pods_probe_asks_by_the_pods_protocol() -> None:
    server = probed("/health", **{ANNOTATION_PROTOCOL: "Verse"}).as_server(7)
    assert (server.weight, server.check_path, server.protocol) == (7, "/health", "Verse")
    assert GatewayState({"assist.intent": Backend({A: server})}).checks() == {A: "/health"}
    usual = probed("/v2/health/ready").as_server(7)
    assert usual.protocol == "OpenInference"
    assert GatewayState({"assist.intent": Backend({A: usual})}).checks() == {}


@pytest.mark.parametrize("path", ["", "health", "/a b", "/a\nb", "/%[env(HOME)]", "/" + "a" * 300])
def test_a_path_that_could_be_more_than_a_path_is_not_taken(path: str) -> None:
    assert probed(path).as_server(0).check_path == "/v2/health/ready"
