"""The property of one random graph: it is refused with a reason and a cure, or served as ONNX Runtime answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import onnx

from skerry.api.edgemodel import Gates
from skerry.jobs.errors import LONGEST_MESSAGE
from skerry.tasks import Metric
from skerry_runtime.measure.goldens import joined as whole
from skerry_runtime.measure.movement import interface_difference, movement
from skerry_runtime.measure.process import WorkerError
from skerry_runtime.measure.quality import QualityError
from skerry_runtime.session import rows_are_free
from tests.jobs.graphs.asking import (
    FORMS,
    Source,
    by_binary,
    check_same,
    joined,
    rows_of,
    same,
)
from tests.jobs.graphs.job import BASELINE, SOURCE, Job, Refused
from tests.jobs.graphs.random_graph import random_model

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.jobs.plans import RegistryAccess
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.service import Service

SAMPLES = 420
ENGINES = (BASELINE, "OpenVINO")
ASKED = (0, 7, 33, 200)
TOGETHER = (3, 1, 250)
MEASURED = 60
"""Samples on which an engine other than the source's is compared with it, as the measuring stages do."""
CURES = re.compile(
    r"\b(export|save|convert|name another|leave|use|add|give|let|put|lower|number)\b|\?$"
)


@dataclass
class Found:
    """What became of one graph.

    Attributes:
        refusals: By engine, or `assess`: the stage's message.
        served: The engines that served it.
        unbuilt: What was said of recipes without a build.
    """

    refusals: dict[str, str] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)
    unbuilt: dict[str, str] = field(default_factory=dict)


@dataclass
class Case:
    """One model with its data set.

    Attributes:
        model: As the exporter wrote it.
        arrays: Its inputs, for all samples.
        folder: Of its own.
        registry: Where builds go.
        whole: Inputs whose samples are whole inputs, not rows of one.
    """

    model: onnx.ModelProto
    arrays: Arrays
    folder: Path
    registry: RegistryAccess
    whole: frozenset[str]

    def follow(self, recipes: int) -> Found:
        """Take the model through both jobs, with each engine, and ask what is served."""
        found = Found()
        for engine in ENGINES:
            job = Job(self.folder / engine, self.registry, engine, Metric.RMSE)
            try:
                self._build(job, recipes, found)
            except Refused as refused:
                self._check_message(refused.message)
                found.refusals["assess" if refused.stage == "assess" else engine] = refused.message
                if engine == BASELINE:
                    return found
            else:
                self._check_served(job, found)
        return found

    def _build(self, job: Job, recipes: int, found: Found) -> None:
        job.lay_out(self.model, self.arrays | {"labels": self._labels})
        if job.engine == BASELINE:
            job.assess()
        found.unbuilt |= job.build(recipes)

    @cached_property
    def _source(self) -> Source:
        return Source(self.model)

    @cached_property
    def _labels(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Return numbers as the first output has them; where there is none, the assessment says it."""
        try:
            first = next(iter(self._alone(0).values()))
        except Exception:  # noqa: BLE001 - ONNX Runtime's exceptions share no base but this
            first = np.zeros(1)
        return np.random.default_rng(1).normal(size=(SAMPLES, max(first.size, 1)))

    def _sample(self, row: int) -> Arrays:
        return {
            name: np.asarray(array[row] if name in self.whole else array[row : row + 1])
            for name, array in self.arrays.items()
        }

    def _alone(self, row: int) -> Arrays:
        return self._source.answers(self._sample(row))

    def _check_message(self, message: str) -> None:
        """Check that a refusal names what is wrong and a cure, in a few words."""
        assert len(message) <= LONGEST_MESSAGE, f"{len(message)} characters: {message}"
        assert "Traceback" not in message, message
        assert "unexpectedly" not in message, message
        assert CURES.search(message), f"no cure: {message}"
        graph = self.model.graph
        names = {one.name for one in (*graph.input, *graph.output)}
        names |= {word for one in graph.node for word in (one.name, one.op_type) if word}
        assert any(name in message for name in names | {"first output", "ended its process"}), (
            f"no name: {message}"
        )

    def _check_served(self, job: Job, found: Found) -> None:
        recipes = job.pull()
        service = job.serve(SOURCE, batching=False)
        if job.engine != BASELINE and not self._is_held(service):
            found.refusals[job.engine] = "measured: other answers than the source's"
            return
        self._check_interface(service)
        for place, row in enumerate(ASKED):
            ask = FORMS[place % len(FORMS)]
            check_same(ask(service, self._sample(row)), self._alone(row))
        self._check_together(job, service)
        for recipe in set(recipes) - {SOURCE}:
            self._check_form(job.serve(recipe, batching=False))
        found.served.append(job.engine)

    def _is_held(self, service: Service) -> bool:
        """Return whether the measuring stages would let a build through: by its interface and each output."""
        session, source = service.model.session, self._source
        for specs, others in ((source.inputs, session.inputs), (source.outputs, session.outputs)):
            if interface_difference(specs, others):
                return False
        rows = [self._sample(row) for row in range(MEASURED)]
        try:
            builds, wanted = (
                whole([ask(row) for row in rows]) for ask in (session.run, source.answers)
            )
            moved = [movement(name, array, builds[name]) for name, array in wanted.items()]
        except (QualityError, WorkerError):
            return False
        return all(one.low <= float(Gates().movement) for one in moved)

    def _check_form(self, service: Service) -> None:
        """Check that a recipe's build answers in the source's form, whatever it answers."""
        self._check_interface(service)
        answers, wanted = by_binary(service, self._sample(0)), self._alone(0)
        assert [(name, one.dtype, one.shape) for name, one in answers.items()] == [
            (name, one.dtype, one.shape) for name, one in wanted.items()
        ]

    def _check_together(self, job: Job, service: Service) -> None:
        """Ask several samples at once: answered one by one, computed together, or refused."""
        session, request = service.model.session, rows_of(self.arrays, TOGETHER)
        if self.whole or not rows_are_free(session.inputs):
            return
        try:
            at_once = self._source.answers(request)
        except Exception:  # noqa: BLE001 - ONNX Runtime takes no batches of it
            at_once = {}
        if not rows_are_free(session.outputs):
            if at_once:
                check_same(by_binary(service, request), at_once)
            return
        one_by_one = joined([self._alone(row) for row in TOGETHER])
        check_same(FORMS[0](service, request), one_by_one)
        together = job.serve(SOURCE, batching=True)
        if same(together.model.session.run(request), one_by_one):
            check_same(FORMS[2](together, request), one_by_one)

    def _check_interface(self, service: Service) -> None:
        """Compare names and types of what is served with the source's, in order."""
        session, source = service.model.session, self._source
        for specs, wanted in ((session.inputs, source.inputs), (session.outputs, source.outputs)):
            assert [(one.name, one.datatype) for one in specs] == [
                (one.name, one.datatype) for one in wanted
            ]


def check_seed(seed: int, folder: Path, registry: RegistryAccess, recipes: int = 1) -> Found:
    """Take one random graph from source to served answers, with each engine."""
    graph, model = random_model(seed)
    arrays = {one.name: graph.samples(one, SAMPLES) for one in graph.inputs}
    whole = frozenset(one.name for one in graph.inputs if one.shape[:1] != (None,))
    try:
        found = Case(model, arrays, folder, registry, whole).follow(recipes)
        assert "assess" in found.refusals or not graph.unservable, "served what can't be"
    except BaseException as error:
        error.add_note(f"seed {seed}\n{onnx.printer.to_text(model)[:6000]}")
        raise
    return found
