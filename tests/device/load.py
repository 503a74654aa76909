"""Steady traffic through the gateway, and what became of every request."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Self

import grpc
import httpx
import numpy as np
import tritonclient.grpc.service_pb2 as messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}
WORKERS = 4


@dataclass(frozen=True)
class Answer:
    """One request: when it was asked (seconds since the epoch), who answered it, with what."""

    at: float
    status: int
    revision: str
    said: str = ""


@dataclass
class Load:
    """`rate` requests a second to `url` from a few clients, while the block lasts."""

    url: str
    rate: float = 40.0
    answers: list[Answer] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start the load."""
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(WORKERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait for what is under way."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        pause = WORKERS / self.rate
        following = monotonic() + number * pause / WORKERS
        with self._asking() as ask:
            while not self._end.wait(max(0.0, following - monotonic())):
                following += pause
                self.answers.append(ask())

    @contextmanager
    def _asking(self) -> Iterator[Callable[[], Answer]]:
        """Yield one client's function, called for each request."""
        with httpx.Client(trust_env=False, timeout=10) as client:
            yield lambda: self._ask(client)

    def _ask(self, client: httpx.Client) -> Answer:
        asked = time()
        try:
            answer = client.post(self.url, json=BODY)
        except httpx.HTTPError:
            return Answer(asked, 0, "")
        return Answer(asked, answer.status_code, answer.headers.get("X-Skerry-Revision", ""))

    def since(self, moment: float) -> list[Answer]:
        """Return the answers to requests sent after a moment: one under way then may come from either side."""
        return [answer for answer in list(self.answers) if answer.at > moment]

    def lost(self) -> list[Answer]:
        """Return every answer but a 200."""
        return [answer for answer in list(self.answers) if answer.status != httpx.codes.OK]

    def shares(self, moment: float) -> Counter[str]:
        """Count the answers by revision to requests sent since a moment."""
        return Counter(answer.revision for answer in self.since(moment))


@dataclass
class GrpcLoad(Load):
    """The same by gRPC to `url`, HOST:PORT, for the model that `authority` names."""

    authority: str = ""

    @contextmanager
    def _asking(self) -> Iterator[Callable[[], Answer]]:
        options = [
            ("grpc.default_authority", self.authority),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        request = messages.ModelInferRequest(model_name=self.authority.partition(".")[0])
        request.inputs.add(name="x", datatype="FP32", shape=[1])
        request.raw_input_contents.append(np.ones(1, np.float32).tobytes())
        with grpc.insecure_channel(self.url, options) as channel:
            infer = channel.unary_unary(
                "/inference.GRPCInferenceService/ModelInfer",
                messages.ModelInferRequest.SerializeToString,
                messages.ModelInferResponse.FromString,
            )
            yield lambda: self._call(infer, request)

    def _call(self, infer: Any, request: Any) -> Answer:
        """Call and return the answer; its status is 200 or gRPC's own code."""
        asked = time()
        try:
            _, call = infer.with_call(request, timeout=10)
        except grpc.RpcError as error:
            # an answer without a message has its headers as trailing metadata
            metadata = {
                **dict(error.initial_metadata() or ()),
                **dict(error.trailing_metadata() or ()),
            }
            revision = metadata.get("x-skerry-revision", "")
            return Answer(asked, error.code().value[0], revision, error.details())
        return Answer(asked, 200, dict(call.initial_metadata()).get("x-skerry-revision", ""))
