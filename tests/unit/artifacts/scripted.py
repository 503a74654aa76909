"""A registry that answers as a test scripts it, over real HTTP on loopback, and remembers what it was asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from urllib3.util import retry

from skerry.artifacts.images import patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest

DIGEST = "sha256:" + "a" * 64


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Clock:
    """Stands for the module `time` in a module that pauses: a pause is over at once, and noted."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        """Return the pauses up to now."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Note a pause."""
        self.pauses.append(seconds)
        self.now += seconds


def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let no pause of what moves images take time."""
    found = Clock()
    for module in (patience, retry):
        monkeypatch.setattr(module, "time", found)
    return found


FOUND = Answer(headers={"Docker-Content-Digest": DIGEST})


@dataclass
class Scripted:
    """Answers by `script`; what was asked is in `asked`, in order."""

    script: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    address: str = ""

    def says(self, *answers: Answer) -> None:
        """Give these answers one after the other; the last one for ever."""
        left = list(answers)
        self.script = lambda _: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def scripted(script: Callable[[Asked], Answer] = lambda _: FOUND) -> Iterator[Scripted]:
    """Run such a registry."""
    state = Scripted(script)

    class Handler(BaseHTTPRequestHandler):
        """Hands each request to the script."""

        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            """Answer one request."""
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            asked = Asked(self.command, self.path, dict(self.headers))
            state.asked.append(asked)
            answer = state.script(asked)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the names are http.server's

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
