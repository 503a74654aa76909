"""HardwareAcceleration: graph optimization done once here and not in every start, where it can be stored.

A candidate that does not survive it stays as it was. At the end the candidates go to the registry,
so that a job that is tried again, or one under other limits, has only to measure.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from skerry.artifacts.images import JOB, RegistryClient
from skerry.engines import ModelError
from skerry.jobs.plans import JobPlan
from skerry_optimizer.builds import push_build
from skerry_optimizer.engine import engine_of, optimizer_of
from skerry_optimizer.models.running import NotRunnable, likeness, load, run
from skerry_optimizer.samples import calibration_sample

if TYPE_CHECKING:
    from skerry.engines import EnginePlugin, Optimizer
    from skerry.jobs.files import CandidateFile
    from skerry.jobs.scratch import Workspace
    from skerry_optimizer.samples import Sample

LEAST_LIKENESS = 0.999
"""Cosine of stored to in memory: loading fuses once more, which changes rounding, in int8 a little more."""


def accelerate(workspace: Workspace) -> str:
    """Optimize each candidate's graph and push them all; return what was gained and what failed.

    Raises:
        StageError: The registry can't take the candidates.
    """
    plan = JobPlan.from_environment(os.environ)
    engine = engine_of(plan.engine)
    optimizer = optimizer_of(engine)
    message = (
        f"{engine.title} optimizes graphs for the CPU at hand while it loads them"
        if optimizer is None
        else _accelerate_all(workspace, engine, optimizer)
    )
    push_build(RegistryClient(plan.registry, patience=JOB), workspace, plan)
    return message


def _accelerate_all(workspace: Workspace, engine: EnginePlugin, optimizer: Optimizer) -> str:
    results = []
    sample = calibration_sample(workspace)
    for candidate in workspace.built_candidates():
        problem = _optimize(engine, optimizer, candidate, workspace, sample)
        results.append(problem)
        _write(workspace, candidate, problem)
    kept = [result for result in results if result]
    done = f"{len(results) - len(kept)} of {len(results)} graphs optimized"
    return "; ".join([done, *kept])


def _write(workspace: Workspace, candidate: CandidateFile, problem: str) -> None:
    update = {
        "bytes": workspace.model_bytes(candidate.recipe),
        "message": "; ".join(part for part in (candidate.message, problem) if part),
    }
    workspace.write_candidate(candidate.model_copy(update=update))


def _optimize(
    engine: EnginePlugin,
    optimizer: Optimizer,
    candidate: CandidateFile,
    workspace: Workspace,
    sample: Sample,
) -> str:
    """Replace the candidate's model by its optimized form; return why not, if so."""
    file = engine.model_in(workspace.folder(candidate.recipe))
    optimized = file.with_stem("optimized")
    problem = ""
    try:
        in_memory, stored = optimizer(file, optimized), load(engine, optimized)
        alike = likeness(run(in_memory, sample), run(stored, sample))
        if alike < LEAST_LIKENESS:
            problem = f"stored, it answers otherwise than in memory (cosine {alike:.4f})"
    except (ModelError, NotRunnable) as error:
        problem = str(error)
    if problem:
        optimized.unlink(missing_ok=True)
        return f"{candidate.recipe} stays as it is: {problem}"
    optimized.replace(file)
    return ""
