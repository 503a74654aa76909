"""The recipe by hand: convert, quantize, optimize, judge, time, choose, certify on other samples, push.

A plain script of a person who knows engine and method, for one engine and one recipe:

    python recipe.py onnxruntime --model M.onnx --dataset D.npz --work FOLDER --push HOST:PORT/REPOSITORY

Prints JSON: the figures that the job finds too. It takes the shortcuts that a person would: one process
for everything but the peaks of memory, each model opened once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measuring
import numpy as np
import onnx
from onnx import helper
from runtimes import open_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from measuring import Data, Quality, Run

RUNTIMES = "runtimes"


def empty_model(work: Path) -> Path:
    """Write a model of one operator: what the runtime needs without one."""
    value = [helper.make_tensor_value_info(name, 1, ["N"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", "x", "y")], "e", value[:1], value[1:])
    file = work / "empty.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file
    )
    return file


class Bench:
    """The models side by side, opened once."""

    def __init__(self, source: Path, candidates: dict[str, Path], data: dict[str, Data]) -> None:
        self.files = {"baseline": source, **candidates}
        self.runs: dict[str, Run] = {name: open_model(file) for name, file in self.files.items()}
        self.candidates = tuple(candidates)
        self.data = data

    def judged(self, use: str) -> dict[str, Quality]:
        """Judge every candidate on the samples of one use."""
        data = self.data[use]
        baseline = measuring.alone(self.runs["baseline"], data)
        found = {}
        for name in self.candidates:
            by_itself = measuring.alone(self.runs[name], data)
            found[name] = measuring.worse_of_batches(self.runs[name], data, baseline, by_itself)
        return found

    def race(self, name: str, use: str) -> measuring.Timing:
        """Time a candidate against the baseline."""
        return measuring.race(self.runs["baseline"], self.runs[name], self.data[use])

    def peaks(self, name: str, work: Path, processes: int) -> list[int]:
        """Return the peaks of memory in fresh processes."""
        return measuring.peaks(RUNTIMES, self.files[name], self.data["choice"], work, processes)

    def golden(self, name: str, work: Path) -> None:
        """Keep the answers that a device is compared with, and see that they repeat."""
        data = self.data["golden"]
        runs = [open_model(self.files[name]) for _ in range(2)]
        answers = [measuring.alone(run, data) for run in (*runs, *runs)]
        deviation = max(float(np.abs(answers[0] - again).max()) for again in answers[1:])
        np.savez(
            work / "golden.npz",
            allow_pickle=False,
            output=answers[0],
            deviation=deviation,
            **data.arrays,
        )


def measured(bench: Bench, recipe: str, work: Path, done: Callable[[str], None]) -> dict[str, Any]:
    """Judge, time, choose, and measure the chosen one again on other samples."""
    p50 = measuring.know(bench.runs["baseline"], bench.data["choice"])
    empty = measuring.peaks(
        RUNTIMES, empty_model(work), measuring.Data({"x": np.ones(1, np.float32)}), work, 3
    )
    baseline = bench.peaks("baseline", work, 3)
    done("baseline")
    quality = {use: bench.judged(use) for use in ("choice", "certification")}
    done("quality")
    peaks = {name: bench.peaks(name, work, 1) for name in bench.candidates}
    timings = [bench.race(name, "choice") for name in bench.candidates]
    # certified on other samples, in other processes
    certified = bench.race(recipe, "certification")
    timings.append(certified)
    certified_peaks = bench.peaks(recipe, work, 3)
    bench.golden(recipe, work)
    done("validation")
    of = quality["certification"][recipe]
    return {
        "recipe": recipe,
        "baselineMilliseconds": p50,
        "kept": of.kept,
        "of": of.of,
        "cosine": of.cosine,
        "speedup": certified.speedup,
        "memorySaved": measuring.saved(baseline, certified_peaks, empty),
        "timedCalls": sum(timing.calls for timing in timings),
        "peaks": peaks,
    }


def push(files: list[Path], target: str) -> None:
    """Push the chosen model and what was found, as `oras push` does."""
    from oras.client import OrasClient  # noqa: PLC0415 - only here

    client = OrasClient(insecure=True)
    client.push(target=target, files=[str(file) for file in files], disable_path_validation=True)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children so far."""
    return sum(os.times()[:4])


def main() -> None:
    """Do all steps; nothing is left out that the job does for its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=["onnxruntime", "openvino"])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--push", required=True)
    options = parser.parse_args()
    quantize = [sys.executable, str(Path(__file__).with_name(f"{options.engine}_recipe.py"))]
    # apart, as quantizers leave hundreds of megabytes behind
    used: dict[str, float] = {}

    def done(step: str) -> None:
        used[step] = cpu_seconds() - sum(used.values())

    subprocess.run([*quantize, str(options.model), str(options.work)], check=True)
    done("build")
    recipe = importlib.import_module(f"{options.engine}_recipe")
    data = measuring.split(options.dataset)
    candidates = {name: options.work / file for name, file in recipe.FILES.items()}
    bench = Bench(options.model, candidates, data)
    found = measured(bench, recipe.RECIPE, options.work, done)
    (options.work / "report.json").write_text(json.dumps(found))
    model = candidates[recipe.RECIPE]
    files = sorted(model.parent.glob(f"{model.stem}.*"))
    push([*files, options.work / "golden.npz", options.work / "report.json"], options.push)
    done("push")
    sys.stdout.write(json.dumps({**found, "cpuSeconds": used}) + "\n")


if __name__ == "__main__":
    main()
