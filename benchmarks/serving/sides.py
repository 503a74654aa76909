"""One side of the comparison, in a process of its own that stays.

Every side gets the same arrays and answers the same question, block by block: the latencies of N clients
that each ask again as soon as they are answered. Each client of a server is a connection of its own. Blocks
are short and sides take turns: what a neighbor on the machine takes away for seconds, it takes from all.
"""
# ruff: noqa: PLC0415 - a side has nothing of the others in memory

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    Ask = Callable[[], NDArray[Any]]
    Inputs = dict[str, NDArray[Any]]

SPAWN = multiprocessing.get_context("spawn")
"""A new interpreter for each side: a fork would share this process's memory."""

Times = list[float]
"""When a client began, and when each of its calls ended."""

TOKENS = 64
MODEL = "encoder"
AUTHORITY = f"{MODEL}.demo.svc"
WARM_CALLS = 10
"""Of each client when it is made; and of each at the start of a block, as other sides have run between:"""
WOKEN_CALLS = 2
CHANNEL = [("grpc.default_authority", AUTHORITY), ("grpc.use_local_subchannel_pool", 1)]
"""Without a pool of its own all clients of this process would share one connection."""
DATATYPES = {"int64": "INT64", "float32": "FP32"}


@dataclass(frozen=True)
class Side:
    """What is asked: `way` is raw, rest, json, grpc or stub; `address` is HOST:PORT, or the raw model's file."""

    way: str
    address: str
    dataset: str


@dataclass(frozen=True)
class Block:
    """Calls a second of all clients together, and each call's latency in milliseconds.

    `stolen` is what neighbors on a virtual machine's host took of all processors meanwhile, in seconds.
    """

    calls_per_second: float
    milliseconds: list[float]
    stolen: float


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
    """Return one sample of the data set, its sequences repeated or cut to TOKENS."""
    with np.load(dataset) as archive:
        found = {name: archive[name][:1] for name in archive.files if name != "labels"}
    return {
        name: np.resize(array, (1, TOKENS)) if array.dtype.kind == "i" else array
        for name, array in found.items()
    }


class Client:
    """One client in a thread of its own, which Triton's needs, with a connection that stays."""

    def __init__(self, make: Callable[[], Ask]) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._ask = self._thread.submit(make).result()
        self._thread.submit(self._call, WARM_CALLS).result()

    def work(self, together: threading.Barrier, seconds: float) -> Future[Times]:
        """Ask again and again until the time is over, which begins when all are ready."""
        return self._thread.submit(self._work, together, seconds)

    def _work(self, together: threading.Barrier, seconds: float) -> Times:
        self._call(WOKEN_CALLS)
        together.wait()
        ended = [time.perf_counter()]
        while ended[-1] < ended[0] + seconds:
            self._ask()
            ended.append(time.perf_counter())
        return ended

    def _call(self, times: int) -> None:
        for _ in range(times):
            self._ask()


class Clients:
    """As many clients as a block asks for."""

    def __init__(self, make: Callable[[], Ask]) -> None:
        self._make = make
        self._made: list[Client] = []

    def block(self, clients: int, seconds: float) -> Block:
        """Let that many ask for so long."""
        while len(self._made) < clients:
            self._made.append(Client(self._make))
        together, stolen = threading.Barrier(clients), psutil.cpu_times().steal
        working = [client.work(together, seconds) for client in self._made[:clients]]
        done = [one.result() for one in working]
        calls = [(end - begun) * 1000 for times in done for begun, end in pairwise(times)]
        lasted = max(times[-1] for times in done) - min(times[0] for times in done)
        return Block(len(calls) / lasted, calls, psutil.cpu_times().steal - stolen)


def raw(file: Path, inputs: Inputs) -> Ask:
    """Return a function that calls the engine itself: one thread, one call at a time, in order of arrival."""
    from skerry_runtime.engine import load_model
    from skerry_runtime.session import Session

    session = Session(load_model("ONNXRuntime", file, 1))
    turn = ThreadPoolExecutor(1)
    return lambda: turn.submit(session.run, inputs).result()["embedding"]


def rest(address: str, inputs: Inputs, *, binary: bool) -> Ask:
    """Return a function that calls by REST, with tensors in their binary form or as JSON."""
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
    """Return a function that calls by gRPC with raw tensors."""
    import tritonclient.grpc as triton

    client = triton.InferenceServerClient(address, channel_args=CHANNEL)
    tensors = []
    for name, array in inputs.items():
        tensor = triton.InferInput(name, list(array.shape), DATATYPES[str(array.dtype)])
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return lambda: client.infer(MODEL, tensors, request_id="1").as_numpy("embedding")


def stub(address: str, inputs: Inputs) -> Ask:
    """Return a function that calls by gRPC with raw tensors and a generated stub, as an application does."""
    import grpc as library
    import tritonclient.grpc.service_pb2 as messages

    infer = library.insecure_channel(address, CHANNEL).unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        messages.ModelInferRequest.SerializeToString,
        messages.ModelInferResponse.FromString,
    )

    def ask() -> NDArray[Any]:
        request = messages.ModelInferRequest(model_name=MODEL, id="1")
        for name, array in inputs.items():
            request.inputs.add(name=name, datatype=DATATYPES[str(array.dtype)], shape=array.shape)
            request.raw_input_contents.append(array.tobytes())
        answer = infer(request)
        return np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(
            answer.outputs[0].shape
        )

    return ask


def maker(side: Side) -> Callable[[], Ask]:
    """Return what makes one client of a side."""
    inputs = inputs_of(Path(side.dataset))
    if side.way == "raw":
        return cache(lambda: raw(Path(side.address), inputs))
    ways: dict[str, Callable[[], Ask]] = {
        "rest": lambda: rest(side.address, inputs, binary=True),
        "json": lambda: rest(side.address, inputs, binary=False),
        "grpc": lambda: grpc(side.address, inputs),
        "stub": lambda: stub(side.address, inputs),
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
