"""Values of command line options: units are converted, anything else is refused."""

from __future__ import annotations

import pytest

from ares.domain.errors import UserError
from ares.research.cli_values import bps, share, size_of


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf", "200%", "20000"])
def test_an_invalid_cost_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--fee"):
        bps("--fee", text)


def test_shares_above_one_are_refused_with_a_hint() -> None:
    with pytest.raises(UserError, match="15%"):
        share("--drawdown", "15")
    assert share("--drawdown", "1") == 1.0


@pytest.mark.parametrize("text", ["0", "-1", "some", "nan"])
def test_an_invalid_size_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--size"):
        size_of(text)
