"""What all stages work with: the plan, the limits, and how memory of a model is measured."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skerry.api.units import parse_bytes, parse_quantity
from skerry.jobs.stages import memory_setting
from skerry_runtime.engine import engine_named
from skerry_runtime.limits import thread_count
from skerry_runtime.measure.blocks import Pace, pace_for
from skerry_runtime.measure.files import candidates_of
from skerry_runtime.measure.memory import write_one_operator_model
from skerry_runtime.measure.process import (
    KilledError,
    ModelFile,
    Process,
    WorkerError,
    started,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.jobs.plans import JobPlan
    from skerry.jobs.scratch import Workspace
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.measure.files import Candidate
    from skerry_runtime.measure.memory import Memory

# Processes whose peak memory is read: of the empty runtime, the baseline and what is certified.
MEMORY_PROCESSES = 3
CPU_VARIABLE = "SKERRY_CPU_LIMIT"


@dataclass(frozen=True)
class Bench:
    """One job's plan and mounts, and the container that works with them."""

    plan: JobPlan
    workspace: Workspace
    container: str

    @property
    def cpu_limit(self) -> float:
        """The serving CPU limit, in cores."""
        return parse_quantity(self.plan.limits.cpu)

    @property
    def quota(self) -> float:
        """The CPU that this container may use, in cores."""
        return float(os.environ.get(CPU_VARIABLE, self.cpu_limit))

    def pace(self, baseline_seconds: float) -> Pace:
        """Return how calls are grouped and spaced in this container."""
        return pace_for(baseline_seconds, self.quota, self.threads)

    @property
    def threads(self) -> int:
        """Threads of one inference, as the server will use, whatever this container may use."""
        return thread_count(self.cpu_limit)

    @property
    def memory_limit(self) -> int:
        """The serving memory limit, in bytes."""
        return parse_bytes(self.plan.limits.memory)

    @property
    def source(self) -> ModelFile:
        """The baseline: the source as it came."""
        return ModelFile(self.plan.baseline_engine, self.workspace.source_file)

    @property
    def candidates(self) -> list[Candidate]:
        """What the optimizer left, the most promising first.

        Raises:
            WorkerError: Nothing.
            ModelError: This image does not have the engine.
        """
        return candidates_of(self.workspace, engine_named(self.plan.engine))

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self.plan.evaluation.metric.value

    @contextmanager
    def started(self, model: ModelFile) -> Iterator[Process]:
        """Start a fresh process with `model` loaded; it is ended after.

        Raises:
            WorkerError: The model can't be loaded or run here.
        """
        try:
            with started(model, self.threads) as process:
                yield process
        except KilledError as error:
            raise WorkerError(f"{error}: raise {memory_setting(self.container)}") from error

    def memory_of(self, model: ModelFile, sample: Arrays) -> Memory:
        """Return the memory of a fresh process with `model` loaded and warm."""
        with self.started(model) as process:
            return process.warm_up(sample)[1]

    def empty_peaks(self) -> tuple[int, ...]:
        """Return the peaks of fresh processes with a one-operator model: the empty runtime.

        It is the baseline's engine, whatever engine made the candidates: a runtime that needs more
        than that one is paid for by the device, and so by the candidate (docs/adr/0013).
        """
        file = write_one_operator_model(self.workspace.measure)
        model = ModelFile(self.plan.baseline_engine, file)
        sample = {"x": np.ones(1, np.float32)}
        return tuple(self.memory_of(model, sample).peak for _ in range(MEMORY_PROCESSES))
