"""golden: does a device answer the certified inputs as the certificate says?

The answers are compared with *this variant's own certified outputs*, never with another build's,
one sample at a time (batching changes what a dynamically quantized model answers). An answer that is
off is asked for once more at once; two in a row fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, isnan, nan, sqrt
from typing import TYPE_CHECKING, Any

from skerry.api.edgenode import VerdictOutcome
from skerry.judging.guard.finding import Finding, no_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skerry.jobs.files import Tolerance

RULE = "Golden"
IN_A_ROW = 2
FLOATS = "FP"
WORDS = {None: nan, "NaN": nan, "Infinity": inf, "-Infinity": -inf}
"""How servers write in JSON what JSON has no word for; parsers also make floats of their tokens."""


@dataclass
class Record:
    """What the replays on this device gave, of one revision."""

    replays: int = 0
    wrong_in_a_row: int = 0
    reason: str = ""
    wrong_at: float | None = None

    def add(self, at: float, reason: str | None) -> None:
        """Add one replay at `at` (seconds); `reason` says what was wrong, None when it agreed."""
        self.replays += 1
        if reason is None:
            self.wrong_in_a_row, self.wrong_at, self.reason = 0, None, ""
            return
        self.wrong_in_a_row += 1
        self.wrong_at = at if self.wrong_at is None else self.wrong_at
        self.reason = reason


def judge(record: Record) -> Finding:
    """Return the rule's finding."""
    if not record.replays:
        return no_data(RULE, 0, 1)
    outcome = VerdictOutcome.PASS
    if record.wrong_in_a_row:
        failed = record.wrong_in_a_row >= IN_A_ROW
        outcome = VerdictOutcome.FAIL if failed else VerdictOutcome.INCONCLUSIVE
    return Finding(
        outcome,
        RULE,
        observed=record.reason[:128] or "as certified",
        bound="the certified outputs, within their tolerance",
        samples=record.replays,
        message=f"golden sample: {record.reason}"
        if record.reason
        else "golden samples match the certified outputs",
        first_bad_at=record.wrong_at,
    )


def difference(
    expected: Sequence[dict[str, Any]], answered: Sequence[dict[str, Any]], tolerance: Tolerance
) -> str | None:
    """Return how the output tensors of an Open Inference Protocol answer differ; None when they agree.

    A tensor agrees when its cosine reaches the tolerance's, or, without one, when each value lies
    within absolute + relative * |expected|. NaN agrees with NaN, an infinity with itself.
    """
    got = {tensor["name"]: tensor for tensor in answered}
    for tensor in expected:
        name = tensor["name"]
        if name not in got:
            return f"output {name} is missing"
        floats = str(tensor.get("datatype")).startswith(FLOATS)
        want, have = (
            [WORDS.get(value, value) for value in flat] if floats else flat
            for flat in (_flat(tensor["data"]), _flat(got[name].get("data", [])))
        )
        if len(want) != len(have):
            return f"output {name} has {len(have)} values instead of the certified {len(want)}"
        wrong = _disagreement(want, have, tolerance)
        if wrong:
            return f"output {name}: {wrong}"
    return None


def _disagreement(want: list[Any], have: list[Any], tolerance: Tolerance) -> str | None:
    if not all(isinstance(v, int | float) for v in [*want, *have]):
        return None if want == have else "values differ from the certified ones"
    for w, h in zip(want, have, strict=True):
        if not (isfinite(w) and isfinite(h)) and w != h and not (isnan(w) and isnan(h)):
            return f"{h:.6g} is not a number" if isfinite(w) else f"{h:.6g} instead of {w:.6g}"
    pairs = [(w, h) for w, h in zip(want, have, strict=True) if isfinite(w)]
    want, have = [w for w, _ in pairs], [h for _, h in pairs]
    if tolerance.cosine is not None:
        cosine = _cosine(want, have)
        return None if cosine >= tolerance.cosine else f"cosine {cosine:.4f} < {tolerance.cosine:g}"
    for w, h in zip(want, have, strict=True):
        if abs(w - h) > tolerance.absolute + tolerance.relative * abs(w):
            return f"{h:.6g} instead of the certified {w:.6g}"
    return None


def _cosine(left: list[float], right: list[float]) -> float:
    norm = sqrt(sum(v * v for v in left)) * sqrt(sum(v * v for v in right))
    if norm <= 0:
        return 1.0 if left == right else 0.0
    return sum(a * b for a, b in zip(left, right, strict=True)) / norm


def _flat(data: Any) -> list[Any]:
    """Return the values in row-major order: the protocol also allows nested lists."""
    if not isinstance(data, list):
        return [data]
    if not any(isinstance(item, list) for item in data):
        return data
    return [value for item in data for value in _flat(item)]
