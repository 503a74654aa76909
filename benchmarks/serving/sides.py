"""One side of the comparison, in a process of its own that stays.

Every side gets the same arrays and answers the same question, block by block: the latencies of N clients
that each ask again as soon as they are answered. Each client of a server is a connection of its own. Blocks
are short and sides take turns: what a neighbour on the machine takes away for seconds, it takes from all.
"""
# ruff: noqa: PLC0415 - a side has nothing of the others in memory

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    Ask = Callable[[], NDArray[Any]]
    Inputs = dict[str, NDArray[Any]]

SPAWN = multiprocessing.get_context("spawn")
"""A new interpreter for each side: a fork would share this process's memory."""

TOKENS = 64
MODEL = "encoder"
AUTHORITY = f"{MODEL}.demo.svc"
WARM_CALLS = 10
"""Of each client when it is made; and of each at the start of a block, as other sides have run between:"""
WOKEN_CALLS = 2
DATATYPES = {"int64": "INT64", "float32": "FP32"}


@dataclass(frozen=True)
class Side:
    """What is asked: `way` is raw, rest, json or grpc; `address` is HOST:PORT, or the raw model's file."""

    way: str
    address: str
    dataset: str


@dataclass(frozen=True)
class Block:
    """Calls a second of all clients together, and each call's latency in milliseconds."""

    calls_per_second: float
    milliseconds: list[float]


class RunningSide:
    """A side's process, which measures a block whenever it is asked.

    Attributes:
        answer: To see that all sides gave the same.
    """

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self.answer: list[float] = connection.recv()

    def block(self, clients: int, seconds: float) -> Block:
        """Measure one block of `clients` clients, so many seconds long."""
        self._connection.send((clients, seconds))
        found: Block = self._connection.recv()
        return found


@contextmanager
def running(side: Side) -> Iterator[RunningSide]:
    """Start a side's process; it ends with the context."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_measure_blocks, args=(side, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield RunningSide(ours)
    finally:
        ours.close()
        process.join()


def inputs_of(dataset: Path) -> Inputs:
    """One sample of the data set, its sequences repeated or cut to TOKENS."""
    with np.load(dataset) as archive:
        found = {name: archive[name][:1] for name in archive.files if name != "labels"}
    return {
        name: np.resize(array, (1, TOKENS)) if array.dtype.kind == "i" else array
        for name, array in found.items()
    }


class Clients:
    """Clients that wait to be sent off together, each with a connection that stays."""

    def __init__(self, make: Callable[[], Ask]) -> None:
        self._make = make
        self._made: list[Ask] = []

    def block(self, clients: int, seconds: float) -> Block:
        """Let that many ask again and again until the time is over."""
        while len(self._made) < clients:
            self._made.append(self._warm())
        ready = threading.Barrier(clients)

        def work(ask: Ask) -> tuple[float, float, list[float]]:
            for _ in range(WOKEN_CALLS):
                ask()
            ready.wait()
            times: list[float] = []
            first = begun = time.perf_counter()
            while begun < first + seconds:
                ask()
                ended = time.perf_counter()
                times.append((ended - begun) * 1000)
                begun = ended
            return first, begun, times

        with ThreadPoolExecutor(clients) as pool:
            done = list(pool.map(work, self._made[:clients]))
        lasted = max(end for _, end, _ in done) - min(first for first, _, _ in done)
        times = [t for _, _, each in done for t in each]
        return Block(len(times) / lasted, times)

    def _warm(self) -> Ask:
        ask = self._make()
        for _ in range(WARM_CALLS):
            ask()
        return ask


def raw(file: Path, inputs: Inputs) -> Ask:
    """The engine itself, one thread, one call after the other, first come, first served."""
    from skerry_runtime.engine import load_model
    from skerry_runtime.session import Session

    session = Session(load_model("OnnxRuntime", file, 1))
    turn = ThreadPoolExecutor(1)
    return lambda: turn.submit(session.run, inputs).result()["embedding"]


def rest(address: str, inputs: Inputs, *, binary: bool) -> Ask:
    """REST, with tensors in their binary form or as JSON."""
    import tritonclient.http as triton

    client = triton.InferenceServerClient(address)
    tensors = []
    for name, array in inputs.items():
        tensor = triton.InferInput(name, list(array.shape), DATATYPES[str(array.dtype)])
        tensor.set_data_from_numpy(array, binary_data=binary)
        tensors.append(tensor)
    outputs = [triton.InferRequestedOutput("embedding", binary_data=binary)]
    headers = {"Host": AUTHORITY} | ({} if binary else {"Content-Type": "application/json"})
    # kserve's server answers 500 to a request without an id
    return lambda: client.infer(
        MODEL, tensors, outputs=outputs, request_id="1", headers=headers
    ).as_numpy("embedding")


def grpc(address: str, inputs: Inputs) -> Ask:
    """GRPC with raw tensors."""
    import tritonclient.grpc as triton

    # without a pool of its own all clients of this process would share one connection
    options = [("grpc.default_authority", AUTHORITY), ("grpc.use_local_subchannel_pool", 1)]
    client = triton.InferenceServerClient(address, channel_args=options)
    tensors = []
    for name, array in inputs.items():
        tensor = triton.InferInput(name, list(array.shape), DATATYPES[str(array.dtype)])
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return lambda: client.infer(MODEL, tensors, request_id="1").as_numpy("embedding")


def maker(side: Side) -> Callable[[], Ask]:
    """Return what makes one client of a side."""
    inputs = inputs_of(Path(side.dataset))
    if side.way == "raw":
        return cache(lambda: raw(Path(side.address), inputs))
    ways: dict[str, Callable[[], Ask]] = {
        "rest": lambda: rest(side.address, inputs, binary=True),
        "json": lambda: rest(side.address, inputs, binary=False),
        "grpc": lambda: grpc(side.address, inputs),
    }
    return ways[side.way]


def _measure_blocks(side: Side, connection: Connection[Any, Any]) -> None:
    """Answer once, then measure a block for each (clients, seconds) until there are no more."""
    make = maker(side)
    connection.send(make()().ravel().tolist())
    clients = Clients(make)
    with suppress(EOFError):
        while True:
            connection.send(clients.block(*connection.recv()))
