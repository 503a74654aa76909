"""The agent's strategy for the protocol Plain, which is unlike the Open Inference Protocol in each part.

POST /ask/NAME takes {"ask": [{"tensor", "shape", "numbers"}]} and answers {"said": [...]} of the same form.
/ping answers 200 when the server is ready. A 429 means that the server is too slow, and so is its fault; a 503 is
how it says good-bye, which is nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skerry.judging.guard import golden
from skerry_agent.protocols import Question, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from skerry.jobs.files import Tolerance
    from skerry_agent.protocols import Line

FINE, TOO_SLOW = 200, 429


@dataclass(frozen=True)
class Plain:
    """The strategy."""

    name: str = "Plain"
    ready: str = "/ping"
    unary: tuple[str, ...] = ()

    def question(self, model: str, sample: Mapping[str, Any]) -> Question:
        """Ask a golden sample in the protocol's own words."""
        asked = [
            {"tensor": one["name"], "shape": one["shape"], "numbers": one["data"]}
            for one in sample["inputs"]
        ]
        return Question(f"/ask/{model}", {"ask": asked})

    def difference(
        self, expected: Sequence[dict[str, Any]], answer: Any, tolerance: Tolerance
    ) -> str | None:
        """Compare the numbers."""
        said = [{"name": one["tensor"], "data": one["numbers"]} for one in answer["said"]]
        return golden.difference(expected, said, tolerance)

    def read(self, line: Line) -> Reading:
        """Judge one answer."""
        return Reading(failed=line.status == TOO_SLOW, measured=line.status == FINE)


PLAIN = Plain()
