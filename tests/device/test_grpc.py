"""The agent's promises to gRPC clients: a server with a port of its own for it, behind the same gateway."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest

from tests.device.load import BODY, GrpcLoad, Load
from tests.device.test_device import CANDIDATE, STABLE, TRIAL, WAY_BACK, flipped
from tests.device.world import GATEWAY_PORT, MODEL, eventually

if TYPE_CHECKING:
    from tests.device.world import Device

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def grpc_load(device: Device) -> GrpcLoad:
    authority = f"{MODEL}.{device.name}.svc"
    return GrpcLoad(f"127.0.0.1:{GATEWAY_PORT}", authority=authority)


def stable_serves(device: Device) -> None:
    device.serve(STABLE, grpc=True)
    device.route(stable={"revision": STABLE})
    eventually(lambda: device.report().get("healthy"), 60, "stable is reported healthy")
    with grpc_load(device) as load:
        eventually(lambda: load.answers and load.answers[-1].status == 200, 30, "gRPC answers")


def test_promotion_loses_no_call(device: Device) -> None:
    stable_serves(device)
    device.serve(CANDIDATE, grpc=True)
    with grpc_load(device) as load:
        device.route(stable={"revision": STABLE}, candidate=TRIAL)
        eventually(lambda: device.state() == "Passed", 60, f"Passed: {device.report()}")
        half = load.shares(time.time() - 2)
        assert 0.3 < half[CANDIDATE] / half.total() < 0.7, "one connection, each call on its own"
        device.route(
            stable={"revision": CANDIDATE},
            previous={"revision": STABLE, "expirationTime": WAY_BACK},
        )
        eventually(lambda: device.report().get("stable") == CANDIDATE, 10, "promoted")
        moment = time.time()
        threading.Event().wait(1)
        assert set(load.shares(moment)) == {CANDIDATE}
    assert load.lost() == []


def test_a_candidate_whose_calls_fail_is_rolled_back(device: Device) -> None:
    stable_serves(device)
    device.serve(CANDIDATE, grpc=True)
    with grpc_load(device) as load:
        device.route(stable={"revision": STABLE}, candidate={**TRIAL, "soakSeconds": 60})
        eventually(lambda: device.state() == "Soaking", 40, f"Soaking: {device.report()}")
        device.mode(CANDIDATE, "error")
        eventually(lambda: device.state() == "Failed", 30, f"Failed: {device.report()}")
        back = flipped(device)
        threading.Event().wait(1)
    assert device.report()["candidate"]["verdict"]["rule"] in {"Errors", "Golden"}
    spoilt = load.lost()
    assert spoilt
    assert {(one.status, one.revision) for one in spoilt} == {
        (grpc.StatusCode.INTERNAL.value[0], CANDIDATE)
    }
    assert all(one.at < back + 0.5 for one in spoilt)
    assert {one.revision for one in load.since(back + 0.5)} == {STABLE}


def test_a_model_that_comes_and_goes_leaves_the_others_alone(device: Device) -> None:
    stable_serves(device)
    other = f"http://127.0.0.1:{GATEWAY_PORT}/{device.name}/second/v2/models/second/infer"
    with Load(device.url) as rest, grpc_load(device) as calls:
        device.serve("cccccccccc", model="second")
        device.route(model="second", stable={"revision": "cccccccccc"})
        eventually(lambda: httpx.post(other, json=BODY).is_success, 30, "the second answers")
        assert httpx.post(other, json=BODY).headers["X-Skerry-Revision"] == "cccccccccc"
        device.withdraw("second")
        eventually(lambda: httpx.post(other, json=BODY).status_code == 404, 30, "it is gone")
        moment = time.time()
        threading.Event().wait(1)
    for load in (rest, calls):
        assert load.lost() == []
        assert set(load.shares(moment)) == {STABLE}
