"""Serving against the raw engine: MiniLM, 64 tokens, one thread for the engine on every side.

`raw` is the engine's session in a process of its own, called in a loop. `rest` and `grpc` go through gateway
and server, as any caller's requests do; `server` is REST without the gateway. kserve's and mlserver's own
servers answer the same requests with the same engine and options. Each side is asked by 1 and by 8 clients in
turn, some rounds; every ratio and difference is taken within a round. The Service in front of the gateway is
a name and a translation of addresses in the kernel; there is no cluster here, so it is not in these figures.
"""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.serving.gateway_alone import measure_gateway
from benchmarks.serving.servers import Skerry, other, skerry
from benchmarks.serving.sides import TOKENS, Side, inputs_of, measure_side
from benchmarks.shared.figures import alternated, difference, medians, ratio

if TYPE_CHECKING:
    import argparse

log = logging.getLogger("benchmarks.serving")

CLIENTS = (1, 8)
REST_OF = {"kserve": "rest", "mlserver": "json"}
"""The others' servers, and their quickest form of REST: mlserver takes no binary tensors."""

OURS = ("server", "rest", "grpc")
LEAST_THROUGHPUT = 0.90
MOST_P99_MILLISECONDS = 2.0

MOST_APART = 1e-4
"""Of two elements of an embedding of length 1: rounding, as batches are computed in other orders."""

Rounds = dict[tuple[str, int], list[dict[str, float]]]


class UnlikeError(RuntimeError):
    """The sides did not do the same, so their times cannot be compared."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be said on the command line."""
    parser.add_argument("--model", type=Path, required=True, help="MiniLM's model.onnx")
    parser.add_argument("--dataset", type=Path, required=True, help="its dataset.npz")
    parser.add_argument("--seconds", type=float, default=4, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-others", action="store_true", help="only Skerry and raw")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Start all servers, measure the gateway alone, then all sides in turn."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        model, idle = stack.enter_context(skerry(root, options.model))
        alone = measure_gateway(idle.server, idle.gateway, inputs_of(options.dataset))
        log.info("gateway alone: %.3f ms", alone["value"])
        ways = _ways(options.model, model)
        for name in () if options.without_others else REST_OF:
            ports = stack.enter_context(other(name, root / name, options.model))
            ways[f"{name} rest"] = (REST_OF[name], f"127.0.0.1:{ports.http}")
            ways[f"{name} grpc"] = ("grpc", f"127.0.0.1:{ports.grpc}")
        rounds = _rounds(options, ways)
    return {"tokens": TOKENS, "threads": 1, "gatewayAloneP50": alone, **_summary(rounds)}


def _ways(model: Path, ports: Skerry) -> dict[str, tuple[str, str]]:
    """Return way and address by side."""
    return {
        "raw": ("raw", str(model)),
        "server": ("rest", f"127.0.0.1:{ports.server}"),
        "rest": ("rest", f"127.0.0.1:{ports.gateway}"),
        "grpc": ("grpc", f"127.0.0.1:{ports.gateway}"),
    }


def _rounds(options: argparse.Namespace, ways: dict[str, tuple[str, str]]) -> Rounds:
    rounds: Rounds = {}
    answers: dict[str, list[float]] = {}
    for order in alternated(tuple(ways), options.rounds):
        for clients in CLIENTS:
            for name in order:
                way, address = ways[name]
                side = Side(way, address, str(options.dataset), clients, options.seconds)
                found = measure_side(side)
                rounds.setdefault((name, clients), []).append(found.figures)
                answers[name] = found.answer
                log.info("%s, %d clients: %s", name, clients, found.figures)
    _check_alike(answers)
    return rounds


def _check_alike(answers: dict[str, list[float]]) -> None:
    """Check that all sides computed the same.

    Raises:
        UnlikeError: One did not.
    """
    for name, answer in answers.items():
        if not np.allclose(answer, answers["raw"], atol=MOST_APART):
            raise UnlikeError(
                f"{name} answers otherwise than the raw engine: its times don't count"
            )


def _summary(rounds: Rounds) -> dict[str, Any]:
    """Medians of each side, and what is promised as ratios and differences within the rounds."""
    told: dict[str, Any] = {
        "medians": {
            f"{name}, {clients} clients": medians(found)
            for (name, clients), found in rounds.items()
        }
    }
    for clients in CLIENTS:
        raw = rounds["raw", clients]
        for name in sorted({side for side, _ in rounds} - {"raw"}):
            found, promised = rounds[name, clients], name in OURS
            told[f"{name}, {clients} clients"] = {
                "throughputToRaw": ratio(
                    [one["callsPerSecond"] for one in found],
                    [one["callsPerSecond"] for one in raw],
                    at_least=LEAST_THROUGHPUT if promised else None,
                ),
                "p99AboveRaw": difference(
                    [one["p99"] for one in found],
                    [one["p99"] for one in raw],
                    at_most=MOST_P99_MILLISECONDS if promised else None,
                ),
            }
    return told
