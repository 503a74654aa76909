"""Bottlenecks and recommendations of a class, each a sentence with its figures, from what was measured.

Every check looks at one thing and says nothing where there is nothing to say. No I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.modelvariant import GateOutcome, RecipeOutcome
from skerry.cli.reading import has_failed, rejection_of
from skerry.cli.status.words import figure, megabytes
from skerry.judging.nearest import passing_gates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skerry.api import EdgeModel
    from skerry.api.modelvariant import Interval, RecipeResult
    from skerry.cli.report.content import ClassContent, Point

LONG_STAGE = 0.5
"""Share of a build's time from which on a stage is called its bottleneck."""
SLOWER = 0.95
FILE_AHEAD_OF_MEMORY = 0.15
WIDE_INTERVAL = 0.05


def bottlenecks(model: EdgeModel, content: ClassContent) -> list[str]:
    """Return what limits the builds of this class."""
    return [text for check in BOTTLENECKS for text in check(model, content)]


def recommendations(model: EdgeModel, content: ClassContent) -> list[str]:
    """Return what a person could do about it."""
    return [text for check in RECOMMENDATIONS for text in check(model, content)]


def _long_stage(_: EdgeModel, content: ClassContent) -> Iterator[str]:
    for build in content.builds:
        took = {s.name: (s.completion_time - s.start_time).total_seconds()
                for s in build.variant.status.stages if s.start_time and s.completion_time}  # fmt: skip
        whole = sum(took.values())
        if not whole:
            continue
        name, longest = max(took.items(), key=lambda item: item[1])
        if longest >= LONG_STAGE * whole:
            share = f"{longest:.0f} s of the build's {whole:.0f} s ({longest / whole:.0%})"
            yield content.sentence(build, f"{name} took {share}.")


def _missed_gates(_: EdgeModel, content: ClassContent) -> Iterator[str]:
    for build in content.builds:
        for gate in build.gates:
            if gate.outcome is not GateOutcome.PASS:
                kind = "required" if gate.required else "a goal"
                yield content.sentence(build, f"gate {gate.name} ({kind}): {gate.message}.")


def _slower_than_source(_: EdgeModel, content: ClassContent) -> Iterator[str]:
    for point in _measured(content):
        speed = point.result.speedup
        if speed is not None and float(speed.high) < SLOWER:
            yield (
                f"{point.name} is slower than the source ({figure(speed, 'x')}): on this hardware"
                " the operations it adds cost more than its smaller numbers save."
            )


def _memory_behind_file(_: EdgeModel, content: ClassContent) -> Iterator[str]:
    chosen = _chosen(content)
    engine = chosen.recipe.rpartition(" ")[0] if chosen else ""
    unchanged = f"{engine} source".strip()
    source = next((p.result for p in _measured(content) if p.name == unchanged), None)
    if source is None or chosen is None or not source.bytes or chosen.memory_reduction is None:
        return
    smaller = 1 - chosen.bytes / source.bytes
    saved = float(chosen.memory_reduction.value)
    if smaller - saved > FILE_AHEAD_OF_MEMORY:
        yield (
            f"{chosen.recipe} makes the file {smaller:.0%} smaller ({megabytes(source.bytes)} to"
            f" {megabytes(chosen.bytes)}) but saves {saved:.0%} of the memory: weights are unpacked,"
            " or buffers outweigh them, while it runs."
        )


def _not_supported(_: EdgeModel, content: ClassContent) -> Iterator[str]:
    for point in content.points:
        if point.result.outcome is not RecipeOutcome.MEASURED:
            why = f": {point.result.message.rstrip('.')}" if point.result.message else ""
            yield f"{point.name}: {point.result.outcome}{why}."


def _gates_to_pass(model: EdgeModel, content: ClassContent) -> Iterator[str]:
    """Yield what the nearest miss would pass, where nothing is certified."""
    for build in content.builds:
        if build.variant.status.artifact:
            continue
        if nearest := passing_gates(build.gates, model.spec.gates):
            yield content.sentence(
                build,
                f"the nearest miss would pass {nearest}, if that is good enough for this use.",
            )


