"""The page around the content: everything that is shown is escaped, everything that is drawn is inline."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from skerry.api.artifact import Role
from skerry.api.reasons import ConditionType
from skerry.cli.report.advice import bottlenecks, recommendations
from skerry.cli.report.content import classes
from skerry.cli.report.plot import pareto_svg
from skerry.cli.status.words import age, figure, megabytes
from skerry.decide.conditions import condition_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from skerry.api.modelvariant import StageStatus
    from skerry.cli.reading import Picture
    from skerry.cli.report.evidence import Evidence

TEMPLATE = "page.html.j2"


def render(picture: Picture, evidence: Mapping[str, Evidence], now: datetime) -> str:
    """Return the page as HTML.

    Args:
        picture: the model and its variants.
        evidence: raw figures by name of the variant, as far as they were had.
        now: UTC.
    """
    loader = PackageLoader("skerry.cli.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"figure": figure, "megabytes": megabytes, "seconds": _seconds}
    model = picture.model
    gate = float(model.spec.gates.quality)
    sections = [
        {
            "content": content,
            # matplotlib escapes what it draws
            "plot": Markup(pareto_svg(content.points, gate)),  # noqa: S704
            "bottlenecks": bottlenecks(model, content),
            "recommendations": recommendations(model, content),
        }
        for content in classes(picture, evidence)
    ]
    return environment.get_template(TEMPLATE).render(
        model=model,
        title=picture.title,
        source=model.status.artifact(Role.SOURCE),
        ready=condition_of(model.status.conditions, ConditionType.READY),
        sections=sections,
        history=sorted(model.status.history, key=lambda entry: entry.completion_time, reverse=True),
        now=now,
        age=age,
        version=version("skerry"),
    )


def _seconds(stage: StageStatus) -> str:
    if stage.start_time is None or stage.completion_time is None:
        return "-"
    return f"{(stage.completion_time - stage.start_time).total_seconds():.0f} s"
