"""A fee above the one that a run counts with is said; one at or below it is not."""

from __future__ import annotations

import pytest

from ares.venues.account_fees import AccountFee, fee_of, fee_remarks
from ares.venues.amounts import NotANumber


def test_a_fee_above_the_assumed_fee_gets_a_line() -> None:
    fees = [AccountFee("BTC/USDT", 40.0, 25.0), AccountFee("ADA/USDT", 10.0)]
    (line,) = fee_remarks("kraken", fees, 10.0)
    assert "BTC/USDT: the account pays 40 bps, this run counts with 10 bps" in line
    assert fee_remarks("kraken", fees, 40.0) == []


def test_a_fee_that_is_no_number_is_none() -> None:
    for wrong in (None, "free", 0.1, "NaN"):
        with pytest.raises(NotANumber):
            fee_of("BTC/USDT", wrong)
