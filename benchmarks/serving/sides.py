"""One side of the comparison, measured in a process of its own: `python -m benchmarks.serving.sides ...`.

Every side gets the same arrays and answers the same question: calls a second and latencies of N clients
that each ask again as soon as they are answered. Each client of a server is a connection of its own.
"""
# ruff: noqa: PLC0415 - a side has nothing of the others in memory

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Ask = Callable[[], NDArray[Any]]
    Inputs = dict[str, NDArray[Any]]

TOKENS = 64
MODEL = "encoder"
AUTHORITY = f"{MODEL}.demo.svc"
WARM_CALLS = 10
DATATYPES = {"int64": "INT64", "float32": "FP32"}


@dataclass(frozen=True)
class Side:
    """What is asked: `way` is raw, rest, json or grpc; `address` is HOST:PORT, or the raw model's file."""

    way: str
    address: str
    dataset: str
    clients: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """Calls a second and latencies in milliseconds; and the answer, to see that all sides gave one."""

    figures: dict[str, float]
    answer: list[float]


def measure_side(side: Side) -> Measured:
    """Measure one side in a fresh process."""
    command = [sys.executable, "-m", __name__, json.dumps(asdict(side))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(done.stdout))


def inputs_of(dataset: Path) -> Inputs:
    """One sample of the data set, its sequences repeated or cut to TOKENS."""
    with np.load(dataset) as archive:
        found = {name: archive[name][:1] for name in archive.files if name != "labels"}
    return {
        name: np.resize(array, (1, TOKENS)) if array.dtype.kind == "i" else array
        for name, array in found.items()
    }


def measured(make: Callable[[], Ask], clients: int, seconds: float) -> dict[str, float]:
    """Return calls a second and latencies in milliseconds of `clients` threads, each with its own `make()`."""
    ready = threading.Barrier(clients)

    def work(_: int) -> list[float]:
        ask, times = make(), []
        for _ in range(WARM_CALLS):
            ask()
        ready.wait()
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            ask()
            times.append((time.perf_counter() - begun) * 1000)
        return times

    with ThreadPoolExecutor(clients) as pool:
        times = sorted(t for each in pool.map(work, range(clients)) for t in each)
    return {
        "callsPerSecond": len(times) / seconds,
        "p50": times[len(times) // 2],
        "p99": times[int(len(times) * 0.99)],
    }


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


def main() -> None:
    """Measure the side that the argument describes, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", type=json.loads)
    side = Side(**parser.parse_args().side)
    inputs = inputs_of(Path(side.dataset))
    if side.way == "raw":
        engine = raw(Path(side.address), inputs)
        ways: dict[str, Callable[[], Ask]] = {"raw": lambda: engine}
    else:
        ways = {
            "rest": lambda: rest(side.address, inputs, binary=True),
            "json": lambda: rest(side.address, inputs, binary=False),
            "grpc": lambda: grpc(side.address, inputs),
        }
    make = ways[side.way]
    answer = make()().ravel().tolist()
    found = Measured(measured(make, side.clients, side.seconds), answer)
    sys.stdout.write(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
