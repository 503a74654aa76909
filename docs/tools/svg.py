"""Boxes, arrows and words as SVG that every browser and Git host shows: no script, no font of its own.

The ground is white, so that a page in dark colors shows the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

LINE = 17
"""Between two lines of text, in pixels."""

WHITE, BLUE, GREEN, GREY, RED, YELLOW = (
    "#ffffff", "#dbeafe", "#dcfce7", "#f3f4f6", "#fee2e2", "#fef9c3",
)  # fmt: skip
INK, PALE = "#111827", "#6b7280"

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A box by its left upper corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        """Middle of its left side."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        """Middle of its right side."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> Point:
        """Middle of its upper side."""
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> Point:
        """Middle of its lower side."""
        return self.x + self.width / 2, self.y + self.height


@dataclass
class Drawing:
    """A picture that grows; `title` is what a reader without eyes gets."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def box(
        self, box: Box, title: str, *lines: str, fill: str = WHITE, dashed: bool = False
    ) -> Box:
        """Draw a box with a title and lines, in its upper middle."""
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(
            f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8"'
            f' fill="{fill}" stroke="{INK}"{dash}/>'
        )
        middle = box.x + box.width / 2
        self.text((middle, box.y + LINE + 4), title, bold=True)
        for number, line in enumerate(lines, start=2):
            self.text((middle, box.y + LINE * number + 4), line, size=12)
        return box

    def text(
        self, at: Point, words: str, *, size: int = 14, bold: bool = False, anchor: str = "middle",
        color: str = INK,
    ) -> None:  # fmt: skip
        """Write one line; `at` is its base line."""
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(
            f'<text x="{at[0]}" y="{at[1]}" font-size="{size}" text-anchor="{anchor}"'
            f' fill="{color}"{weight}>{escape(words)}</text>'
        )

    def arrow(
        self, *points: Point, label: str = "", at: Point | None = None, dashed: bool = False
    ) -> None:
        """Draw a line through points with a head at its end; the label's place is `at`."""
        path = " ".join(f"{x},{y}" for x, y in points)
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="1.5"{dash}/>'
        )
        self.parts.append(_head(points[-2], points[-1]))
        if label:
            (x0, y0), (x1, y1) = points[0], points[-1]
            self.text(at or ((x0 + x1) / 2, (y0 + y1) / 2 - 6), label, size=12, color=PALE)

    def circle(self, at: Point, radius: float, fill: str) -> None:
        """Draw a filled circle."""
        self.parts.append(
            f'<circle cx="{at[0]}" cy="{at[1]}" r="{radius}" fill="{fill}" stroke="{INK}"/>'
        )

    def svg(self) -> str:
        """Return the file's text."""
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
            f' width="{self.width}" height="{self.height}" font-family="sans-serif" role="img">\n'
            f"<title>{escape(self.title)}</title>\n"
            f'<rect width="{self.width}" height="{self.height}" fill="{WHITE}"/>\n{body}\n</svg>\n'
        )


def _head(before: Point, tip: Point) -> str:
    """Return a triangle at the tip of a line that runs along an axis."""
    dx, dy = tip[0] - before[0], tip[1] - before[1]
    long = max(abs(dx), abs(dy))
    ux, uy = dx / long, dy / long
    back = (tip[0] - 9 * ux, tip[1] - 9 * uy)
    one, other = (back[0] - 4.5 * uy, back[1] + 4.5 * ux), (back[0] + 4.5 * uy, back[1] - 4.5 * ux)
    corners = " ".join(f"{x:g},{y:g}" for x, y in (tip, one, other))
    return f'<polygon points="{corners}" fill="{INK}"/>'
