"""A job as the operator renders it: the commands and environment of its containers, as processes.

Only what a machine without kubelet cannot have is different: folders in place of mounts, this interpreter
in place of the images', no limits. So what starting containers costs is not in it (first-node has that).
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from skerry.api.common import ResourceLimits
from skerry.api.config import OperatorConfig
from skerry.api.edgemodel import Gates, Weights
from skerry.api.modelvariant import EvaluationPlan, PinnedArtifact
from skerry.decide.decision import BuildJob, JobTry
from skerry.engines import find_engine, installed_engines
from skerry.engines.plugin import baseline_among
from skerry.jobs.plans import JobPlan, RegistryAccess
from skerry.jobs.scratch import Workspace
from skerry.render.jobs import optimization_job
from skerry.render.parts import Owner
from skerry.tasks import Metric

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.jobs.files import Validation

OWNER = Owner("encoder", "benchmarks", "benchmarks")
GOLDEN, CALIBRATION = 16, 100  # as by hand; another split would show as another quality
SOURCE_AND_ONE_RECIPE = 2
# Gates that one look decides: what is compared must not depend on how many more blocks luck asks for.
GATES = Gates(quality="0.5", speedup="0.1", memory_reduction="0")
ANY = "benchmark@sha256:" + "0" * 64


class JobError(RuntimeError):
    """A stage failed; the message holds its last words."""


@dataclass(frozen=True)
class Work:
    """Where a job finds its source and data set, and what it may write to."""

    source: Path
    dataset: Path
    scratch: Path
    registry: str
    repository: str

    def plan(self, engine: str) -> JobPlan:
        """Return the plan of one engine: the source in float32 and the engine's first recipe."""
        plugin = find_engine(engine)
        key = sha256(self.repository.encode()).hexdigest()
        digest = "sha256:" + sha256((self.dataset / "dataset.npz").read_bytes()).hexdigest()
        dataset = PinnedArtifact(uri="oci://benchmarks/dataset:1", digest=digest)
        return JobPlan(
            edge_model=OWNER.name, namespace=OWNER.namespace, hardware_class="this-machine",
            build_key=key, evidence_key=key, engine=engine, engine_version=plugin.version(),
            recipe_set=plugin.recipe_set,
            baseline_engine=baseline_among(installed_engines(), engine),
            source=PinnedArtifact(uri="oci://benchmarks/source:1", digest="sha256:" + "1" * 64),
            evaluation=EvaluationPlan(
                dataset=dataset, metric=Metric.NEAREST_NEIGHBORS, calibration_samples=CALIBRATION,
                golden_samples=GOLDEN,
            ),
            max_recipes=SOURCE_AND_ONE_RECIPE, limits=ResourceLimits(cpu="1", memory="2Gi"),
            gates=GATES, weights=Weights(),
            registry=RegistryAccess(
                address=self.registry, repository=self.repository, insecure=True
            ),
        )  # fmt: skip


def containers(plan: JobPlan) -> list[dict[str, Any]]:
    """Return the job's containers in the order in which the kubelet runs them."""
    images = {
        "version": plan.engine_version, "recipe_set": plan.recipe_set,
        "optimizer_image": ANY, "runtime_image": ANY,
    }  # fmt: skip
    config = OperatorConfig.model_validate(
        {"registry": {"address": plan.registry.address}, "engines": {plan.engine: images}}
    )
    made = JobTry(name="benchmark", work="0" * 12, retry="1")
    build = BuildJob(made, "benchmark", plan, plan.engine, deadline_seconds=3600)
    pod = optimization_job(OWNER, build, config)["spec"]["template"]["spec"]
    return [*pod["initContainers"], *pod["containers"]]


def run_job(work: Work, engine: str) -> tuple[dict[str, float], Validation]:
    """Run all stages; return CPU seconds by stage, and what the job found.

    Raises:
        JobError: A stage failed, or nothing was certified.
    """
    (work.scratch / "tmp").mkdir(parents=True)
    seconds = {}
    for container in containers(work.plan(engine)):
        begun = cpu_of_children()
        _run_stage(container, work)
        seconds[container["name"]] = cpu_of_children() - begun
    found = Workspace(scratch=work.scratch).read_validation()
    if found.certified is None:
        raise JobError(f"the job certified nothing: {found.message}")
    return seconds, found


def cpu_of_children() -> float:
    """Return the CPU seconds of all child processes that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run_stage(container: dict[str, Any], work: Work) -> None:
    termination_log = work.scratch / "termination-log"
    given = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    here = {
        "HOME": str(work.scratch), "TMPDIR": str(work.scratch / "tmp"),
        "SKERRY_SOURCE_DIR": str(work.source), "SKERRY_DATASET_DIR": str(work.dataset),
        "SKERRY_SCRATCH_DIR": str(work.scratch), "SKERRY_TERMINATION_LOG": str(termination_log),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *container["command"][1:]], env={**os.environ, **given, **here},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        words = termination_log.read_text() if termination_log.exists() else done.stderr[-2000:]
        raise JobError(f"stage {container['name']} ended with {done.returncode}: {words}")
