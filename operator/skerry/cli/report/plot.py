"""The Pareto front of a class as an SVG: speed across, quality up, memory saved as color."""

from __future__ import annotations

import io
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from skerry.api.modelvariant import Interval
    from skerry.cli.report.content import Point

SIZE_INCHES = (8.0, 4.6)
COLORS = "viridis"
CHOSEN_AREA, AREA = 220, 90
MARKERS = "osD^v"


def pareto_svg(points: Sequence[Point], quality_gate: float) -> str:
    """Return the plot as an `svg` element; an empty text when nothing was measured.

    Args:
        points: all recipe results of a class.
        quality_gate: least quality, drawn as a line.
    """
    shown = [p for p in points if p.measured and p.result.speedup and p.result.quality]
    if not shown:
        return ""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    _front(axes, shown)
    _points(figure, axes, shown)
    axes.axhline(quality_gate, color="tab:red", linewidth=1, linestyle=":")
    axes.annotate("quality gate", (1, quality_gate), xycoords=("axes fraction", "data"), ha="right",
                  va="bottom", color="tab:red", fontsize=8)  # fmt: skip
    axes.set_xlabel("speed-up, p50 against the source in Float32 (95 % interval)")
    axes.set_ylabel("quality, ratio to the source (95 % interval)")
    axes.grid(alpha=0.3)
    return _as_element(figure)


def _front(axes: Axes, shown: Sequence[Point]) -> None:
    """Draw a line through the front of speed and quality; memory is its third dimension."""
    best: list[tuple[float, float]] = []
    for place in sorted((_place(point) for point in shown), reverse=True):
        if not best or place[1] > best[-1][1]:
            best.append(place)
    if len(best) > 1:
        speeds, qualities = zip(*best, strict=True)
        axes.plot(speeds, qualities, color="tab:gray", linestyle="--", linewidth=1, zorder=1)


def _points(figure: Figure, axes: Axes, shown: Sequence[Point]) -> None:
    """Draw each point with its number, and a shape for each engine."""
    saved = [_value(p.result.memory_reduction) for p in shown]
    scale = Normalize(min(0.0, *saved), max(0.5, *saved))
    engines = dict.fromkeys(point.engine for point in shown)
    for engine, marker in zip(engines, cycle(MARKERS), strict=False):
        own = [point for point in shown if point.engine == engine]
        speeds, qualities = zip(*(_place(point) for point in own), strict=True)
        axes.errorbar(
            speeds, qualities,
            xerr=_reach([p.result.speedup for p in own]), yerr=_reach([p.result.quality for p in own]),
            fmt="none", ecolor="tab:gray", elinewidth=1, capsize=2, zorder=2,
        )  # fmt: skip
        drawn = axes.scatter(
            speeds, qualities, c=[_value(p.result.memory_reduction) for p in own], cmap=COLORS, norm=scale,
            s=[CHOSEN_AREA if p.chosen else AREA for p in own], marker=marker, label=engine,
            edgecolors=["black" if p.on_front else "none" for p in own], linewidths=1.5, zorder=3,
        )  # fmt: skip
    figure.colorbar(drawn, ax=axes, label="share of memory saved")
    if len(engines) > 1:
        axes.legend(loc="lower right", fontsize=8)
    for point in shown:
        axes.annotate(
            str(point.number), _place(point), xytext=(7, 6), textcoords="offset points", fontsize=9,
            fontweight="bold" if point.chosen else "normal",
        )  # fmt: skip


def _place(point: Point) -> tuple[float, float]:
    return _value(point.result.speedup), _value(point.result.quality)


def _value(interval: Interval | None) -> float:
    return float(interval.value) if interval else 0.0


def _reach(intervals: Sequence[Interval | None]) -> list[list[float]]:
    """Return how far each interval extends below and above its estimate."""
    below = [max(0.0, float(i.value) - float(i.low)) if i else 0.0 for i in intervals]
    above = [max(0.0, float(i.high) - float(i.value)) if i else 0.0 for i in intervals]
    return [below, above]


def _as_element(figure: Figure) -> str:
    """Return the SVG without its XML head, with text as text, the same for the same points."""
    written = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "skerry"}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    return text[text.index("<svg") :]
