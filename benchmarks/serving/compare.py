"""Serving against the raw engine: MiniLM, 64 tokens, one thread for the engine on every side.

`raw` is the engine's session in a process of its own, called in a loop. `rest` and `grpc` go through gateway
and server, as any caller's requests do, by Triton's client; `grpc stub` is the same call without that client,
`server` is REST without the gateway. kserve's and mlserver's own servers answer the same requests with the same
engine and options. All stay up; each side is asked for a short block, round after round, and every ratio is
taken within a round: first all rounds with 1 client, then those with 8, whose full cores would otherwise be
what the lone client comes after. A 99th percentile needs more calls than a block has: it is of ten rounds
together. The Service in front of the gateway is a name and a translation of addresses in the kernel; there is
no cluster here, so it is not in these figures.
"""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import ExitStack
from itertools import compress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.serving.gateway_alone import measure_gateway
from benchmarks.serving.servers import Skerry, other, skerry
from benchmarks.serving.sides import TOKENS, Block, RunningSide, Side, inputs_of, running
from benchmarks.shared.figures import alternated, difference, medians, ratio

if TYPE_CHECKING:
    import argparse

log = logging.getLogger("benchmarks.serving")

CLIENTS = (1, 8)
SECONDS = 1.0
"""How long a block is."""
POOLED = 10
STOLEN = 0.01
"""Seconds that neighbors may take of an undisturbed block: one count of the kernel's."""
REST_OF = {"kserve": "rest", "mlserver": "json"}
"""The others' servers, and their quickest form of REST: mlserver takes no binary tensors."""

OURS = ("server", "rest", "grpc", "grpc stub")
LEAST_THROUGHPUT = 0.90
MOST_P99_MILLISECONDS = 2.0

MOST_APART = 1e-4
"""Of two elements of an embedding of length 1: rounding, as batches are computed in other orders."""

Rounds = dict[tuple[str, int], list[Block]]


class UnlikeError(RuntimeError):
    """The sides did not do the same, so their times cannot be compared."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("--model", type=Path, required=True, help="MiniLM's model.onnx")
    parser.add_argument("--dataset", type=Path, required=True, help="its dataset.npz")
    parser.add_argument("--rounds", type=int, default=50, help=f"a multiple of {POOLED}")
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
        sides = {
            name: stack.enter_context(running(Side(way, address, str(options.dataset))))
            for name, (way, address) in ways.items()
        }
        _check_alike({name: side.answer for name, side in sides.items()})
        rounds = _rounds(options.rounds, sides)
    found = {"tokens": TOKENS, "threads": 1, "gatewayAloneP50": alone, **_summary(rounds)}
    return found | {"undisturbed": summary_of_undisturbed(rounds)}


def _ways(model: Path, ports: Skerry) -> dict[str, tuple[str, str]]:
    """Return way and address by side."""
    return {
        "raw": ("raw", str(model)),
        "server": ("rest", f"127.0.0.1:{ports.server}"),
        "rest": ("rest", f"127.0.0.1:{ports.gateway}"),
        "grpc": ("grpc", f"127.0.0.1:{ports.gateway}"),
        "grpc stub": ("stub", f"127.0.0.1:{ports.gateway}"),
    }


def _rounds(count: int, sides: dict[str, RunningSide]) -> Rounds:
    rounds: Rounds = {(name, clients): [] for clients in CLIENTS for name in sides}
    for clients in CLIENTS:
        for number, order in enumerate(alternated(tuple(sides), count), start=1):
            for name in order:
                rounds[name, clients].append(sides[name].block(clients, SECONDS))
            speeds = {name: round(rounds[name, clients][-1].calls_per_second, 1) for name in order}
            log.info("%d clients, round %d: %s", clients, number, speeds)
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
    """Return the medians of each side, and the promised ratios and differences within the rounds."""
    summary: dict[str, Any] = {
        "medians": {
            f"{name}, {clients} clients": medians([_figures(block) for block in blocks])
            for (name, clients), blocks in rounds.items()
        }
    }
    for (name, clients), found in rounds.items():
        raw, promised = rounds["raw", clients], name in OURS
        if name == "raw":
            continue
        summary[f"{name}, {clients} clients"] = {
            "throughputToRaw": ratio(
                [one.calls_per_second for one in found],
                [one.calls_per_second for one in raw],
                at_least=LEAST_THROUGHPUT if promised else None,
            ),
            "p99AboveRaw": difference(
                _pooled_p99(found),
                _pooled_p99(raw),
                at_most=MOST_P99_MILLISECONDS if promised else None,
            ),
        }
    return summary


def summary_of_undisturbed(rounds: Rounds) -> dict[str, Any]:
    """Return the same for the rounds in which neighbors took next to no CPU time, by count of clients."""
    summary: dict[str, Any] = {}
    for clients in CLIENTS:
        sides = {key: blocks for key, blocks in rounds.items() if key[1] == clients}
        quiet = [
            all(one.stolen <= STOLEN for one in each) for each in zip(*sides.values(), strict=True)
        ]
        kept = {key: list(compress(blocks, quiet)) for key, blocks in sides.items()}
        summary[f"{clients} clients"] = {"rounds": sum(quiet), "of": len(quiet)} | (
            _summary(kept) if sum(quiet) >= POOLED else {}
        )
    return summary


def _figures(block: Block) -> dict[str, float]:
    return {"callsPerSecond": block.calls_per_second, "p50": median(block.milliseconds)}


def _pooled_p99(blocks: list[Block]) -> list[float]:
    """Return the 99th percentiles of the calls of ten rounds together, for each ten."""
    starts = range(0, len(blocks) - POOLED + 1, POOLED)
    groups = [blocks[at : at + POOLED] for at in starts]
    return [
        float(np.quantile([t for block in group for t in block.milliseconds], 0.99))
        for group in groups
    ]
