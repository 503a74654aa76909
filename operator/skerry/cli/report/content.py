"""What the page says about a class: the builds that were compared, their front, gates and stages. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.modelvariant import RecipeOutcome
from skerry.cli.reading import variants_of
from skerry.decide.build.tries import gates_key
from skerry.judging.choose import pareto_front

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api import ModelVariant
    from skerry.api.edgemodel import TargetStatus
    from skerry.api.modelvariant import GateResult, RecipeResult
    from skerry.cli.reading import Picture
    from skerry.cli.report.evidence import Evidence


@dataclass(frozen=True)
class Point:
    """One recipe result among all of a class.

    Attributes:
        number: in the plot and in the table, from 1.
        engine: who made it.
        name: recipe, behind its engine where there are several.
        on_front: no other is better in speed, quality and memory at once.
        chosen: it is what the class serves, or shall.
    """

    number: int
    engine: str
    name: str
    result: RecipeResult
    on_front: bool
    chosen: bool

    @property
    def measured(self) -> bool:
        """Whether it has figures."""
        return self.result.outcome is RecipeOutcome.MEASURED


@dataclass(frozen=True)
class Build:
    """What one engine has made for a class.

    Attributes:
        by_previous_gates: its gates were judged before they changed.
        evidence: its raw figures; None where the registry was not reached, or has none.
    """

    variant: ModelVariant
    by_previous_gates: bool
    evidence: Evidence | None = None

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """How it passed the current gates; none while that is not known."""
        return () if self.by_previous_gates else self.variant.status.gates

    @property
    def engine(self) -> str:
        """Who made it."""
        return self.variant.spec.engine


@dataclass(frozen=True)
class ClassContent:
    """One class of the page.

    Attributes:
        builds: one for each engine that builds for the class, in the order of the ranking.
        points: all their recipe results.
    """

    target: TargetStatus
    builds: tuple[Build, ...] = ()
    points: tuple[Point, ...] = ()

    @property
    def has_raw_figures(self) -> bool:
        """Whether the registry gave the evidence of any build."""
        return any(build.evidence for build in self.builds)

    def sentence(self, build: Build, text: str) -> str:
        """Return a sentence about a build, after its engine's name where there are several."""
        return f"{build.engine}: {text}" if len(self.builds) > 1 else text[0].upper() + text[1:]


def classes(picture: Picture, evidence: Mapping[str, Evidence]) -> tuple[ClassContent, ...]:
    """Return all classes of the model; `evidence` by name of the variant."""
    return tuple(_class(picture, target, evidence) for target in picture.model.status.targets)


def _class(
    picture: Picture, target: TargetStatus, evidence: Mapping[str, Evidence]
) -> ClassContent:
    now = gates_key(picture.model.spec)
    found = (picture.variant(name) for name in variants_of(target))
    builds = tuple(
        Build(
            v,
            by_previous_gates=v.status.gates_key != now,
            evidence=evidence.get(v.metadata.name),
        )
        for v in found
        if v is not None
    )
    return ClassContent(target, builds, _points(target, builds))


def _points(target: TargetStatus, builds: tuple[Build, ...]) -> tuple[Point, ...]:
    """Return the recipe results of all engines; those from the evidence have raw figures, which statuses lack."""
    named: list[tuple[str, RecipeResult, bool]] = []
    for build in builds:
        status = build.variant.status
        raw = (
            {result.recipe: result for result in build.evidence.recipe_results}
            if build.evidence
            else {}
        )
        own = build.variant.metadata.name == target.build.variant_name
        for result in status.recipe_results:
            name = f"{build.engine} {result.recipe}" if len(builds) > 1 else result.recipe
            full = raw.get(result.recipe, result).model_copy(update={"recipe": name})
            named.append((build.engine, full, own and result.recipe == status.chosen))
    front = set(pareto_front([result for _, result, _ in named]))
    return tuple(
        Point(number, engine, result.recipe, result, result.recipe in front, chosen)
        for number, (engine, result, chosen) in enumerate(named, start=1)
    )
