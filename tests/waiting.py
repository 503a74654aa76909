"""What tests of processes share: a port or an address for a server, and waiting until something is so."""

from __future__ import annotations

import atexit
import random
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, TypeVar

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.1
ANSWER_SECONDS = 30

LOCK_PORT = 65535
"""A process holds an address of loopback by this port of it; nothing is served there."""

TLS = ssl.create_default_context()
"""For clients of a test's own: each that loads the certificates costs 20 ms of CPU."""
HTTP = httpx.Client(
    trust_env=False, verify=TLS, timeout=30, limits=httpx.Limits(max_keepalive_connections=0)
)
"""For servers on loopback; no connection stays open."""
T = TypeVar("T")
_KEPT_PORTS: list[socket.socket] = []


@atexit.register
def _end() -> None:
    """Close what is kept as long as the process lives."""
    HTTP.close()
    for keeper in _KEPT_PORTS:
        keeper.close()


def free_port() -> int:
    """Return a loopback port that nobody else gets as long as this process lives.

    It stays bound here, without listening: a server that allows the reuse of its address, as all do
    here, can listen on it, and the kernel gives it to no other process that asks for any port.
    """
    keeper = socket.socket()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        keeper.setsockopt(socket.SOL_SOCKET, option, 1)
    keeper.bind(("127.0.0.1", 0))
    _KEPT_PORTS.append(keeper)
    port: int = keeper.getsockname()[1]
    return port


def free_address() -> str:
    """Return an address of loopback that no other call returns, in any process, while this one lives.

    For servers whose ports are fixed, as those of pods are.
    """
    while True:
        address = f"127.77.{random.randrange(256)}.{random.randrange(1, 255)}"
        keeper = socket.socket()
        try:
            keeper.bind((address, LOCK_PORT))
        except OSError:
            keeper.close()
        else:
            _KEPT_PORTS.append(keeper)
            return address


def wait_for(
    what: str,
    look: Callable[[], T],
    reached: Callable[[T], object],
    seconds: float,
    every: float = POLL_SECONDS,
) -> T:
    """Look until `reached` holds and return what was seen; fails with the last look after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        seen = look()
        if reached(seen):
            return seen
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s; last seen:\n{seen}"
        pause.wait(every)


@retry(
    stop=stop_after_delay(ANSWER_SECONDS),
    wait=wait_fixed(0.05),
    retry=retry_if_exception_type(httpx.TransportError),
)
def wait_for_answer(url: str) -> None:
    """Wait until a server answers, whatever it says."""
    HTTP.get(url)
