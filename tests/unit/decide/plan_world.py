"""Builders of snapshots: an EdgeModel whose targets can be moved from step to step."""

from __future__ import annotations

from collections import UserDict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from skerry.api import EdgeModel, EdgeModelStatus, HardwareClass, ModelVariant
from skerry.api.artifact import Role
from skerry.api.config import OperatorConfig
from skerry.api.edgemodel import ArtifactStatus, Assessment
from skerry.api.modelvariant import (
    EvaluationPlan,
    GateOutcome,
    GateResult,
    Interval,
    PinnedArtifact,
    RecipeResult,
    VariantArtifact,
)
from skerry.decide.decision import AssessJob, BuildJob, FetchJob
from skerry.decide.edgemodel import decide
from skerry.decide.rollout import NodeView
from skerry.decide.snapshot import (
    ContainerPhase,
    ContainerView,
    Finished,
    JobView,
    Pin,
    Pins,
    PodView,
    Snapshot,
)
from skerry.engines import installed_engines
from skerry.jobs.results import JobSummary
from skerry.jobs.stages import STAGES
from skerry.precision import Precision
from skerry.tasks import Metric

if TYPE_CHECKING:
    from skerry.api import ModelRouteSpec
    from skerry.decide.decision import Decision

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOURCE = PinnedArtifact(uri="oci://reg.example/models/intent:3", digest="sha256:" + "a" * 64)
DATASET = PinnedArtifact(uri="oci://reg.example/data/intent:1", digest="sha256:" + "b" * 64)
IMAGE = "reg.example/skerry/image@sha256:" + "c" * 64
CONFIG = OperatorConfig.model_validate(
    {
        "registry": {"address": "reg.example:5000"},
        "sources": {"fetcherImage": IMAGE},
        "engines": {
            "ONNXRuntime": {
                "version": "1.32.0", "recipeSet": "onnxruntime/1",
                "optimizerImage": IMAGE, "runtimeImage": IMAGE,
            }
        },
    }
)  # fmt: skip
PLUGINS = installed_engines()
MAIN = {FetchJob: "fetch", AssessJob: "assess", BuildJob: "pack"}
EVALUATION = EvaluationPlan(
    dataset=DATASET, metric=Metric.ACCURACY, calibration_samples=128, golden_samples=8
)
ASSESSMENT = Assessment(
    source_digest=SOURCE.digest, format="ONNX", bytes=100, parameters=10, family="Transformer",
    dataset=EVALUATION.assessed(1000),
)  # fmt: skip


def edge_model(*classes: str, **spec: Any) -> EdgeModel:
    """Return an EdgeModel for these classes."""
    whole = {
        "source": {"uri": SOURCE.uri},
        "evaluation": {"dataset": {"uri": DATASET.uri}, "metric": "Accuracy"},
        "targets": [{"hardwareClassName": name} for name in classes],
        **spec,
    }
    metadata = {
        "name": "intent", "namespace": "assist", "uid": "u1", "generation": 1,
        "creationTimestamp": "2026-11-23T11:00:00Z",
    }  # fmt: skip
    return EdgeModel.model_validate({"metadata": metadata, "spec": whole})


def hardware_class(name: str) -> HardwareClass:
    """Return a class that selects by its own name."""
    metadata = {"name": name, "uid": f"uid-{name}", "generation": 1}
    spec = {"nodeSelector": {"class": name}}
    return HardwareClass.model_validate({"metadata": metadata, "spec": spec})


def interval(value: float) -> Interval:
    """Return an interval of one percent around a value."""
    return Interval(value=f"{value}", low=f"{value * 0.99}", high=f"{value * 1.01}")


def recipe_result(
    recipe: str = "dynamic-int8", quality: float = 0.98, speedup: float = 1.9
) -> RecipeResult:
    """Return a measured recipe result."""
    return RecipeResult(
        recipe=recipe, precision=Precision.INT8, bytes=50, quality=interval(quality),
        speedup=interval(speedup), memory_reduction=interval(0.5),
    )  # fmt: skip


def summary(*recipe_results: RecipeResult, passed: bool = True) -> JobSummary:
    """Return the result of `pack` for these recipe results; the first is chosen."""
    digest = "sha256:" + "d" * 64
    gate = GateResult(
        name="quality", required=True, threshold="0.95", observed=recipe_results[0].quality,
        outcome=GateOutcome.PASS if passed else GateOutcome.FAIL, message="quality 0.9 m…",
    )  # fmt: skip
    return JobSummary(
        recipe_results=recipe_results,
        chosen=recipe_results[0].recipe if passed else None,
        certified=recipe_results[0] if passed else None,
        gates=(gate,),
        artifact=VariantArtifact(image=f"reg.example/x@{digest}", digest=digest)
        if passed
        else None,
        model_digest=digest if passed else None,
        message="" if passed else gate.message,
    )


class NothingFinished(UserDict[str, Finished | None]):
    """A registry without finished work, in which every tag was looked up."""

    def __contains__(self, tag: object) -> bool:
        """Return that every one was looked up."""
        return True

    def __getitem__(self, tag: str) -> None:
        """Return that nothing was found."""


