"""The device's EdgeNode is deleted and made again, or its status lost: the next report says all again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from skerry.cluster.kinds import POD
from tests.device.test_device import CANDIDATE, STABLE, stable_serves
from tests.device.world import EDGE_NODE, NAMESPACE, eventually

if TYPE_CHECKING:
    from tests.device.world import Device

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}


def status(device: Device) -> dict[str, Any]:
    found: dict[str, Any] = device.api.get(EDGE_NODE, None, device.name).get("status", {})
    return found


def test_an_edge_node_that_is_made_again_has_the_whole_report(device: Device) -> None:
    stable_serves(device)
    device.api.delete(EDGE_NODE, {"metadata": {"name": device.name}})
    threading.Event().wait(2)  # a report in between meets a 404
    edge = {"metadata": {"name": device.name}, "spec": {"hardwareClassName": device.name}}
    device.api.apply(EDGE_NODE, edge, "test")
    eventually(lambda: device.report().get("healthy"), 15, f"reported again: {status(device)}")
    assert status(device)["agentVersion"]
    assert httpx.post(device.url, json=BODY).is_success


def test_a_status_that_is_lost_is_written_again(device: Device) -> None:
    stable_serves(device)
    eventually(lambda: status(device).get("agentVersion"), 15, "reported")
    node = device.api.get(EDGE_NODE, None, device.name)
    device.api.merge(EDGE_NODE, node, {"status": {"models": None, "agentVersion": None}}, "status")
    eventually(lambda: device.report().get("healthy"), 20, f"written again: {status(device)}")


def test_a_pod_with_the_labels_alone_gets_no_request(device: Device) -> None:
    stable_serves(device)
    labels = device.api.list(POD, device.name)[0]["metadata"]["labels"]
    # an owner of another kind, as the DaemonSet's controller would adopt one without
    space = device.api.get(NAMESPACE, None, device.name)["metadata"]
    owner = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "name": space["name"],
        "uid": space["uid"],
        "controller": True,
    }
    metadata = {"name": "thief", "namespace": device.name}
    spec = {
        "nodeName": device.name,
        "containers": [{"name": "runtime", "image": "none"}],
        "automountServiceAccountToken": False,
    }
    about = {**metadata, "labels": labels, "ownerReferences": [owner]}
    device.api.apply(POD, {"metadata": about, "spec": spec}, "test")
    status = {
        "phase": "Running",
        "podIP": "127.0.0.9",
        "podIPs": [{"ip": "127.0.0.9"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    device.api.merge(POD, {"metadata": metadata}, {"status": status}, "status")
    threading.Event().wait(3)
    for _ in range(20):
        answer = httpx.post(device.url, json=BODY)
        assert answer.is_success, answer.text
    assert device.report()["serving"] == STABLE


def test_a_model_that_is_made_again_while_the_device_is_cut_off_has_no_past(device: Device) -> None:
    stable_serves(device)
    device.route(stable={"revision": STABLE}, edgeModelUID="one")
    device.serve(CANDIDATE)
    trial = {"revision": CANDIDATE, "attempt": 0, "traffic": [50], "soakSeconds": 6}
    device.mode(CANDIDATE, "wrong")
    device.route(stable={"revision": STABLE}, candidate=trial, edgeModelUID="one")
    eventually(lambda: device.state() == "Failed", 40, f"Failed: {device.report()}")
    assert device.report()["edgeModelUID"] == "one"
    device.mode(CANDIDATE, "good")
    device.forward.cut()
    device.route(stable={"revision": STABLE}, candidate=trial, edgeModelUID="two")
    threading.Event().wait(1)
    device.forward.mend()
    eventually(lambda: device.state() == "Passed", 90, f"Passed: {device.report()}")
    assert device.report()["edgeModelUID"] == "two"
    assert not device.report().get("vetoes")
