"""A plan as tables: the source, the engines of each class with their reasons, and what would change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from skerry.api.config import EngineSettings
from skerry.api.edgemodel import AUTO
from skerry.cli.plan.source import NO_DIGEST
from skerry.decide.build.changes import changes
from skerry.decide.nodes.device import device_of
from skerry.decide.nodes.select import rank_engines
from skerry.engines import installed_engines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from skerry.api import EdgeModel, HardwareClass
    from skerry.api.config import OperatorConfig
    from skerry.api.edgemodel import Assessment, EngineRank, Target

_ANY_IMAGE = f"unknown@{NO_DIGEST}"


@dataclass(frozen=True)
class Plan:
    """A plan, or a part of one.

    Attributes:
        shown: for people.
        failing: the targets that would fail, as far as that is known, for people.
    """

    shown: RenderableType
    failing: tuple[str, ...] = ()


def plan(
    model: EdgeModel,
    assessment: Assessment,
    classes: Mapping[str, HardwareClass],
    config: OperatorConfig | None,
    live: EdgeModel | None,
    *,
    in_cluster: bool,
    all_classes: bool,
) -> Plan:
    """Return all of one EdgeModel's plan.

    Args:
        model: as the file has it.
        assessment: of its source.
        classes: HardwareClasses that are known, by name.
        config: the operator's; None where it is not known which engines are installed.
        live: the model as it is in the cluster; None where it is not there.
        in_cluster: a cluster was asked.
        all_classes: `classes` has all that there are; one that is not among them does not exist.
    """
    parts = [
        _class(model, target, assessment, classes, config)
        if target.hardware_class_name in classes
        else _no_class(model, target, classes, known=all_classes)
        for target in model.spec.targets
    ]
    shown = Group(
        f"[bold]{escape(model.metadata.name)}[/]: {escape(model.spec.source.uri)}",
        f"  {escape(assessment.message)}",
        *(part.shown for part in parts),
        *(_difference(model, live) if in_cluster else ()),
    )
    return Plan(shown, tuple(target for part in parts for target in part.failing))


def _class(
    model: EdgeModel,
    target: Target,
    assessment: Assessment,
    classes: Mapping[str, HardwareClass],
    config: OperatorConfig | None,
) -> Plan:
    name = target.hardware_class_name
    device, plugins = device_of(classes[name]), installed_engines()
    if config is None:
        first = rank_engines(assessment, device, {}, plugins)
        ranks = rank_engines(assessment, device, {r.engine: _any() for r in first}, plugins)
    else:
        ranks = rank_engines(assessment, device, config.engines, plugins)
    table = Table(
        "", "engine", "installed", "why", title=f"Engines for {name}", title_justify="left"
    )
    chosen = _chosen(target, ranks)
    for place, rank in enumerate(ranks, start=1):
        installed = "unknown" if config is None else "yes" if rank.installed else "no"
        mark = f"[green]{place} *[/]" if config and rank.engine in chosen else str(place)
        table.add_row(mark, rank.engine, installed, rank.reason)
    constraints = (f"  [yellow]constraint:[/] {escape(one)}" for one in device.constraints)
    known = config is not None
    shown = Group(table, *constraints, _verdict(model, target, chosen, known=known))
    return Plan(shown, _failing(model, target) if known and not chosen else ())


def _no_class(
    model: EdgeModel, target: Target, classes: Mapping[str, HardwareClass], *, known: bool
) -> Plan:
    name = target.hardware_class_name
    if not known:
        return Plan(
            f"[yellow]{name}[/]: the class is unknown here; add its manifest with -f, or contact a"
            " cluster"
        )
    names = ", ".join(sorted(classes)) or "none"
    said = (
        f"[bold red]{name}[/]: there is no such HardwareClass (known: {names}); create it, or add"
        " its manifest with -f"
    )
    return Plan(said, _failing(model, target))


def _failing(model: EdgeModel, target: Target) -> tuple[str, ...]:
    return (f"{model.metadata.name} on {target.hardware_class_name}",)


def _any() -> EngineSettings:
    """Return settings that stand for unknown ones, so that engines can be ranked."""
    return EngineSettings(
        version="unknown",
        recipe_set="unknown",
        optimizer_image=_ANY_IMAGE,
        runtime_image=_ANY_IMAGE,
    )


def _chosen(target: Target, ranks: tuple[EngineRank, ...]) -> list[str]:
    installed = [rank.engine for rank in ranks if rank.installed]
    return installed if target.engine == AUTO else [e for e in installed if e == target.engine]


def _verdict(model: EdgeModel, target: Target, chosen: list[str], *, known: bool) -> str:
    """Return which engines would build, and which of the builds would be rolled out."""
    if not known:
        return "  installed engines are unknown here: add --config FILE, or contact a cluster"
    if not chosen:
        asked = "" if target.engine == AUTO else f" {target.engine}"
        return f"  [red]no installed engine{asked} suits it: the target would fail (EngineNotInstalled)[/]"
    if len(chosen) == 1:
        named = "" if target.engine == AUTO else ", which the target names,"
        said = f"{chosen[0]}{named} builds for {target.hardware_class_name}"
        return f"  {said}; it is rolled out if it passes the gates, measured on a node of the class"
    weights = model.spec.optimization.search.weights
    by = f"speed {weights.speed}, quality {weights.quality}, memory {weights.memory}"
    return (
        f"  {' and '.join(chosen)} build for {target.hardware_class_name}, each measured on a node of the"
        f" class; the best build by weight ({by}) that passes the gates is rolled out"
    )


def _difference(model: EdgeModel, live: EdgeModel | None) -> Iterator[RenderableType]:
    if live is None:
        yield "  not in the cluster: everything would be built, measured and rolled out"
        return
    found = changes(live.spec, model.spec)
    if not found:
        yield "  the cluster has the same spec: nothing would change"
        return
    table = Table("field", "is", "would be", "effect", title="Changes", title_justify="left")
    for change in found:
        table.add_row(escape(change.field), _short(change.was), _short(change.now), change.effect)
    yield table
    if live.spec.suspend or model.spec.suspend:
        yield "  while spec.suspend is true nothing is built or rolled out"


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return escape(value if isinstance(value, str) else json.dumps(value))
