"""Numbers, durations and times as text."""

from __future__ import annotations

import math

import pytest

from ares.cli import formatting


def test_quantities_and_prices_have_the_digits_that_matter() -> None:
    """Of 0.00363 BTC two decimals would be 0.00."""
    shown = [formatting.amount(value) for value in (0.00363, -0.42, 12_345.678901, 1e9, 0.0)]
    assert shown == ["0.00363", "-0.42", "12,345.679", "1,000,000,000", "0"]
    assert formatting.amount(0.00001234567) == "0.00001234567"
    assert formatting.amount(None) == formatting.amount(math.nan) == "–"


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
