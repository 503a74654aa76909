"""A job against the same recipe by hand with the engine's own API: wall time, at the same quality.

The job: every container's command in order, as a process (by_skerry.py). By hand: a plain script of the
engine's API and numpy that does the same steps for the same result (by_hand/recipe.py): convert, quantize,
optimize, judge every sample of both splits alone and in batches, time in blocks A B B A, certify again,
read peaks of memory in fresh processes, push. Both on one thread. It fails where the two judged or timed a
different number of calls, chose another recipe, or differ in the neighbors that were kept.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.job.by_skerry import Work, cpu_of_children, run_job
from benchmarks.shared.figures import alternated, medians, ratio
from tests.unit.optimizer.registries import running_registry

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from skerry.jobs.files import Validation

log = logging.getLogger("benchmarks.job")

ENGINES = {"ONNXRuntime": "onnxruntime", "OpenVINO": "openvino"}
AT_MOST = 1.15
BY_HAND = Path(__file__).parent / "by_hand" / "recipe.py"


class UnlikeError(RuntimeError):
    """The two sides did not do the same, so their times cannot be compared."""


@dataclass(frozen=True)
class Run:
    """One side's run: seconds by the clock and on the CPU, the latter by stage too, what was found."""

    wall: float
    cpu: float
    stages: dict[str, float]
    found: dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("--model", type=Path, required=True, help="MiniLM's model.onnx")
    parser.add_argument("--dataset", type=Path, required=True, help="its dataset.npz")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64, help="sentences are cut to this")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: all")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the pairs of each engine."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with tempfile.TemporaryDirectory() as folder, running_registry(Path(folder)) as registry:
        root = Path(folder)
        _place(root, options)
        engines = options.engine or list(ENGINES)
        results = {
            engine: _pairs(root, registry.address, engine, options.pairs) for engine in engines
        }
    return {"tokens": options.tokens, "threads": 1, "engines": results}


def _place(root: Path, options: argparse.Namespace) -> None:
    """Put source and data set, cut, where both sides find them."""
    for name in ("source", "dataset"):
        (root / name).mkdir()
    (root / "source/model.onnx").symlink_to(options.model.resolve())
    with np.load(options.dataset) as archive:
        cut = {name: archive[name][:, : options.tokens] for name in archive.files}
    np.savez(root / "dataset/dataset.npz", allow_pickle=False, **cut)


def _pairs(root: Path, registry: str, engine: str, pairs: int) -> dict[str, Any]:
    sides: dict[str, Callable[[Work], Run]] = {
        "job": lambda work: _job(work, engine),
        "byHand": lambda work: _by_hand(work, engine),
    }
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for number, order in enumerate(alternated(tuple(sides), pairs)):
        for name in order:
            with tempfile.TemporaryDirectory(dir=root) as scratch:
                repository = f"{engine.lower()}/{name.lower()}{number}"
                work = Work(root / "source", root / "dataset", Path(scratch), registry, repository)
                runs[name].append(sides[name](work))
            log.info(
                "%s %s %.1f s, %.1f s CPU", engine, name, runs[name][-1].wall, runs[name][-1].cpu
            )
        check_alike(runs["job"][-1].found, runs["byHand"][-1].found)
    return _summary(runs)


def _timed(work: Callable[[], tuple[dict[str, float], dict[str, Any]]]) -> Run:
    """Run something whose work is done by child processes."""
    before, begun = cpu_of_children(), time.perf_counter()
    stages, found = work()
    wall = time.perf_counter() - begun
    return Run(wall, cpu_of_children() - before, stages, found)


def _job(work: Work, engine: str) -> Run:
    def run() -> tuple[dict[str, float], dict[str, Any]]:
        stages, validation = run_job(work, engine)
        return stages, figures_of(validation)

    return _timed(run)


def _by_hand(work: Work, engine: str) -> Run:
    command = [
        sys.executable, str(BY_HAND), ENGINES[engine], "--model", str(work.source / "model.onnx"),
        "--dataset", str(work.dataset / "dataset.npz"), "--work", str(work.scratch),
        "--push", f"{work.registry}/{work.repository}:1",
    ]  # fmt: skip

    def run() -> tuple[dict[str, float], dict[str, Any]]:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        return found.pop("cpuSeconds"), found

    return _timed(run)


def figures_of(validation: Validation) -> dict[str, Any]:
    """Return what the job found, by the names of the script's report."""
    certified = validation.certified
    if certified is None or certified.result.cosine is None or certified.result.speedup is None:
        raise UnlikeError(f"the job measured no speed-up or cosine: {validation.message}")
    everything = [one.blocks for one in (*validation.recipe_results, certified)]
    return {
        "recipe": certified.result.recipe,
        "kept": certified.blocks.quality_kept,
        "of": certified.blocks.quality_of,
        "cosine": float(certified.result.cosine.value),
        "speedup": float(certified.result.speedup.value),
        "timedCalls": sum(
            len(block)
            for blocks in everything
            for block in (*blocks.baseline_milliseconds, *blocks.candidate_milliseconds)
        ),
    }


def check_alike(job: dict[str, Any], by_hand: dict[str, Any]) -> None:
    """Check that both sides did the same work and found the same quality.

    Raises:
        UnlikeError: They did not; the message says in what.
    """
    exact = ("recipe", "of", "kept", "timedCalls")
    unlike = {name: (job[name], by_hand[name]) for name in exact if job[name] != by_hand[name]}
    if abs(job["cosine"] - by_hand["cosine"]) > 1e-3:  # noqa: PLR2004 - the wire's digits
        unlike["cosine"] = (job["cosine"], by_hand["cosine"])
    if unlike:
        raise UnlikeError(f"job and script differ (job, by hand): {unlike}")


def _summary(runs: dict[str, list[Run]]) -> dict[str, Any]:
    job, by_hand = runs["job"], runs["byHand"]
    return {
        "wall": ratio([one.wall for one in job], [one.wall for one in by_hand], at_most=AT_MOST),
        "cpu": ratio([one.cpu for one in job], [one.cpu for one in by_hand]),
        "wallSeconds": {
            name: [round(one.wall, 2) for one in found] for name, found in runs.items()
        },
        "cpuSeconds": {name: [round(one.cpu, 2) for one in found] for name, found in runs.items()},
        "cpuSecondsByStage": {
            "job": medians([one.stages for one in job]),
            "byHand": medians([one.stages for one in by_hand]),
        },
        "found": {name: found[-1].found for name, found in runs.items()},
    }
