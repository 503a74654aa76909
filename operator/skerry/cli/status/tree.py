"""One model as a tree: class, build, roles, wave, nodes, each with its reason at a glance. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.tree import Tree

from skerry.api.edgenode import CandidateState, VerdictOutcome
from skerry.api.modelvariant import StageOutcome
from skerry.api.reasons import ConditionType
from skerry.cli.reading import variants_of
from skerry.cli.status.words import STYLES, age, figure
from skerry.decide.conditions import condition_of
from skerry.decide.rollout.model import WaveStep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from skerry.api import EdgeNode, ModelVariant
    from skerry.api.edgemodel import TargetStatus
    from skerry.api.edgenode import NodeModel
    from skerry.api.modelvariant import StageStatus
    from skerry.cli.reading import Picture

NODES_SHOWN = 8
FRONT_SHOWN = 6
_STAGE = {
    StageOutcome.SUCCEEDED: "[green]✓[/]",
    StageOutcome.RUNNING: "[cyan]…[/]",
    StageOutcome.FAILED: "[red]✗[/]",
    StageOutcome.PENDING: "[dim]·[/]",
}


def tree(picture: Picture, now: datetime, *, all_nodes: bool = False) -> Tree:
    """Return the tree of the model, with its nodes that have something to report, or all."""
    model = picture.model
    root = Tree(_headline(picture))
    if not model.status.targets:
        root.add("[dim]the operator has not reconciled it yet[/]")
    for target in model.status.targets:
        branch = root.add(_target(target))
        branch.add(escape(target.message)) if target.message else None
        _builds(branch, picture, target, now)
        _rollout(branch, picture, target, now)
        _nodes(branch, picture, target, all_nodes=all_nodes)
    return root


def _headline(picture: Picture) -> str:
    model = picture.model
    ready = condition_of(model.status.conditions, ConditionType.READY)
    said = f"Ready={ready.status} ({ready.reason})" if ready else "no status yet"
    behind = model.status.observed_generation < (model.metadata.generation or 0)
    phase = f"[{STYLES[model.status.phase]}]{model.status.phase}[/]"
    late = " [yellow](the spec has changed since)[/]" if behind else ""
    held = " [yellow]suspended[/]" if model.spec.suspend else ""
    return f"[bold]{escape(picture.title)}[/]  {phase}  {said}{held}{late}"


def _target(target: TargetStatus) -> str:
    reason = "" if target.reason == str(target.phase) else f" {target.reason}"
    return (
        f"[bold]{target.hardware_class_name}[/]  [{STYLES[target.phase]}]{target.phase}[/]{reason}"
    )


def _builds(branch: Tree, picture: Picture, target: TargetStatus, now: datetime) -> None:
    """Add each engine's build, the chosen one with the reason, and the alternatives."""
    several = len(target.build.engine_builds) > 1
    for name in variants_of(target):
        variant = picture.variant(name)
        if variant is not None:
            chosen = several and bool(target.build.choice) and name == target.build.variant_name
            _build(branch, variant, now, chosen=chosen)
    if several and target.build.choice:
        branch.add(f"choice: {escape(target.build.choice)}")
    if several and target.build.front:
        front = branch.add("front: no other build is better in speed, quality and memory at once")
        for one in target.build.front[:FRONT_SHOWN]:
            front.add(
                f"{one.engine} {one.recipe}: {one.speedup or '-'}x as fast, quality"
                f" {one.quality or '-'}, memory saved {one.memory_reduction or '-'}"
            )


def _build(branch: Tree, variant: ModelVariant, now: datetime, *, chosen: bool) -> None:
    status = variant.status
    certified = condition_of(status.conditions, ConditionType.CERTIFIED)
    said = certified.reason if certified else "not built yet"
    mark = "  [green]chosen[/]" if chosen else ""
    leaf = branch.add(f"build {variant.metadata.name}  {variant.spec.engine}  {said}{mark}")
    best = status.certificate.certified if status.certificate else None
    if best is not None:
        leaf.add(
            f"{best.recipe} {best.precision}: {figure(best.speedup, 'x')} as fast,"
            f" quality {figure(best.quality)}, movement {figure(best.movement)},"
            f" memory saved {figure(best.memory_reduction)}"
        )
    elif certified is not None and certified.status == "False":
        leaf.add(escape(certified.message))
    elif status.stages:
        leaf.add("  ".join(_stage(stage, now) for stage in status.stages))


