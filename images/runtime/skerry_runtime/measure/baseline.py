"""The stage BaselineMeasurement: the unoptimized source in float32, as every ratio's denominator.

It also splits the data set, for all stages after. The source's answers are the stage `quality`'s:
under the serving CPU limit they would take minutes and be the same.
"""

from __future__ import annotations

import logging
from statistics import median
from typing import TYPE_CHECKING

from skerry.jobs.files import BaselineFile, TensorInfo
from skerry_runtime.dataset import (
    Split,
    load_evaluation,
    sizes_for,
    split_dataset,
)
from skerry_runtime.measure.bench import MEMORY_PROCESSES, Bench
from skerry_runtime.measure.files import Samples, samples_of
from skerry_runtime.measure.increments import increments
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.measure.source_answers import source_answers, write_source_answers
from skerry_runtime.session import rows_are_free

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skerry_runtime.dataset import Dataset
    from skerry_runtime.datatypes import TensorLike
    from skerry_runtime.measure.memory import Memory
    from skerry_runtime.measure.process import Process

log = logging.getLogger("skerry_runtime.measure")

# Enough for the interval of a share near 0.95 to be about 4 % wide; more only costs a slow device
# time. Certification judges one candidate, so it can afford more.
MOST_SAMPLES = {Split.CHOICE: 500, Split.CERTIFICATION: 1000}
# For people to know the source's latency; speed-ups come from blocks next to each candidate's.
CALLS = 40
LOOKED_AT = 16
"""Samples whose answers show which outputs have rows."""


def measure_baseline(bench: Bench) -> str:
    """Measure the source; writes the samples and baseline.json, returns the stage's message.

    Raises:
        DatasetError, WorkerError: The data set or the source can't be used.
    """
    bench.workspace.measure.mkdir(parents=True, exist_ok=True)
    with bench.started(bench.source) as process:
        inputs = _infos(process.loaded.inputs)
        samples = _write_samples(bench, inputs)
        sample = samples.first()
        seconds, memory = process.warm_up(sample)
        process.use(samples.files)
        pace = bench.pace(seconds)
        times = process.block(range(min(CALLS, samples.count)), pace.spread)[0]
        peaks = [memory.peak]
        peaks += [bench.memory_of(bench.source, sample).peak for _ in range(MEMORY_PROCESSES - 1)]
        found = BaselineFile(
            engine_version=process.loaded.version,
            inputs=inputs,
            outputs=_infos(process.loaded.outputs),
            whole=(*sorted(samples.whole), *whole_outputs(process, samples)),
            p50_milliseconds=median(times),
            empty_peaks=bench.empty_peaks(),
            baseline_peaks=tuple(peaks),
            anonymous_bytes=memory.anonymous,
        )
        calibration = samples_of(bench.workspace, Split.CALIBRATION, inputs)
        process.use(calibration.files)
        write_source_answers(calibration, source_answers(process.batch, calibration.count))
    bench.workspace.write_baseline(found)
    return _message(bench, found, memory)


def whole_outputs(process: Process, samples: Samples) -> list[str]:
    """Return the outputs that are not one row for each sample: scalars, and what is found in samples."""
    answers = process.outputs(range(min(LOOKED_AT, samples.count)))
    found = [
        name for name in answers[0] if any(answer[name].shape[:1] != (1,) for answer in answers)
    ]
    loaded = process.loaded
    if found or samples.whole or not rows_are_free([*loaded.inputs, *loaded.outputs]):
        return found
    try:
        together = process.batch([0, 1])
    except WorkerError:  # it is served row by row: the stage `quality` finds the same
        return []
    return [name for name, array in together.items() if array.shape[:1] != (2,)]


def _infos(specs: Sequence[TensorLike]) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(name=spec.name, datatype=spec.datatype, shape=spec.shape) for spec in specs
    )


def _write_samples(bench: Bench, inputs: tuple[TensorInfo, ...]) -> Samples:
    """Put each split on disk; returns the one to choose on."""
    for split, part in _splits(bench, inputs).items():
        written = samples_of(bench.workspace, split, inputs)
        written.write(part.first(MOST_SAMPLES.get(split, part.samples)))
    return samples_of(bench.workspace, Split.CHOICE, inputs)


def _splits(bench: Bench, inputs: tuple[TensorInfo, ...]) -> dict[Split, Dataset]:
    evaluation = bench.plan.evaluation
    dataset = load_evaluation(bench.workspace.dataset_file, inputs, evaluation)
    return split_dataset(dataset, evaluation.dataset.digest, sizes_for(evaluation))


def _message(bench: Bench, found: BaselineFile, memory: Memory) -> str:
    increment = median(increments(found.baseline_peaks, found.empty_peaks))
    return (
        f"source on {bench.plan.baseline_engine} {found.engine_version},"
        f" {bench.threads} thread(s) as under"
        f" {bench.plan.limits.cpu} CPU: p50 {found.p50_milliseconds:.2f} ms,"
        f" {increment / 1e6:.0f} MB over the empty runtime at its peak"
        f" ({memory.peak / 1e6:.0f} MB in all, {memory.anonymous / 1e6:.0f} MB anonymous)"
    )
