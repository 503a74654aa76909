"""Quantization: one candidate per recipe, made in a process that may die.

A recipe that fails, crashes or runs out of memory is a result, not the end of the job: the others
continue. One process makes all, as the quantizers take seconds to import; where it dies, the recipe at
hand is tried once more in a fresh one. Which are tried is decided by the family of the model, in
the order that the engine names (`skerry.engines.EnginePlugin.order`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from skerry.api.modelvariant import RecipeOutcome
from skerry.engines import SOURCE, Ingredients, NotSupported
from skerry.jobs.ending import first_line
from skerry.jobs.files import CandidateFile
from skerry.jobs.names import TERMINATION_LOG_VARIABLE
from skerry.jobs.plans import JobPlan
from skerry.models.assess import family_of
from skerry_optimizer.cpu import cpu_flags
from skerry_optimizer.engine import engine_of
from skerry_optimizer.models.graphs import nodes_of
from skerry_optimizer.models.precision import INTEGERS
from skerry_optimizer.models.reading import read_model
from skerry_optimizer.models.running import NotRunnable, check_kinds, load, run
from skerry_optimizer.samples import calibration_samples

if TYPE_CHECKING:
    from skerry.engines import EnginePlugin, Recipe
    from skerry.jobs.scratch import Workspace
    from skerry_optimizer.models.running import Arrays
    from skerry_optimizer.samples import Sample

BUILD = "build-recipes"
QUANTIZED_ALREADY = (
    "the source is quantized already, and a second quantization would lose more: the recipe"
    f" `{SOURCE}` builds it as it is"
)


def quantize(workspace: Workspace) -> str:
    """Make the candidates; return how many could be made, and what became of the others."""
    engine = engine_of(JobPlan.from_environment(os.environ).engine)
    left = recipes_to_build(workspace, engine)
    while left:
        code = _build_apart(left)
        unfinished = [name for name in left if not _has_ended(workspace, name)]
        if unfinished == left:
            _write_crash(workspace, engine.recipe(left[0]), code)
            unfinished = left[1:]
        left = unfinished
    candidates = workspace.read_candidates()
    made = [one.recipe for one in candidates if one.outcome is RecipeOutcome.MEASURED]
    others = [
        f"{one.recipe} {one.outcome}: {one.message}"
        for one in candidates
        if one.outcome is not RecipeOutcome.MEASURED
    ]
    return "; ".join([f"{len(made)} candidates: {', '.join(made)}", *others])


def recipes_to_build(workspace: Workspace, engine: EnginePlugin) -> list[str]:
    """Return the recipes of the source's family, up to the plan's limit."""
    graph = read_model(workspace.source_file).graph
    operators = Counter(node.op_type for node in nodes_of(graph))
    names = engine.recipes_for(
        family_of(operators), JobPlan.from_environment(os.environ).max_recipes
    )
    return [name for name in names if name != SOURCE]


def build_recipes(workspace: Workspace, names: list[str]) -> str:
    """Make candidates, in this process; return which."""
    engine = engine_of(JobPlan.from_environment(os.environ).engine)
    samples = calibration_samples(workspace)
    source = next(one for one in workspace.read_candidates() if one.recipe == SOURCE)
    expected = run(load(engine, engine.model_in(workspace.folder(SOURCE))), samples[0])
    for name in names:
        recipe = engine.recipe(name)
        if source.precision in INTEGERS and recipe.precision in INTEGERS:
            workspace.add_candidate(
                _candidate(recipe, RecipeOutcome.NOT_SUPPORTED, QUANTIZED_ALREADY)
            )
            continue
        candidate = _built(workspace, engine, recipe, samples, expected)
        if candidate.outcome is not RecipeOutcome.MEASURED:
            workspace.remove_model(name)
        workspace.add_candidate(candidate)
    return f"tried {', '.join(names)}"


def _build_apart(names: list[str]) -> int:
    """Make candidates in another process; return its exit status, negative for a signal."""
    command = [sys.executable, "-m", "skerry_optimizer", BUILD, *names]
    environment = {**os.environ, TERMINATION_LOG_VARIABLE: os.devnull}
    return subprocess.run(command, check=False, env=environment).returncode


def _has_ended(workspace: Workspace, name: str) -> bool:
    return workspace.candidate_file(name).exists()


def _write_crash(workspace: Workspace, recipe: Recipe, code: int) -> None:
    workspace.remove_model(recipe.name)
    workspace.add_candidate(_candidate(recipe, RecipeOutcome.FAILED, _ending(code)))


def _built(
    workspace: Workspace,
    engine: EnginePlugin,
    recipe: Recipe,
    samples: list[Sample],
    expected: Arrays,
) -> CandidateFile:
    scratch = workspace.work / recipe.name
    target = engine.model_in(workspace.folder(recipe.name))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(workspace.folder(SOURCE), scratch)
        source = engine.model_in(scratch)
        recipe.make(Ingredients(source, target, samples, cpu_flags()))
        check_kinds(expected, run(load(engine, target), samples[0]))
    except NotSupported as error:
        return _candidate(recipe, RecipeOutcome.NOT_SUPPORTED, str(error))
    except NotRunnable as error:
        return _candidate(recipe, RecipeOutcome.FAILED, f"made, but does not run: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a quantizer throws is this recipe's result
        message = f"{type(error).__name__}: {first_line(error)}"
        return _candidate(recipe, RecipeOutcome.FAILED, message)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return _candidate(recipe, RecipeOutcome.MEASURED, "", workspace.model_bytes(recipe.name))


def _candidate(
    recipe: Recipe, outcome: RecipeOutcome, message: str, size: int = 0
) -> CandidateFile:
    return CandidateFile(
        recipe=recipe.name,
        precision=recipe.precision,
        outcome=outcome,
        bytes=size,
        message=message[:1000],
    )


def _ending(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed, most likely out of memory: raise builds.resources.memory of the operator"
    reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
    return f"the quantizer ended with {reason}; its log is that of the quantization container"
