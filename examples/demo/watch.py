"""Shows live what Skerry does: model, class, stage, wave and node, as lines and as one table."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from skerry.api import EdgeModel, EdgeNode, ModelVariant
from skerry.cli.reading import has_failed, rejection_of, variants_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.api.edgemodel import TargetStatus
    from tests.lab.client.environment import Environment

POLL_SECONDS = 1.0

# Where nobody looks at a terminal, tables keep a width at which they can be read.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)


@dataclass(frozen=True)
class View:
    """What the cluster says at one moment."""

    model: EdgeModel
    variants: tuple[ModelVariant, ...]
    nodes: tuple[EdgeNode, ...]

    def target(self, hardware_class: str) -> TargetStatus | None:
        """Return the status of one class, once the operator has written it."""
        found = [t for t in self.model.status.targets if t.hardware_class_name == hardware_class]
        return found[0] if found else None

    def has_no_build(self, target: TargetStatus) -> bool:
        """Return whether every build for the class ended without a certificate."""
        named = variants_of(target)
        built = [v for v in self.variants if v.metadata.name in named]
        return len(built) == len(named) > 0 and all(map(has_failed, built))


class NotReachedError(RuntimeError):
    """What was waited for did not come in time; the message says what the cluster showed last."""


@dataclass
class Watcher:
    """Polls one EdgeModel and what belongs to it, and prints what changed."""

    environment: Environment
    namespace: str
    name: str
    started: float = field(default_factory=time.monotonic)
    reported: dict[str, str] = field(default_factory=dict)
    pause: Event = field(default_factory=Event)

    def look(self) -> View:
        """Read the model, its variants and the nodes."""
        listed = self.environment.get("-n", self.namespace, "edgemodels,modelvariants,edgenodes")
        of_kind: dict[str, list[Any]] = {"EdgeModel": [], "ModelVariant": [], "EdgeNode": []}
        for item in listed["items"]:
            of_kind[item["kind"]].append(item)
        model = next(m for m in of_kind["EdgeModel"] if m["metadata"]["name"] == self.name)
        variants = [v for v in of_kind["ModelVariant"] if v["spec"]["edgeModelName"] == self.name]
        return View(
            EdgeModel.model_validate(model),
            tuple(ModelVariant.model_validate(variant) for variant in variants),
            tuple(EdgeNode.model_validate(node) for node in of_kind["EdgeNode"]),
        )

    def until(self, what: str, reached: Callable[[View], bool], seconds: float) -> View:
        """Print what happens until `reached` holds; return the view.

        Raises:
            NotReachedError: after `seconds`.
        """
        deadline = time.monotonic() + seconds
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            while True:
                view = self.look()
                self.tell(view)
                live.update(table(view))
                if reached(view):
                    return view
                if time.monotonic() > deadline:
                    raise NotReachedError(
                        f"{what} did not come within {seconds:.0f} s; last: {summary(view)}"
                    )
                self.pause.wait(POLL_SECONDS)

    def tell(self, view: View) -> None:
        """Print a line for each thing that is not as it was at the last look."""
        for key, text in facts(view):
            if text and self.reported.get(key) != text:
                self.reported[key] = text
                console.print(
                    f"[dim]{time.monotonic() - self.started:7.1f} s[/]  {key:<34} {text}",
                    soft_wrap=True,
                )


def facts(view: View) -> list[tuple[str, str]]:
    """Return what is worth printing, as (subject, state)."""
    return [*target_facts(view), *stage_facts(view), *node_facts(view)]


def target_facts(view: View) -> list[tuple[str, str]]:
    """Return phase, wave and message of each class."""
    reported = []
    for target in view.model.status.targets:
        wave = (
            f", wave {target.rollout.wave.index + 1} of {target.rollout.wave.of}"
            if target.rollout.wave
            else ""
        )
        text = f"[bold]{target.phase}[/]{wave}{roles(target)} {escape(target.message)}"
        reported.append((f"{view.model.metadata.name} on {target.hardware_class_name}", text))
    return reported


def roles(target: TargetStatus) -> str:
    """Return which revision has which role, once one has any."""
    named = {
        "stable": target.rollout.stable,
        "candidate": target.rollout.candidate,
        "previous": target.rollout.previous,
    }
    return "".join(f" {role}={revision}" for role, revision in named.items() if revision)


def stage_facts(view: View) -> list[tuple[str, str]]:
    """Return the stage that each job is in."""
    reported = []
    for variant in view.variants:
        running = [s for s in variant.status.stages if s.outcome in ("Running", "Failed")]
        if running:
            stage = running[-1]
            reported.append(
                (
                    f"job {variant.metadata.name}"[:34],
                    f"{stage.name} {stage.outcome} {escape(stage.message)}",
                )
            )
    return reported


def node_facts(view: View) -> list[tuple[str, str]]:
    """Return the candidate's state and verdict on each node."""
    reported = []
    for node in view.nodes:
        for model in node.status.models:
            candidate = model.candidate
            if model.name != view.model.metadata.name or candidate is None:
                continue
            verdict = candidate.verdict
            words = (
                f" {verdict.outcome}: {escape(verdict.message or verdict.rule)}" if verdict else ""
            )
            text = (
                f"candidate {candidate.revision} {candidate.state} at {candidate.traffic} %{words}"
            )
            reported.append((f"node {node.metadata.name}", text))
    return reported


def table(view: View) -> Table:
    """Return one row per class."""
    drawn = Table(title=f"EdgeModel {view.model.metadata.name}: {view.model.status.phase}")
    for heading in ("class", "phase", "recipe", "wave", "updated", "ready", "message"):
        drawn.add_column(heading)
    for target in view.model.status.targets:
        wave = (
            f"{target.rollout.wave.index + 1}/{target.rollout.wave.of}"
            if target.rollout.wave
            else ""
        )
        nodes = target.rollout.nodes
        drawn.add_row(
            target.hardware_class_name, target.phase, target.build.recipe or "", wave,
            f"{nodes.updated}/{nodes.desired}", f"{nodes.ready}/{nodes.desired}", target.message[:60],
        )  # fmt: skip
    return drawn


def summary(view: View) -> str:
    """Return one line of the state, for an error."""
    status = view.model.status
    return f"{status.phase}; " + "; ".join(
        f"{t.hardware_class_name}: {t.phase} {t.message}" for t in status.targets
    )


def is_serving(view: View, generation: int) -> bool:
    """Return whether the spec of this generation answers on every class.

    Raises:
        NotReachedError: it was rolled back or can't be built, so that waiting longer is of no use.
    """
    status = view.model.status
    ended = any(rejection_of(view.model, t) or view.has_no_build(t) for t in status.targets)
    if ended and status.observed_generation >= generation:
        raise NotReachedError(f"it will not be served: {summary(view)}")
    ready = next((c for c in status.conditions if c.type == "Ready"), None)
    return bool(ready and ready.status == "True" and ready.observed_generation >= generation)
