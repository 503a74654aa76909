"""HardwareAcceleration: ONNX Runtime's graph optimisation, done once here and not in every start.

Fused operators start a revision two to four times sooner and load with less memory. A candidate
that does not survive it stays as it was. At the end the candidates go to the registry, so that a
job that is tried again, or one under other limits, has only to measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.artifacts.images import RegistryClient
from skerry_optimizer.builds import push_build
from skerry_optimizer.models.running import NotRunnable, likeness, load, run
from skerry_optimizer.samples import calibration_samples
from skerry_optimizer.workspace import Workspace, read_plan

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.api.job import CandidateFile
    from skerry_optimizer.samples import Sample

LEAST_LIKENESS = 0.999
"""Cosine to the answers before: fusions change rounding, in int8 a little more."""


def accelerate(workspace: Workspace) -> str:
    """Optimise each candidate's graph and push them all; return what was gained and what failed.

    Raises:
        StageError: The registry can't take the candidates.
    """
    plan = read_plan()
    results = []
    for candidate in workspace.built_candidates():
        file = workspace.model(candidate.recipe)
        sample = calibration_samples(workspace, plan, file)[0]
        results.append(_accelerate(workspace, candidate, sample))
    push_build(RegistryClient(plan.registry), workspace, plan)
    kept = [result for result in results if result]
    done = f"{len(results) - len(kept)} of {len(results)} graphs optimised"
    return "; ".join([done, *kept])


def _accelerate(workspace: Workspace, candidate: CandidateFile, sample: Sample) -> str:
    """Replace the candidate's model by its optimised form; return why not, if so."""
    file = workspace.model(candidate.recipe)
    optimised = file.with_name("optimised.onnx")
    problem = _optimise(file, optimised, sample)
    if problem:
        optimised.unlink(missing_ok=True)
        problem = f"{candidate.recipe} stays as it is: {problem}"
    else:
        optimised.replace(file)
    update = {
        "bytes": file.stat().st_size,
        "message": "; ".join(part for part in (candidate.message, problem) if part),
    }
    workspace.write_candidate(candidate.model_copy(update=update))
    return problem


def _optimise(file: Path, optimised: Path, sample: Sample) -> str:
    try:
        load(file, save_optimised=optimised)
        before, after = run(load(file), sample), run(load(optimised), sample)
    except NotRunnable as error:
        return str(error)
    alike = likeness(before, after)
    if alike < LEAST_LIKENESS:
        return f"optimised, it answers differently (cosine {alike:.4f})"
    return ""
