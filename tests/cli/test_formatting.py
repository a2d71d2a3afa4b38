"""Numbers, durations and times as text."""

from __future__ import annotations

import math

import pytest

from ares.cli import formatting


def test_numbers_have_separators_and_fixed_decimals() -> None:
    assert formatting.count(1_234_567) == "1,234,567"
    assert formatting.number(-1234.567) == "-1,234.57"
    assert formatting.percent(0.12345) == "12.35%"
    assert formatting.percent(-1e-9) == "0.00%"
    assert formatting.number(-0.001) == "0.00"
    assert formatting.number(-0.01) == "-0.01"
    assert formatting.percent(None) == formatting.number(math.nan) == formatting.count(None) == "–"
    assert formatting.utc(1_678_939_501_000) == "2023-03-16 04:05:01"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.9996, "1.0s"),
        (59.97, "1m 0s"),
        (60, "1m 0s"),
        (3600, "1h 0m"),
        (90061, "1d 1h"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    assert formatting.duration(seconds) == text