def _faster_but_for_quality(model: EdgeModel, content: ClassContent) -> Iterator[str]:
    """Yield the fastest candidate that was kept away by its quality alone."""
    chosen = _chosen(content)
    least = float(model.spec.gates.quality)
    speed = float(chosen.speedup.value) if chosen and chosen.speedup else 1.0
    short = [
        p for p in _measured(content)
        if p.result.quality and p.result.speedup and float(p.result.quality.low) < least
        and float(p.result.speedup.low) > speed
    ]  # fmt: skip
    if short:
        best = max(short, key=lambda p: float(p.result.speedup.value) if p.result.speedup else 0)
        yield (
            f"{best.name} is {figure(best.result.speedup, 'x')} as fast, with quality"
            f" {figure(best.result.quality)}: it would pass with spec.gates.quality at"
            f" {_low(best.result.quality):.2f} or less, if that is good enough for this use."
        )


def _narrow_the_interval(model: EdgeModel, content: ClassContent) -> Iterator[str]:
    least = float(model.spec.gates.quality)
    for point in _measured(content):
        quality = point.result.quality
        if quality is None or not float(quality.low) < least <= float(quality.value):
            continue
        if float(quality.high) - float(quality.low) > WIDE_INTERVAL:
            yield (
                f"{point.name} meets quality {least:g} by its estimate but not by its interval"
                f" ({figure(quality)}): a larger evaluation data set narrows the interval."
            )


def _engine_not_installed(_: EdgeModel, content: ClassContent) -> Iterator[str]:
    for rank in content.target.engines:
        if rank.installed:
            return
        yield f"{rank.engine} ranks above the installed engines for this hardware: {rank.reason}."


def _speed_aim(_: EdgeModel, content: ClassContent) -> Iterator[str]:
    served = (
        b for b in content.builds if b.variant.metadata.name == content.target.build.variant_name
    )
    for build in served:
        missed = [
            g.name for g in build.gates if not g.required and g.outcome is not GateOutcome.PASS
        ]
        if missed:
            yield (
                f"Missed goals ({', '.join(missed)}) reject nothing. To require them, set"
                " spec.gates.profile: Strict."
            )


def _engine_failed(model: EdgeModel, content: ClassContent) -> Iterator[str]:
    """Yield engines whose jobs ended without figures: they might be better than what was chosen."""
    name = model.metadata.name
    failed = {
        one.variant.metadata.name
        for one in content.builds
        if has_failed(one.variant) and one.by_previous_gates
    }
    for said in content.target.build.engine_builds:
        if said.variant_name in failed:
            yield (
                f"{said.engine} built nothing ({said.reason}): `kubectl describe mv {said.variant_name}`"
                f" shows why; `kubectl skerry retry {name}` tries it again."
            )


def _rolled_back(model: EdgeModel, content: ClassContent) -> Iterator[str]:
    rejection = rejection_of(model, content.target)
    if rejection is not None:
        yield (
            f"The desired revision was rolled back ({rejection.message}): change the spec, or run"
            f" `kubectl skerry retry {model.metadata.name}`."
        )


BOTTLENECKS: tuple[Callable[[EdgeModel, ClassContent], Iterator[str]], ...] = (
    _long_stage,
    _missed_gates,
    _slower_than_source,
    _memory_behind_file,
    _not_supported,
)
RECOMMENDATIONS: tuple[Callable[[EdgeModel, ClassContent], Iterator[str]], ...] = (
    _rolled_back,
    _gates_to_pass,
    _faster_but_for_quality,
    _narrow_the_interval,
    _speed_aim,
    _engine_failed,
    _engine_not_installed,
)


def _measured(content: ClassContent) -> list[Point]:
    return [point for point in content.points if point.measured]


def _chosen(content: ClassContent) -> RecipeResult | None:
    return next((point.result for point in content.points if point.chosen), None)


def _low(interval: Interval | None) -> float:
    return float(interval.low) if interval else 0.0
