"""The tables that the demonstration prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from skerry.api import ModelVariant
    from skerry.api.modelvariant import Interval
    from skerry.api.target_status import TargetStatus
    from tests.lab.client.timeline import Timeline

MEGABYTE = 1e6


def interval(measured: Interval | None, unit: str = "") -> str:
    """Return the interval as `1.93x [1.88, 1.99]`, or a dash."""
    if measured is None:
        return "-"
    value, low, high = (float(text) for text in (measured.value, measured.low, measured.high))
    return f"{value:.3g}{unit} [{low:.3g}, {high:.3g}]"


def candidates(variant: ModelVariant) -> Table:
    """Return every recipe result of a variant with its intervals; the chosen one is marked."""
    spec, status = variant.spec, variant.status
    drawn = Table(
        title=f"Builds of {spec.edge_model_name} on {spec.hardware_class_name} by {spec.engine}"
        f" (cpu {spec.limits.cpu}, against the source in Float32)"
    )
    for heading in ("recipe", "MB", "quality", "speed-up", "memory saved", "outcome"):
        drawn.add_column(heading)
    for result in status.recipe_results:
        chosen = result.recipe == status.chosen
        drawn.add_row(
            f"{result.recipe}{' *' if chosen else ''}", _megabytes(result.bytes),
            interval(result.quality), interval(result.speedup, "x"), interval(result.memory_reduction),
            result.message[:24] or str(result.outcome), style="bold green" if chosen else "",
        )  # fmt: skip
    return drawn


def _megabytes(count: int) -> str:
    """Return the size in megabytes; nothing for what was not built."""
    return f"{count / MEGABYTE:.1f}" if count else "-"


def gates(variant: ModelVariant) -> Table:
    """Return the gates of the certified build."""
    drawn = Table(
        title=f"Gates of {variant.status.chosen} on {variant.spec.hardware_class_name}"
        " (certified on the other split)"
    )
    for heading in ("gate", "", "threshold", "observed", "outcome"):
        drawn.add_column(heading)
    for gate in variant.status.gates:
        kind = "required" if gate.required else "aim"
        drawn.add_row(gate.name, kind, gate.threshold, interval(gate.observed), str(gate.outcome))
    return drawn


def engines(targets: Sequence[TargetStatus]) -> Table:
    """Return what each engine made of the model on each class, and what was chosen."""
    drawn = Table(title="Engines: the best by weight of speed, quality and memory serves")
    for heading in ("class", "engine", "is", "best build", "score", "chosen"):
        drawn.add_column(heading)
    for target in targets:
        for build in target.build.engine_builds:
            chosen = build.engine == target.build.engine
            drawn.add_row(
                target.hardware_class_name, build.engine, build.phase, build.recipe or "-", build.score or "-",
                "*" if chosen else "", style="bold green" if chosen else "",
            )  # fmt: skip
    return drawn


def agreement(targets: Sequence[TargetStatus], cpus: Mapping[str, Collection[str]]) -> str:
    """Return whether the classes have different winners, and if not, why they agree.

    Args:
        targets: Of a model that serves on all of them.
        cpus: The processors that the agents found, by class.
    """
    winners = {}
    for target in targets:
        recipes = [
            build.recipe
            for build in target.build.engine_builds
            if build.engine == target.build.engine
        ]
        winners[target.hardware_class_name] = (
            f"{target.build.engine} {', '.join(filter(None, recipes))}"
        )
    reported = "; ".join(f"{name}: {winner}" for name, winner in winners.items())
    if len(set(winners.values())) > 1:
        return f"Different winners. {reported}"
    found = {cpu for name in winners for cpu in cpus.get(name, ())}
    if len(found) == 1:
        return f"The classes agree, since their nodes have the same processor ({found.pop()}). {reported}"
    named = ", ".join(sorted(found)) or "not reported"
    return f"The classes agree, although their processors are {named}. {reported}"


def rollback(timelines: dict[str, Timeline]) -> Table:
    """Return the timeline of the rollback, per class, in milliseconds."""
    drawn = Table(title="Rollback, in milliseconds")
    drawn.add_column("class")
    headings = [*next(iter(timelines.values())).milliseconds(), "bad answers that callers saw"]
    for heading in headings:
        drawn.add_column(heading, justify="right")
    for hardware_class, timeline in timelines.items():
        steps = [f"{milliseconds:.0f}" for milliseconds in timeline.milliseconds().values()]
        drawn.add_row(hardware_class, *steps, str(timeline.spoiled))
    return drawn
