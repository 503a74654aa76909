"""Which pods are a model's: those that its revision's DaemonSet made, whatever their labels say."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.api.common import ANNOTATION_PROTOCOL, LABEL_MODEL, LABEL_REVISION
from skerry.render.daemonsets import daemonset_name
from skerry_agent.gateway.state import Backend, GatewayState, Server
from skerry_agent.kubelet import Pod, Pods

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
    assert Pods([pod(owner())]).instances("assist", "intent").keys() == {A}


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
    assert Pods([thief]).instances("assist", "intent") == {}
    assert Pods([thief]).callers() == {"10.0.0.2": "assist"}, (
        "it may ask, as any pod of its namespace"
    )


def test_the_thief_does_not_stand_before_the_real_one() -> None:
    real = pod(owner(), name="real").model_copy(update={"address": "10.0.0.9"})
    for pods in ([real, pod(name="thief")], [pod(name="thief"), real]):
        assert Pods(pods).instances("assist", "intent")[A].address == "10.0.0.9"


def one(address: str, **fields: Any) -> Pod:
    return pod(owner()).model_copy(update={"address": address, **fields})


@pytest.mark.parametrize(
    ("other", "chosen"),
    [
        ({"leaving": True}, "first"),
        ({"ready": False}, "first"),
        ({"created": "2026-11-30T00:00:01Z"}, "other"),
        ({"created": "2026-11-29T23:59:59Z"}, "first"),
        ({"model": "another"}, "first"),
        ({"namespace": "another"}, "first"),
        ({"address": ""}, "first"),
    ],
)
def test_of_two_pods_of_a_revision(other: dict[str, Any], chosen: str) -> None:
    pods = [one("first"), one(**{"address": "other", **other})]
    for ordered in (pods, pods[::-1]):
        assert Pods(ordered).instances("assist", "intent")[A].address == chosen


def test_a_pod_without_an_address_of_its_own_names_no_caller() -> None:
    pods = [one("10.0.0.3"), one("10.0.0.4", own_network=False), one("10.0.0.5", leaving=True)]
    assert Pods(pods).callers() == {"10.0.0.3": "assist"}


def test_ports_by_name() -> None:
    found = pod(owner()).instance()
    assert found is not None
    assert (found.ports.http, found.ports.grpc, found.ports.golden) == (9999, None, None)


def probed(path: str, **annotations: str) -> Server:
    """Return the server of a pod that has a readiness probe."""
    probe = {"httpGet": {"path": path, "port": "http"}}
    found = Pod.of(
        {
            "metadata": {"namespace": "assist", "name": "p", "annotations": annotations},
            "spec": {"containers": [{"name": "golden"}, {"readinessProbe": probe}]},
            "status": {"podIP": "10.0.0.2"},
        }
    )
    instance = found.model_copy(update={"revision": A}).instance()
    assert instance is not None
    return instance.as_server(7)


def test_the_gateway_asks_what_the_pods_probe_asks_by_the_pods_protocol() -> None:
    server = probed("/health", **{ANNOTATION_PROTOCOL: "Verse"})
    assert (server.weight, server.check_path, server.protocol) == (7, "/health", "Verse")
    assert GatewayState({"assist.intent": Backend({A: server})}).checks() == {A: "/health"}
    usual = probed("/v2/health/ready")
    assert usual.protocol == "OpenInference"
    assert GatewayState({"assist.intent": Backend({A: usual})}).checks() == {}


@pytest.mark.parametrize("path", ["", "health", "/a b", "/a\nb", "/%[env(HOME)]", "/" + "a" * 300])
def test_a_path_that_could_be_more_than_a_path_is_not_taken(path: str) -> None:
    assert probed(path).check_path == "/v2/health/ready"
