"""The page on real figures: the front, what limits the builds, what to do, and nothing from outside."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from skerry.api import ModelVariantStatus
from skerry.api.edgemodel import EdgeModelStatus
from skerry.artifacts.registry import RegistryError
from skerry.cli.reading import Picture
from skerry.cli.report.advice import bottlenecks, recommendations
from skerry.cli.report.content import classes
from skerry.cli.report.evidence import _parsed
from skerry.cli.report.page import render
from skerry.cli.report.plot import pareto_svg
from skerry.decide.build.tries import gates_key
from tests.unit.cli.measured import (
    CHOICE,
    EVIDENCE,
    IMAGE,
    NOW,
    REPORT,
    evidence_layer,
    measured_picture,
    picture_of_two_engines,
    variant_status,
)

VOID = {"meta", "br"}
LOADING = {"src", "href", "xlink:href"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed in the wrong order, and keeps the attributes that load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what it opens and loads; what lies in the page itself is loaded from nowhere."""
        if tag not in VOID:
            self.open.append(tag)
        loading = ((key, value or "") for key, value in attrs if key in LOADING)
        self.loads += [f"{tag} {k}={v}" for k, v in loading if not v.startswith(("#", "data:"))]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open and close at once."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close the one that was opened last."""
        assert self.open.pop() == tag


def read(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_page_needs_nothing_else() -> None:
    page = render(measured_picture(), {}, NOW)
    assert read(page).loads == []
    assert "<script" not in page
    assert "@import" not in page
    assert "url(http" not in page
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page


def test_the_front_is_that_of_the_job() -> None:
    (content,) = classes(measured_picture(), {})
    assert {p.name for p in content.points if p.on_front} == set(REPORT["front"])
    assert [p.name for p in content.points if p.chosen] == ["weight-int8-block128"]
    page = render(measured_picture(), {}, NOW)
    for result in REPORT["recipeResults"]:
        assert result["recipe"] in page
    assert "weight-int8-block128 (chosen)" in page


def test_raw_figures_come_with_the_evidence() -> None:
    picture = measured_picture()
    assert "15.22 ms" not in render(picture, {}, NOW)
    assert "15.22 ms" in render(picture, {"minilm-x86-b": EVIDENCE}, NOW)


def test_what_a_user_wrote_is_escaped() -> None:
    page = render(measured_picture(message="<script>alert(1)</script>"), {}, NOW)
    assert "<script>alert" not in page
    read(page)


def test_bottlenecks_have_their_figures() -> None:
    picture = measured_picture()
    said = "\n".join(bottlenecks(picture.model, classes(picture, {})[0]))
    assert "Validation took 240 s of the build's 300 s (80%)." in said
    assert "static-int8 is slower than the source (0.467x [0.385, 0.622])" in said
    assert "bfloat16: NotSupported" in said


def test_two_engines_are_compared_in_one_front_each_with_its_stages_and_gates() -> None:
    picture = picture_of_two_engines()
    (content,) = classes(picture, {"minilm-x86-b": EVIDENCE})
    assert [build.engine for build in content.builds] == ["OpenVINO", "ONNXRuntime"]
    assert len(content.points) == 3 + len(REPORT["recipeResults"])
    assert [p.name for p in content.points if p.chosen] == ["OpenVINO weight-int8-block128"]
    assert {p.name.split()[0] for p in content.points if p.on_front} == {"OpenVINO", "ONNXRuntime"}
    page = render(picture, {"minilm-x86-b": EVIDENCE}, NOW)
    read(page)
    for engine in ("OpenVINO", "ONNXRuntime"):
        assert f"<h3>Stages of {engine}</h3>" in page
        assert f"<h3>Gates of {engine}</h3>" in page
    assert f"Choice: {CHOICE}" in page
    drawn = re.findall(r"<text [^>]*>(\d+)</text>", page)
    assert set(drawn) >= {str(point.number) for point in content.points if point.measured}
    assert "15.22 ms" in page, "of the engine that was not chosen, too"
    said = "\n".join(bottlenecks(picture.model, content))
    assert "OpenVINO: Validation took 240 s" in said
    assert "OpenVINO bfloat16: NotSupported: no AMX" in said


def test_recommendations_have_their_figures() -> None:
    picture = measured_picture()
    said = "\n".join(recommendations(picture.model, classes(picture, {})[0]))
    assert "dynamic-int8 is 1.75x [1.47, 2.25] as fast, with quality 0.88 [0.849, 0.906]" in said
    assert "spec.gates.quality at 0.85 or less" in said


@pytest.mark.parametrize("by_current", [True, False])
def test_the_report_judges_by_the_current_gates(*, by_current: bool) -> None:
    """While a job runs under new gates the status has the results of the previous gates."""
    picture = measured_picture()
    gates = [_missed("quality", required=True), _missed("speedup", required=False)]
    key = gates_key(picture.model.spec) if by_current else "previous"
    status = ModelVariantStatus.model_validate(
        {**variant_status(), "gates": gates, "artifact": None, "chosen": None, "gatesKey": key}
    )
    variant = picture.variants[0].model_copy(update={"status": status})
    before = replace(picture, variants=(variant,))
    (content,) = classes(before, {})
    advised = "\n".join(recommendations(before.model, content))
    seen = "\n".join(bottlenecks(before.model, content))
    assert ("The nearest miss would pass spec.gates.quality" in advised) == by_current, advised
    assert ("Missed goals (speedup)" in advised) == by_current, advised
    assert ("gate quality" in seen.lower()) == by_current, seen
    page = render(before, {}, NOW)
    assert "<td>speedup</td>" in page
    assert (
        "Judged by the previous gates; the current gates have not been applied yet." in page
    ) != by_current


def _missed(name: str, *, required: bool) -> dict[str, object]:
    observed = {"value": "0.93", "low": "0.92", "high": "0.94"}
    return {"name": name, "required": required, "threshold": "0.95", "outcome": "Fail",
            "observed": observed, "message": "0.93 is below 0.95"}  # fmt: skip


def test_a_class_without_a_build_says_so() -> None:
    page = render(measured_picture(variantName=None), {}, NOW)
    assert "Nothing is built for this class yet." in page


def test_the_history_is_reported_from_its_end() -> None:
    """The newest entry first, each with its time, class and outcome."""
    ended = {"hardwareClassName": "x86-b", "revision": "0123456789"}
    history = [
        {**ended, "outcome": "Promoted", "completionTime": "2026-11-22T10:00:00Z"},
        {**ended, "outcome": "RolledBack", "completionTime": "2026-11-23T10:00:00Z"},
    ]
    model = measured_picture().model
    status = EdgeModelStatus.model_validate({**model.status.to_wire(), "history": history})
    page = render(Picture(model.model_copy(update={"status": status})), {}, NOW)
    assert page.index("2026-11-23 10:00:00") < page.index("2026-11-22 10:00:00")
    assert page.count("<td>x86-b</td>") == 2


def test_a_plot_of_nothing_is_empty_and_of_the_same_is_the_same() -> None:
    points = classes(measured_picture(), {})[0].points
    assert pareto_svg([], 0.9) == ""
    assert pareto_svg(points, 0.9) == pareto_svg(points, 0.9)
    assert re.match(r"<svg .*</svg>\s*$", pareto_svg(points, 0.9), re.DOTALL)


def test_evidence_that_can_not_be_read_is_reported() -> None:
    layer = evidence_layer()
    assert _parsed(layer, IMAGE) == EVIDENCE
    for blob in (b"", b"no tar file", layer[:700]):
        with pytest.raises(RegistryError, match="evidence can't be read"):
            _parsed(blob, IMAGE)