@dataclass(frozen=True)
class World:
    """A snapshot that takes in decisions, as the API server and the controllers would."""

    snapshot: Snapshot
    now: datetime = NOW
    jobs: dict[str, FetchJob | AssessJob | BuildJob] = field(default_factory=dict)

    def decide(self) -> Decision:
        """Return what the operator would write now."""
        return decide(self.snapshot, self.now)

    def step(self) -> World:
        """Write what is decided."""
        return self.after(self.decide())

    def settle(self) -> World:
        """Write until nothing changes any more."""
        world = self
        for _ in range(20):
            following = world.step()
            if following.snapshot == world.snapshot:
                return world
            world = following
        raise AssertionError("the decisions never settle")

    def after(self, decision: Decision) -> World:
        """Return the state after all writes of a decision."""
        old = self.snapshot
        variants = dict(old.variants)
        for name, spec in decision.variants.items():
            metadata = {"name": name, "generation": 1, "creationTimestamp": self.now}
            variants[name] = ModelVariant.model_validate(
                {"metadata": metadata, "spec": spec.to_wire()}
            )
        for name, status in decision.variant_statuses.items():
            variants[name] = variants[name].model_copy(update={"status": status})
        jobs = {job.name: job for job in old.jobs}
        for job in decision.jobs:
            jobs[job.made.name] = JobView(job.made.name, job.made.work, job.made.retry, self.now)
        for gone in decision.deletions.jobs:
            jobs.pop(gone, None)
        known = self.jobs | {job.made.name: job for job in decision.jobs}
        snapshot = replace(
            old,
            model=old.model.model_copy(update={"status": decision.status}),
            variants={n: v for n, v in variants.items() if n not in decision.deletions.variants},
            jobs=tuple(jobs.values()),
            routes=self._routes(decision),
            daemonsets=self._daemonsets(decision),
        )
        return replace(self, snapshot=snapshot, jobs=known)

    def job(self, **changes: Any) -> World:
        """Change the newest job."""
        *others, last = self.snapshot.jobs
        jobs = (*others, replace(last, **changes))
        return replace(self, snapshot=replace(self.snapshot, jobs=jobs))

    def job_ends(self, message: str) -> World:
        """Let the newest job succeed with this message."""
        name = self.snapshot.jobs[-1].name
        main = MAIN[type(self.jobs[name])]
        stages = {
            "assess": [],
            "fetch": ["look"],
            "pack": [spec.name for spec in STAGES if spec.shown_as],
        }[main]
        containers = tuple(ended(c, f"{c} done") for c in stages)
        pod = PodView("pod-1", self.now, "node-1", containers=(*containers, ended(main, message)))
        return self.job(succeeded=True, finished_at=self.now, pods=(pod,))

    def model(self, **changes: Any) -> World:
        """Return the world with another spec of the EdgeModel, and the next generation."""
        old = self.snapshot.model
        spec = old.spec.model_validate({**old.spec.to_wire(), **changes})
        metadata = old.metadata.model_copy(
            update={"generation": (old.metadata.generation or 0) + 1}
        )
        return self.with_(model=old.model_copy(update={"spec": spec, "metadata": metadata}))

    def annotated(self, **annotations: str) -> World:
        """Return the world with annotations of the EdgeModel (`_` for `/`, under skerry.dev)."""
        old = self.snapshot.model
        named = {f"skerry.dev/{name}": value for name, value in annotations.items()}
        metadata = old.metadata.model_copy(update={"annotations": named})
        return self.with_(model=old.model_copy(update={"metadata": metadata}))

    def with_(self, **changes: Any) -> World:
        """Return the world with a changed snapshot."""
        return replace(self, snapshot=replace(self.snapshot, **changes))

    def later(self, seconds: float) -> World:
        """Return the world after some time."""
        return replace(self, now=self.now + timedelta(seconds=seconds))

    def _routes(self, decision: Decision) -> dict[str, ModelRouteSpec]:
        routes = {**self.snapshot.routes, **decision.routes}
        return {name: r for name, r in routes.items() if name not in decision.deletions.routes}

    def _daemonsets(self, decision: Decision) -> dict[str, dict[str, Any]]:
        found = {name: dict(revisions) for name, revisions in self.snapshot.daemonsets.items()}
        for plan in decision.daemonsets:
            assert plan.revision in found.get(plan.hardware_class, {}) or plan.served is not None
            found.setdefault(plan.hardware_class, {})[plan.revision] = plan.placement
        for revisions in found.values():
            for gone in decision.deletions.daemonsets:
                revisions.pop(gone, None)
        return {name: revisions for name, revisions in found.items() if revisions}


def ended(name: str, message: str, exit_code: int = 0, reason: str = "Completed") -> ContainerView:
    """Return a container that has ended."""
    return ContainerView(name, ContainerPhase.TERMINATED, reason, message, exit_code, NOW, NOW)


def world(*classes: str, **spec: Any) -> World:
    """Return a new EdgeModel on a cluster with a node for each class, digests resolved."""
    names = classes or ("x86",)
    return World(
        Snapshot(
            model=edge_model(*names, **spec),
            config=CONFIG,
            plugins=PLUGINS,
            classes={name: hardware_class(name) for name in names},
            nodes={name: (NodeView(f"{name}-1", 0, reachable=True),) for name in names},
            pins=Pins({Role.SOURCE: Pin(SOURCE), Role.DATASET: Pin(DATASET)}),
            finished=NothingFinished(),
        )
    )


def assessed(*classes: str, **spec: Any) -> World:
    """Return the same, with the source assessed."""
    made = world(*classes, **spec)
    source = ArtifactStatus(role=Role.SOURCE, uri=SOURCE.uri, digest=SOURCE.digest)
    status = EdgeModelStatus(assessment=ASSESSMENT, artifacts=(source,))
    return made.with_(model=made.snapshot.model.model_copy(update={"status": status}))


def built(*classes: str, **spec: Any) -> World:
    """Return the same, with the first target's job ended and certified."""
    return (
        assessed(*classes, **spec)
        .step()
        .job_ends(summary(recipe_result()).model_dump_json(by_alias=True))
    )
