"""Steady traffic through the gateway, and what became of every request."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Self

import httpx

BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}
WORKERS = 4


@dataclass(frozen=True)
class Answer:
    """One request: when it was answered (seconds since the epoch), by whom, with what."""

    at: float
    status: int
    revision: str


@dataclass
class Load:
    """`rate` requests a second to `url` from a few clients, while the block lasts."""

    url: str
    rate: float = 40.0
    answers: list[Answer] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begins."""
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(WORKERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends, and waits for what is under way."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        pause = WORKERS / self.rate
        following = monotonic() + number * pause / WORKERS
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not self._end.wait(max(0.0, following - monotonic())):
                following += pause
                self.answers.append(self._ask(client))

    def _ask(self, client: httpx.Client) -> Answer:
        try:
            answer = client.post(self.url, json=BODY)
        except httpx.HTTPError:
            return Answer(time(), 0, "")
        return Answer(time(), answer.status_code, answer.headers.get("X-Skerry-Revision", ""))

    def since(self, moment: float) -> list[Answer]:
        """Answers that came after a moment."""
        return [answer for answer in list(self.answers) if answer.at > moment]

    def lost(self) -> list[Answer]:
        """Everything but a 200."""
        return [answer for answer in list(self.answers) if answer.status != httpx.codes.OK]

    def shares(self, moment: float) -> Counter[str]:
        """Answers by revision since a moment."""
        return Counter(answer.revision for answer in self.since(moment))