def _stage(stage: StageStatus, now: datetime) -> str:
    took = ""
    if stage.start_time is not None:
        took = f" {age(stage.start_time, stage.completion_time or now)}"
    return f"{_STAGE[stage.outcome]} {stage.name}{took}"


def _rollout(branch: Tree, picture: Picture, target: TargetStatus, now: datetime) -> None:
    route = picture.route(target.hardware_class_name)
    roles = []
    if route is not None:
        spec = route.spec
        roles = [f"{name} {role.revision}" + (f" attempt {role.attempt}" if role.attempt else "")
                 for name, role in (("stable", spec.stable), ("candidate", spec.candidate)) if role]  # fmt: skip
        if spec.previous:
            kept = (
                f"for {age(spec.previous.expiration_time, now)}"
                if spec.previous.expiration_time > now
                else "leaving"
            )
            roles.append(f"previous {spec.previous.revision} ({kept})")
    if roles:
        branch.add(", ".join(roles))
    wave = target.rollout.wave
    if wave is not None:
        waves = picture.model.spec.rollout.waves
        step = waves[wave.index] if wave.index < len(waves) else None
        selector = tuple(sorted((step.node_selector or {}).items())) if step else ()
        asked = WaveStep(step.percent, selector) if step else ""
        branch.add(
            f"wave {wave.index + 1} of {wave.of} ({asked}): {wave.passed} of {wave.denominator}"
            f" nodes passed, open for {age(wave.open_time, now)}"
        )


def _nodes(branch: Tree, picture: Picture, target: TargetStatus, *, all_nodes: bool) -> None:
    counts = target.rollout.nodes
    parts = [f"{counts.desired} nodes: {counts.updated} updated, {counts.ready} ready"]
    parts += [f"[red]{counts.degraded} degraded[/]"] if counts.degraded else []
    parts += [f"[yellow]{counts.offline} offline[/]"] if counts.offline else []
    leaf = branch.add(", ".join(parts))
    if picture.nodes is None:
        leaf.add("[dim]devices are not shown: your user can't list edgenodes[/]")
        return
    devices = picture.nodes.get(target.hardware_class_name, ())
    shown = [line for node in devices for line in _node(picture, node, every=all_nodes)]
    for line in shown if all_nodes else shown[:NODES_SHOWN]:
        leaf.add(line)
    if not all_nodes and len(shown) > NODES_SHOWN:
        leaf.add(f"[dim]and {len(shown) - NODES_SHOWN} more (--nodes shows all)[/]")


def _node(picture: Picture, node: EdgeNode, *, every: bool) -> Iterator[str]:
    """Yield a line for a device that has something to report, or always when `every` is set."""
    name, model = node.metadata.name, picture.on(node)
    if model is None:
        if every:
            yield f"{name}: [dim]has not reported on this model[/]"
        return
    said = _candidate(picture, node, model) or (
        f"[yellow]{escape(model.message)}[/]" if model.message else ""
    )
    if said or every:
        yield f"{name}: {said or f'serves {model.serving}'}"


def _candidate(picture: Picture, node: EdgeNode, model: NodeModel) -> str:
    """Return how far the candidate is; empty where it waits for a wave that has not opened for the device."""
    tried, route = model.candidate, picture.route(node.spec.hardware_class_name)
    if tried is None:
        return ""
    meant = route is None or route.spec.is_meant_for(node.spec, tried.revision)
    if tried.state is CandidateState.WAITING and not meant:
        return ""
    verdict = tried.verdict
    if tried.state is CandidateState.FAILED:
        why = (
            f"{verdict.rule}: {verdict.observed}, at most {verdict.bound}" if verdict else "earlier"
        )
        return f"[red]{tried.revision} failed[/] ({escape(why)})"
    text = f"{tried.revision} {tried.state}"
    text += f" at {tried.traffic} %" if tried.traffic else ""
    if verdict is not None and verdict.outcome is not VerdictOutcome.PASS:
        text += f" [yellow]({escape(verdict.message or str(verdict.outcome))})[/]"
    return text
