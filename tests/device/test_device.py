"""The agent's promises on one device, seen from its clients."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest

from tests.device.load import Load
from tests.device.world import GATEWAY_PORT, MODEL, eventually

if TYPE_CHECKING:
    from tests.device.world import Device

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

STABLE, CANDIDATE = "aaaaaaaaaa", "bbbbbbbbbb"
TRIAL = {"revision": CANDIDATE, "attempt": 0, "traffic": [10, 50], "soakSeconds": 6}
WAY_BACK = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def stable_serves(device: Device) -> None:
    """Check that a device serves one good revision, past its first rollout."""
    device.serve(STABLE)
    device.route(stable={"revision": STABLE})
    eventually(lambda: device.report().get("healthy"), 15, "stable is reported healthy")
    eventually(lambda: httpx.post(device.url, json=BODY).is_success, 10, "stable answers")


BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}


def try_candidate(device: Device, until: str, seconds: float = 40, **changes: object) -> None:
    """Serve the candidate and bring its trial to a state."""
    if CANDIDATE not in device.addresses:
        device.serve(CANDIDATE)
    device.route(stable={"revision": STABLE}, candidate={**TRIAL, **changes})
    eventually(lambda: device.state() == until, seconds, f"{until}: {device.report()}")


def flipped(device: Device) -> float:
    """Return when the agent had sent the traffic back, in seconds since the epoch."""
    events = eventually(lambda: device.events("flipped"), 30, "flipped")
    return datetime.fromisoformat(events[-1]["at"]).timestamp()


def test_ways_to_a_model(device: Device) -> None:
    stable_serves(device)
    base = f"http://127.0.0.1:{GATEWAY_PORT}"
    path = f"/v2/models/{MODEL}/infer"
    for host in (f"{MODEL}.{device.name}", f"{MODEL}.{device.name}.svc.cluster.local:80"):
        answer = httpx.post(base + path, json=BODY, headers={"Host": host})
        assert answer.json()["outputs"][0]["data"] == [2.0]
        assert answer.headers["X-Skerry-Revision"] == STABLE
        assert answer.headers["X-Skerry-Node"] == device.name
    bare = httpx.post(base + path, json=BODY, headers={"Host": MODEL})
    assert bare.status_code == httpx.codes.BAD_REQUEST
    assert "NAMESPACE" in bare.json()["error"]
    unknown = httpx.post(base + path, json=BODY, headers={"Host": f"other.{device.name}.svc"})
    assert unknown.status_code == httpx.codes.NOT_FOUND
    assert f"{MODEL}.{device.name}" in unknown.json()["error"]
    slip = httpx.post(f"{base}/{device.name}/itent{path}", json=BODY)
    assert slip.status_code == httpx.codes.NOT_FOUND
    assert f'"/{device.name}/itent{path}" has no prefix' in slip.json()["error"]
    assert f"Served here: {MODEL}.{device.name}" in slip.json()["error"]
    with grpc.insecure_channel(f"127.0.0.1:{GATEWAY_PORT}") as channel:
        ready = channel.unary_unary("/inference.GRPCInferenceService/ModelReady")
        with pytest.raises(grpc.RpcError, match=r'"127.0.0.1:\d+" names no EdgeModel on its own'):
            ready(b"", timeout=10)
    # a caller whose pod is known needs no namespace: the pod of stable calls
    transport = httpx.HTTPTransport(local_address=device.addresses[STABLE])
    with httpx.Client(transport=transport) as pod:
        answer = pod.post(base + path, json=BODY, headers={"Host": MODEL})
        assert answer.is_success, answer.text


def test_good_candidate_passes_and_is_promoted_without_a_lost_request(device: Device) -> None:
    stable_serves(device)
    with Load(device.url) as load:
        try_candidate(device, "Passed")
        half = load.shares(time.time() - 2)
        assert 0.3 < half[CANDIDATE] / half.total() < 0.7
        device.route(
            stable={"revision": CANDIDATE},
            previous={"revision": STABLE, "expirationTime": WAY_BACK},
        )
        eventually(lambda: device.report().get("stable") == CANDIDATE, 10, "promoted")
        moment = time.time()
        threading.Event().wait(1)
        assert set(load.shares(moment)) == {CANDIDATE}
        bad = device.mode(CANDIDATE, "wrong")
        eventually(lambda: device.report().get("serving") == STABLE, 40, "back to previous")
    assert load.lost() == []
    assert device.report()["candidate"]["verdict"]["rule"] == "Golden"
    assert flipped(device) > bad


@pytest.mark.parametrize(
    ("mode", "rules"), [("error", {"Errors"}), ("slow", {"LatencyShift", "LatencyTail"})]
)
def test_a_bad_candidate_is_rolled_back_and_stays_so(
    device: Device, mode: str, rules: set[str]
) -> None:
    stable_serves(device)
    with Load(device.url) as load:
        try_candidate(device, "Soaking", soakSeconds=60)
        bad = device.mode(CANDIDATE, mode)
        eventually(lambda: device.state() == "Failed", 30, f"Failed: {device.report()}")
        back = flipped(device)
        moment = time.time()
        device.route(stable={"revision": STABLE}, candidate={**TRIAL, "soakSeconds": 30})
        threading.Event().wait(3)
        assert set(load.shares(moment)) == {STABLE}, "the veto sticks to this attempt"
        device.mode(CANDIDATE, "good")
        try_candidate(device, "Passed", attempt=1)
    assert device.report()["vetoes"][0]["rule"] in rules
    verdict = next(e for e in device.events("verdict"))
    said = datetime.fromisoformat(verdict["at"]).timestamp()
    sys.stderr.write(
        f"{mode}: found after {said - bad:.2f} s, flipped {1000 * (back - said):.1f} ms later\n"
    )
    assert back - said < 0.25
    assert load.lost() == [], "what the candidate spoils is tried again on stable"


def test_a_crash_of_the_candidate_loses_nothing(device: Device) -> None:
    stable_serves(device)
    with Load(device.url) as load:
        try_candidate(device, "Soaking", soakSeconds=60)
        device.stop(CANDIDATE, kill=True)
        eventually(lambda: device.state() in {"Failed", "Waiting"}, 15, "Failed or Waiting")
        threading.Event().wait(1)
    assert load.lost() == []
    assert set(load.shares(time.time() - 1)) <= {STABLE}


def test_a_candidate_that_is_far_too_slow_gets_no_traffic(device: Device) -> None:
    stable_serves(device)
    device.serve(CANDIDATE, milliseconds=150)
    with Load(device.url) as load:
        try_candidate(device, "Failed", seconds=90)
    assert set(load.shares(0)) == {STABLE}
    assert "smoke check" in device.report()["candidate"]["verdict"]["message"]


def test_first_rollout_that_fails_says_why(device: Device) -> None:
    device.serve(CANDIDATE)
    device.route(candidate=TRIAL)
    eventually(lambda: device.state() == "Soaking", 20, "Soaking")
    with Load(device.url):
        device.mode(CANDIDATE, "error")
        eventually(lambda: device.state() == "Failed", 20, "Failed")
    answer = httpx.post(device.url, json=BODY)
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert "failed here (Errors) and there is no stable revision yet" in answer.json()["error"]


def test_a_pod_answers_as_soon_as_its_server_does(device: Device) -> None:
    """The kubelet never calls it ready, and is not waited for."""
    device.pod(CANDIDATE, ready=False)
    device.route(candidate=TRIAL)
    eventually(lambda: device.state() == "Waiting", 20, "Waiting")
    refused = "no pod of its revisions answers on this node"
    eventually(lambda: refused in httpx.post(device.url, json=BODY).text, 10, refused)
    threading.Event().wait(3)
    states = [event["state"] for event in device.events("state")]
    assert states == ["Waiting"], (
        "a server that no check has reached yet is not taken for one that answers"
    )
    device.start_server(CANDIDATE)
    served = time.time()
    eventually(lambda: httpx.post(device.url, json=BODY).is_success, 10, "answers")
    sys.stderr.write(f"answered {time.time() - served:.2f} s after its server was up\n")
    states = [event["state"] for event in device.events("state")]
    assert states == ["Waiting", "SmokeCheck", "Soaking"]
    with Load(device.url) as load:
        device.stop("agent", kill=True)
        device.start_agent()
        eventually(
            lambda: len(device.events("reported")) > len(states), 15, "the new agent reports"
        )
        threading.Event().wait(2)
    assert load.lost() == []
    states = [event["state"] for event in device.events("state")]
    assert "Waiting" not in states[3:], "an agent that begins reads what the gateway knows"


def test_a_pod_that_is_replaced_gets_no_traffic_before_its_server_answers(device: Device) -> None:
    """What the check said of the address before says nothing of the new one."""
    stable_serves(device)
    device.stop(STABLE, kill=True)
    del device.addresses[STABLE]  # the new pod has another
    device.pod(STABLE, ready=False)
    eventually(lambda: not device.report()["healthy"], 15, "reported as not healthy")
    assert "no pod" in httpx.post(device.url, json=BODY).json()["error"]
    device.start_server(STABLE)
    eventually(lambda: httpx.post(device.url, json=BODY).is_success, 10, "answers again")


def test_idle_device_passes_by_its_golden_samples(device: Device) -> None:
    stable_serves(device)
    try_candidate(device, "Passed", seconds=120, soakSeconds=3, traffic=[50])


def test_agent_and_gateway_restart_without_a_trace_in_the_traffic(device: Device) -> None:
    stable_serves(device)
    with Load(device.url) as load:
        try_candidate(device, "Soaking", soakSeconds=60)
        device.stop("agent", kill=True)
        moment = time.time()
        threading.Event().wait(2)
        assert load.shares(moment).keys() == {STABLE, CANDIDATE}
        device.forward.cut()
        device.start_agent()
        device.mode(CANDIDATE, "error")
        flipped(device)  # without the API server, after its own restart
        assert load.lost() == []
        device.forward.mend()
        eventually(lambda: device.state() == "Failed", 20, "reported once it is back")
    device.stop("agent", kill=True)
    device.stop("gateway-1")
    device.start_gateway()
    with Load(device.url) as after:
        threading.Event().wait(1)
    assert set(after.shares(0)) == {STABLE}, "the file holds the last state"
    assert after.lost() == []


def test_stable_that_goes_leaves_the_traffic_to_the_candidate(device: Device) -> None:
    stable_serves(device)
    with Load(device.url) as load:
        try_candidate(device, "Soaking", soakSeconds=60)
        device.stop(STABLE, kill=True)
        eventually(lambda: "NoFallback" in device.report().get("message", ""), 10, "NoFallback")
        moment = time.time()
        threading.Event().wait(1)
    assert set(load.shares(moment)) == {CANDIDATE}
    assert load.lost() == []
