"""The gateway's configuration, its log and its commands, without a gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.judging.guard import Answer
from skerry_agent.gateway.config import render
from skerry_agent.gateway.driver import changed_weights, converge, seen_up
from skerry_agent.gateway.paths import GatewayPaths
from skerry_agent.gateway.requests import Requests, parse
from skerry_agent.gateway.socket import LiveServer
from skerry_agent.gateway.state import Backend, GatewayState, Server
from skerry_agent.golden import Target
from skerry_agent.metrics import FAULTS

ROOT = Path(__file__).parents[3]
KEY, A, B = "assist.intent", "aaaaaaaaaa", "bbbbbbbbbb"
BOTH = {KEY: {A: Server("10.0.0.1", 90), B: Server("10.0.0.2", 10)}}


def state(a: int, b: int) -> GatewayState:
    return GatewayState({KEY: Backend({A: Server("10.0.0.1", a), B: Server("10.0.0.2", b)})})


def test_image_starts_with_the_agents_own_configuration() -> None:
    expected = render(GatewayState(), GatewayPaths(Path("/var/lib/skerry")))
    assert (ROOT / "images/gateway/haproxy.cfg").read_text() == expected


@pytest.mark.parametrize(
    ("line", "answers"),
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
def test_log_lines(line: str, answers: list[tuple[str, bool]]) -> None:
    assert [(revision, answer.failed) for _, revision, answer in parse(line, BOTH)] == answers


def test_a_server_of_an_unknown_protocol_is_not_judged_but_hides_no_failure_of_the_other() -> None:
    pools = {KEY: {A: Server("10.0.0.1", 90, protocol="Verse"), B: Server("10.0.0.2", 10)}}
    assert parse(f"{KEY} {A} 500 -- 0 1000000 1500000 1600000 - -", pools) == []
    found = parse(f"{KEY} {A} 200 -- +1 1000000 1500000 1600000 - -", pools)
    assert [(revision, answer.failed) for _, revision, answer in found] == [(B, True)]


def test_a_line_that_is_none_is_counted() -> None:
    before = FAULTS.labels("log")._value.get()
    requests = Requests(lambda: BOTH, lambda _answer: None, lambda: None)
    for line in (f"{KEY} {B} OK -- 0 1000000 1500000 1600000 - -".encode(), b"\xff"):
        requests.datagram_received(line, None)
    assert FAULTS.labels("log")._value.get() == before + 2


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


def test_a_port_for_grpc_has_a_backend_of_its_own() -> None:
    replaced = Server("10.0.0.2", 10, grpc_port=8081)
    wanted = GatewayState({KEY: Backend({A: Server("10.0.0.1", 90), B: replaced})})
    assert set(wanted.pools()) == {KEY, f"{KEY}:grpc"}
    text = render(wanted, GatewayPaths(Path("/state")))
    assert f"use_backend {KEY}:grpc if grpc {{ var(txn.model) -m str {KEY} }}" in text
    calls = text.partition(f"backend {KEY}:grpc\n")[2]
    assert "10.0.0.1:8080 check" in calls, "Skerry's own runtime takes calls by HTTP/1.1"
    assert "10.0.0.2:8081 check" in calls
    assert "port 8080 check-proto h1 proto h2 weight 10" in calls
    both = changed_weights(wanted, state(0, 100))
    assert f"set server {KEY}/{B} weight 100" in both


def server(status: str, address: str, check: str = "L7OK") -> LiveServer:
    return LiveServer(status, 50, address, check)


def test_a_server_is_up_when_each_of_its_ports_has_a_backend() -> None:
    replaced = Server("10.0.0.2", 10, grpc_port=8081)
    wanted = GatewayState({KEY: Backend({A: Server("10.0.0.1", 90), B: replaced})})
    rest = {A: server("UP", "10.0.0.1:8080"), B: server("UP", "10.0.0.2:8080")}
    one_of_two = {KEY: {"10.0.0.1": True, "10.0.0.2": False}}
    assert seen_up({KEY: rest}, wanted) == one_of_two
    calls = {A: server("UP", "10.0.0.1:8080"), B: server("UP", "10.0.0.2:8081")}
    both = {KEY: {"10.0.0.1": True, "10.0.0.2": True}}
    assert seen_up({KEY: rest, f"{KEY}:grpc": calls}, wanted) == both
    calls[B] = server("DOWN", "10.0.0.2:8081", "L4CON")
    assert seen_up({KEY: rest, f"{KEY}:grpc": calls}, wanted) == one_of_two
    calls[B] = server("UP", "10.0.0.2:8081", "INI")
    assert seen_up({KEY: rest, f"{KEY}:grpc": calls}, wanted)[KEY]["10.0.0.2"] is None
    assert seen_up({}, wanted) == {}


@pytest.mark.parametrize(
    ("status", "check", "up"),
    [
        ("UP", "INI", None),
        ("UP 1/2", "L4CON", None),
        ("UP", "L7OK", True),
        ("UP", "* L7OK", True),
        ("DOWN", "L7OK", False),
        ("DOWN", "L4CON", False),
        ("DOWN", "* L7STS", False),
        ("MAINT", "L7OK", False),
    ],
)
def test_a_server_answers_once_a_check_was_good(status: str, check: str, up: object) -> None:
    assert server(status, "10.0.0.1:8080", check).up is up


def test_a_server_with_another_address_has_to_answer_there() -> None:
    commands = converge({KEY: {A: server("UP", "10.0.0.9:8080"), B: live_b()}}, state(50, 50))
    assert commands == [
        f"set server {KEY}/{A} addr 10.0.0.1 port 8080",
        f"set server {KEY}/{A} health down",
    ]


def test_a_server_that_was_paused_has_to_answer_again() -> None:
    """It would leave maintenance as up, with what a check found before."""
    paused = server("MAINT", "10.0.0.9:8080")
    assert seen_up({KEY: {A: paused}}, state(50, 50)) == {KEY: {}}
    commands = converge({KEY: {A: paused, B: live_b()}}, state(50, 50))
    assert commands == [
        f"set server {KEY}/{A} addr 10.0.0.1 port 8080",
        f"set server {KEY}/{A} state ready",
        f"set server {KEY}/{A} health down",
    ]


def test_a_leaving_server_says_nothing_of_who_has_its_address_now() -> None:
    live = {KEY: {A: server("MAINT", "10.0.0.2:8080"), B: live_b()}}
    assert seen_up(live, state(0, 100)) == {KEY: {"10.0.0.2": True}}


def test_an_address_with_colons_is_known_again() -> None:
    """Written as HAProxy shows it: else it would be set, and set down, with each pass."""
    wanted = GatewayState({KEY: Backend({A: Server("fd00::1", 100)})})
    live = {KEY: {A: LiveServer("UP", 100, "[fd00::1]:8080", "L7OK")}}
    assert converge(live, wanted) == []
    assert seen_up(live, wanted) == {KEY: {"fd00::1": True}}
    assert Target(A, "fd00::1", "intent").url("/v2") == "http://[fd00::1]:8080/v2"


def live_b() -> LiveServer:
    return server("UP", "10.0.0.2:8080")


def test_a_result_of_a_check_is_reported_at_once_and_is_no_answer() -> None:
    calls: list[str] = []
    requests = Requests(
        lambda: BOTH, lambda _answer: calls.append("answer"), lambda: calls.append("check")
    )
    for line in (
        f"Health check for server {KEY}/{B} succeeded, reason: Layer7 check passed, code: 200",
        f"Server {KEY}/{B} is DOWN, reason: Layer4 connection problem, check duration: 0ms.",
        f"{KEY} {B} 200 -- 0 1000000 1500000 1600000 - -",
        f"backend {KEY} has no server available!",
    ):
        requests.datagram_received(line.encode(), None)
    assert calls == ["check", "check", "answer"]
