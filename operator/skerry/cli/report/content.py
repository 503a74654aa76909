"""What the page says about a class: the builds that were compared, their front, gates and stages. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skerry.api.modelvariant import TrialOutcome
from skerry.decide.choose import pareto_front

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api import ModelVariant
    from skerry.api.edgemodel import TargetStatus
    from skerry.api.modelvariant import Trial
    from skerry.cli.reading import Picture
    from skerry.cli.report.evidence import Evidence


@dataclass(frozen=True)
class Point:
    """One trial among all of a class.

    Attributes:
        name: recipe, behind its engine where there are several.
        on_front: no other is better in speed, quality and memory at once.
        chosen: it is what the class serves, or shall.
    """

    name: str
    trial: Trial
    on_front: bool
    chosen: bool

    @property
    def measured(self) -> bool:
        """Whether it has figures."""
        return self.trial.outcome is TrialOutcome.MEASURED


@dataclass(frozen=True)
class ClassContent:
    """One class of the page.

    Attributes:
        variant: what the spec asks for; None before there is one.
        variants: all builds of the same source, data set and limits, one for each engine.
        evidence: raw figures of the chosen build; None where the registry was not reached.
    """

    target: TargetStatus
    variant: ModelVariant | None = None
    variants: tuple[ModelVariant, ...] = ()
    points: tuple[Point, ...] = ()
    evidence: Evidence | None = field(default=None)


def classes(picture: Picture, evidence: Mapping[str, Evidence]) -> tuple[ClassContent, ...]:
    """All classes of the model; `evidence` by name of the variant."""
    return tuple(_class(picture, target, evidence) for target in picture.model.status.targets)


def _class(
    picture: Picture, target: TargetStatus, evidence: Mapping[str, Evidence]
) -> ClassContent:
    variant = picture.variant(target.variant)
    if variant is None:
        return ClassContent(target)
    compared = tuple(other for other in picture.variants if _is_alike(variant, other))
    found = evidence.get(variant.metadata.name)
    return ClassContent(target, variant, compared, _points(variant, compared, found), found)


def _is_alike(one: ModelVariant, other: ModelVariant) -> bool:
    a, b = one.spec, other.spec
    same = (a.hardware_class, a.source, a.evaluation, a.limits)
    return same == (b.hardware_class, b.source, b.evaluation, b.limits)


def _points(
    variant: ModelVariant, compared: tuple[ModelVariant, ...], evidence: Evidence | None
) -> tuple[Point, ...]:
    """Trials of all engines; those of the evidence have the raw figures that a status has no room for."""
    raw = {trial.recipe: trial for trial in evidence.trials} if evidence else {}
    named: list[tuple[Trial, bool]] = []
    for one in compared:
        own = one.metadata.name == variant.metadata.name
        for trial in one.status.trials:
            full = raw.get(trial.recipe, trial) if own else trial
            name = f"{one.spec.engine} {trial.recipe}" if len(compared) > 1 else trial.recipe
            chosen = own and trial.recipe == one.status.chosen
            named.append((full.model_copy(update={"recipe": name}), chosen))
    front = set(pareto_front([trial for trial, _ in named]))
    return tuple(Point(t.recipe, t, t.recipe in front, chosen) for t, chosen in named)
