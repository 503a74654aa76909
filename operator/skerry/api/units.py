"""Durations, quantities and thresholds as people write them, turned into numbers: the one place.

Amounts are strings with a pattern, because an int-or-string field would refuse 0.25 in YAML.
The schema has checked the patterns before; what gets past it is an error for people, not a guess.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

_DURATION = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|Ki|Mi|Gi)?")
_RATIO = re.compile(r"([0-9]+(?:\.[0-9]+)?)(x|%)?")
_SCALE = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
}


def parse_duration(text: str) -> int:
    """Return the seconds of a duration such as `30s`, `10m` or `1h30m`.

    Raises:
        ValueError: the text is no duration.
    """
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text!r} is not a duration: write it as 30s, 10m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def parse_quantity(text: str) -> float:
    """Return the number of a Kubernetes quantity: cores for CPU (`250m` is 0.25), bytes for memory (`1Mi`).

    Raises:
        ValueError: the text is no quantity.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity: write it as 250m, 1, 512Mi or 1Gi")
    number, suffix = match.groups()
    return float(Decimal(number) * _SCALE[suffix])


def parse_bytes(text: str) -> int:
    """Return the bytes of a memory quantity, rounded up to a whole byte.

    Raises:
        ValueError: the text is no quantity.
    """
    return math.ceil(parse_quantity(text))


def say_bytes(count: float) -> str:
    """Return a count of bytes for people, such as 54 kB or 58.8 MB."""
    kilobytes = round(count / 1e3)
    return f"{kilobytes} kB" if kilobytes < 1000 else f"{count / 1e6:.1f} MB"  # noqa: PLR2004


def parse_ratio(text: str) -> float:
    """Return the number of a threshold: `0.95` is 0.95, `1.25x` is 1.25 and `1%` is 0.01.

    Raises:
        ValueError: the text is no threshold.
    """
    match = _RATIO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a threshold: write it as 0.95, 1.25x or 1%")
    number, suffix = match.groups()
    return float(Decimal(number) / 100 if suffix == "%" else Decimal(number))


def parse_count(text: str, whole: int) -> int:
    """Return a count of at least 1 from a number (`3`) or a share of `whole` (`10%`, rounded up).

    Raises:
        ValueError: the text is neither.
    """
    if text.isdecimal():
        return max(1, int(text))
    if not text.endswith("%") or not text[:-1].isdecimal():
        raise ValueError(f"{text!r} is not a count: write it as 1 or 10%")
    return max(1, -(-int(text[:-1]) * whole // 100))
