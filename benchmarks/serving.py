"""Serving against the raw runtime in process: throughput and latency, as ratios of one run.

    python benchmarks/serving.py --model MODEL.onnx --dataset DATASET.npz [--seconds 5] [--rounds 3]

Sides, measured in turn within each round so that another load meets all of them alike:

- `raw`: the engine's session in a process of its own, called in a loop (one thread, as the limit gives);
- `rest`, `grpc`: through gateway and server, as any caller;
- `server`: REST to the server without the gateway.

Each at 1 and 8 clients of one client process each. Prints JSON: the medians over the rounds.
"""
# ruff: noqa: PLC0415 - each side is a process of its own, with nothing of the others in memory

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[], object]

TOKENS = 64
CLIENTS = (1, 8)
WARM_CALLS = 10


def inputs_of(dataset: Path) -> dict[str, Any]:
    """One sample of the data set, cut or padded to TOKENS where it is a sequence of tokens."""
    with np.load(dataset) as arrays:
        found = {name: arrays[name][:1] for name in arrays.files if name != "labels"}
    return {
        name: np.resize(array, (1, TOKENS)) if array.dtype.kind == "i" else array
        for name, array in found.items()
    }


def measured(make: Callable[[], Ask], clients: int, seconds: float) -> dict[str, float]:
    """Calls a second and latencies in milliseconds of `clients` threads, each with a client of its own."""
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
        "calls_per_second": len(times) / seconds,
        "p50": times[len(times) // 2],
        "p99": times[int(len(times) * 0.99)],
    }


def raw(model: Path, inputs: dict[str, Any]) -> Ask:
    """The engine itself; one call at a time, as the server has it."""
    from skerry_runtime.session import Session

    session, turn = Session(model, 1), threading.Lock()

    def ask() -> object:
        with turn:
            return session.run(inputs)

    return ask


def rest(address: str, inputs: dict[str, Any]) -> Ask:
    """REST with binary tensors."""
    import tritonclient.http as triton

    client = triton.InferenceServerClient(address)
    tensors = []
    for name, array in inputs.items():
        tensor = triton.InferInput(name, list(array.shape), datatype(array))
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return lambda: client.infer("encoder", tensors, headers={"Host": "encoder.demo.svc"})


def grpc(address: str, inputs: dict[str, Any]) -> Ask:
    """GRPC with raw tensors."""
    import tritonclient.grpc as triton

    arguments = [("grpc.default_authority", "encoder.demo.svc")]
    client = triton.InferenceServerClient(address, channel_args=arguments)
    tensors = []
    for name, array in inputs.items():
        tensor = triton.InferInput(name, list(array.shape), datatype(array))
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return lambda: client.infer("encoder", tensors)


def datatype(array: Any) -> str:
    """The protocol's name of an array's type."""
    return {"int64": "INT64", "float32": "FP32"}[str(array.dtype)]


def client_process(options: argparse.Namespace, side: str, clients: int, address: str) -> Any:
    """Measure one side in a fresh process."""
    arguments = [
        sys.executable, __file__, "--side", side, "--clients", str(clients), "--address", address,
        "--model", str(options.model), "--dataset", str(options.dataset),
        "--seconds", str(options.seconds),
    ]  # fmt: skip
    return json.loads(subprocess.run(arguments, check=True, stdout=subprocess.PIPE).stdout)


def measure_side(options: argparse.Namespace) -> dict[str, float]:
    """What a client process does."""
    inputs = inputs_of(options.dataset)
    if options.side == "raw":
        engine = raw(options.model, inputs)
        return measured(lambda: engine, options.clients, options.seconds)
    way = grpc if options.side == "grpc" else rest
    return measured(lambda: way(options.address, inputs), options.clients, options.seconds)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All sides in turn, some rounds; medians and the ratios to raw."""
    from skerry_agent.gateway.state import Server
    from tests.unit.runtime.conftest import servers, write_artifact
    from tests.unit.runtime.gateways import gateway

    rounds: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, servers() as start:
        import onnx

        artifact = write_artifact(Path(folder) / "model", onnx.load(options.model))
        served = start(artifact)
        server = Server("127.0.0.1", 100, served.port)
        with gateway(Path(folder) / "gateway", ("demo.encoder", server)) as port:
            ways = {"raw": "", "server": f"127.0.0.1:{served.port}"}
            ways |= {"rest": f"127.0.0.1:{port}", "grpc": f"127.0.0.1:{port}"}
            for _ in range(options.rounds):
                for clients in CLIENTS:
                    for side, address in ways.items():
                        found = client_process(options, side, clients, address)
                        rounds.setdefault(f"{side} {clients}", []).append(found)
    return summary(rounds)


def summary(rounds: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians of each side, and what the issue promises as ratios."""
    medians = {
        name: {key: statistics.median(one[key] for one in found) for key in found[0]}
        for name, found in rounds.items()
    }
    ratios = {
        f"{side} at {clients} clients": {
            "throughput_to_raw": medians[f"{side} {clients}"]["calls_per_second"]
            / medians[f"raw {clients}"]["calls_per_second"],
            "p99_above_raw_ms": medians[f"{side} {clients}"]["p99"]
            - medians[f"raw {clients}"]["p99"],
        }
        for side in ("server", "rest", "grpc")
        for clients in CLIENTS
    }
    alone = medians["rest 1"]["p50"] - medians["server 1"]["p50"]
    return {"medians": medians, "ratios": ratios, "gateway_alone_p50_ms": alone}


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--address", default="")
    options = parser.parse_args()
    result = measure_side(options) if options.side else run(options)
    sys.stdout.write(json.dumps(result, indent=None if options.side else 2) + "\n")


if __name__ == "__main__":
    main()
