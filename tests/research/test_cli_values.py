"""Values of command line options: units are converted, anything else is refused."""

from __future__ import annotations

import pytest

from ares.domain.errors import UserError
from ares.research.cli_values import bps, share, size_of


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf", "200%", "20000", "bps", "10 bananas"])
def test_an_invalid_cost_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--fee"):
        bps("--fee", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0), ("0.001", 10.0), ("0.0499", 499.0), ("10", 10.0), ("10bps", 10.0),
        ("10 bps", 10.0), ("0.5bps", 0.5), ("0.001bps", 0.001), ("0.1%", 10.0), ("0.1 %", 10.0),
    ],
)  # fmt: skip
def test_a_cost_is_read_as_other_tools_write_it(text: str, expected: float) -> None:
    assert bps("--fee", text) == expected


@pytest.mark.parametrize("text", ["0.05", "0.1", "1", "1.0"])
def test_a_bare_number_with_two_readings_is_refused_with_both(text: str) -> None:
    with pytest.raises(UserError) as refused:
        bps("--fee", text)
    assert f"{text}bps or {float(text) * 100:g}%" in str(refused.value)


def test_an_edge_may_be_negative_and_a_fee_not() -> None:
    assert bps("--edge", "-20bps", signed=True) == -20.0
    with pytest.raises(UserError, match="--fee"):
        bps("--fee", "-20bps")


def test_shares_above_one_are_refused_with_a_hint() -> None:
    with pytest.raises(UserError, match="15%"):
        share("--drawdown", "15")
    assert share("--drawdown", "1") == 1.0


@pytest.mark.parametrize("text", ["0", "-1", "some", "nan"])
def test_an_invalid_size_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--size"):
        size_of(text)
