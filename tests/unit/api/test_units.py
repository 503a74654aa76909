"""Units: tables of what people write, and that nonsense is refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.api.units import (
    parse_bytes,
    parse_count,
    parse_duration,
    parse_quantity,
    parse_ratio,
    say_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_durations_in_seconds() -> None:
    table = {"30s": 30, "10m": 600, "24h": 86400, "1h30m": 5400, "1h1m1s": 3661, "0s": 0}
    assert {text: parse_duration(text) for text in table} == table


def test_quantities() -> None:
    table = {"1": 1, "250m": 0.25, "0.5": 0.5, "1k": 1000, "100Mi": 104857600, "2Gi": 2**31}
    assert {text: parse_quantity(text) for text in table} == table
    assert parse_bytes("1.5Ki") == 1536
    said = {1: "0 kB", 53_898: "54 kB", 999_400: "999 kB", 999_600: "1.0 MB", 90.3e6: "90.3 MB"}
    assert {count: say_bytes(count) for count in said} == said


def test_ratios() -> None:
    table = {"0.95": 0.95, "1.25x": 1.25, "1%": 0.01, "2": 2}
    assert {text: parse_ratio(text) for text in table} == table


def test_counts() -> None:
    table = {("1", 100): 1, ("0", 9): 1, ("10%", 25): 3, ("10%", 0): 1, ("100%", 7): 7}
    assert {key: parse_count(*key) for key in table} == table


@pytest.mark.parametrize("text", ["", "10", "m", "1d", "-1s", "s10"])
@pytest.mark.parametrize("parse", [parse_duration])
def test_no_duration(parse: Callable[[str], float], text: str) -> None:
    with pytest.raises(ValueError, match="write it as"):
        parse(text)


@pytest.mark.parametrize("parse", [parse_quantity, parse_ratio, lambda t: parse_count(t, 1)])
def test_no_number(parse: Callable[[str], float]) -> None:
    with pytest.raises(ValueError, match="write it as"):
        parse("lots")
