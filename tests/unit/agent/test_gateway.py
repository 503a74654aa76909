"""The gateway's configuration, its log and its commands, without a gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.decide.guard import Answer
from skerry_agent.gateway.config import render
from skerry_agent.gateway.driver import changed_weights, converge
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.requests import parse
from skerry_agent.gateway.socket import LiveServer
from skerry_agent.gateway.state import Backend, GatewayState, Server

ROOT = Path(__file__).parents[3]
KEY, A, B = "assist.intent", "aaaaaaaaaa", "bbbbbbbbbb"
BOTH = {KEY: {A: 90, B: 10}}


def state(a: int, b: int) -> GatewayState:
    return GatewayState({KEY: Backend({A: Server("10.0.0.1", a), B: Server("10.0.0.2", b)})})


def test_image_starts_with_the_agents_own_configuration() -> None:
    expected = render(GatewayState(), GatewayPaths(Path("/var/lib/skerry")))
    assert (ROOT / "images/gateway/haproxy.cfg").read_text() == expected


@pytest.mark.parametrize(
    ("line", "heard"),
    [
        (f"{KEY} {B} 200 -- 0 1000000 1500000 1600000 - -", [(B, False)]),
        (f"{KEY} {B} 404 -- 0 1000000 1500000 1600000 - -", []),
        (f"{KEY} {B} 500 -- 0 1000000 1500000 1600000 - -", [(B, True)]),
        (f"{KEY} {B} 504 sH 0 1000000 - 1600000 - -", [(B, True)]),
        (f"{KEY} {B} 200 SD 0 1000000 1500000 1600000 - -", [(B, True)]),
        (f"{KEY} {B} 200 CD 0 1000000 1500000 1600000 - -", []),
        (f"{KEY} {B} -1 CH 0 1000000 - 1600000 - -", []),
        (f"{KEY} {A} 200 -- +1 1000000 1500000 1600000 - -", [(B, True)]),
        (f"{KEY} {A} 502 SH +1 1000000 - 1600000 - -", [(B, True), (A, True)]),
        (f"{KEY} {B} 200 -- 0 1000000 1500000 1600000 13 -", [(B, True)]),
        (f"{KEY} {B} 200 -- 0 1000000 1500000 1600000 3 -", []),
        (f"{KEY}:grpc {B} 200 -- 0 1000000 1500000 1600000 14 -", [(B, True)]),
        (f"{KEY}:grpc {B} 200 -- 0 1000000 1500000 1600000 0 -", [(B, False)]),
        (f"{KEY}:grpc {B} 200 -- 0 1000000 1500000 9900000 - stream", []),
        (f"{KEY}:grpc {B} 200 SD 0 1000000 1500000 9900000 - stream", [(B, True)]),
        (f"{KEY} <NOSRV> 503 SC 0 1000000 - 1600000 - -", []),
    ],
)
def test_log_lines(line: str, heard: list[tuple[str, bool]]) -> None:
    assert [(revision, answer.failed) for _, revision, answer in parse(line, BOTH)] == heard


def test_times_are_the_servers() -> None:
    assert parse(f"{KEY} {B} 200 -- 0 1000000 1500000 9600000 - -", BOTH)[0][2] == Answer(1.0, 1.5)


def test_what_grows_goes_first() -> None:
    commands = changed_weights(state(10, 90), state(100, 0))
    assert commands == [f"set server {KEY}/{A} weight 100", f"set server {KEY}/{B} weight 0"]


def test_running_gateway_is_brought_to_the_state() -> None:
    live = {
        KEY: {A: LiveServer("MAINT", 50, "10.0.0.9:8080"), "cccccccccc": LiveServer("UP", 0, "x:1")}
    }
    commands = converge(live, state(50, 50))
    assert f"set server {KEY}/{A} addr 10.0.0.1 port 8080" in commands
    assert f"set server {KEY}/{A} state ready" in commands
    assert f"enable server {KEY}/{B}" in commands
    assert f"del server {KEY}/cccccccccc" in commands
    settled = {
        KEY: {A: LiveServer("UP", 50, "10.0.0.1:8080"), B: LiveServer("DOWN", 50, "10.0.0.2:8080")}
    }
    assert converge(settled, state(50, 50)) == []
