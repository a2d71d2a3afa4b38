"""Balances in whole units: what is held is not free; amounts are read exactly or not at all."""

from __future__ import annotations

import pytest

from ares.domain.errors import UserError
from ares.sim.serve.account import Account, parse_balances, rounded, units_of


def test_what_orders_hold_is_not_free() -> None:
    account = Account({"USDT": 1_000})
    account.hold("USDT", 300)
    account.add("BTC", 5)
    assert (account.balance("USDT"), account.free("USDT"), account.free("BTC")) == (1_000, 700, 5)
    account.hold("USDT", -300)
    assert account.free("USDT") == 1_000
    assert account.texts() == {"USDT": "0.00001000", "BTC": "0.00000005"}


def test_halves_are_rounded_to_even() -> None:
    assert [rounded(n, 10) for n in (5, 15, 14, 16, -5, -15)] == [0, 2, 1, 2, 0, -2]


@pytest.mark.parametrize("number", ["", "x", "nan", "inf", "0.000000001"])
def test_a_number_that_is_not_exact_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match=r"number|decimals"):
        units_of(number)


@pytest.mark.parametrize("given", ["USDT", "USDT=", "=5", "USDT=-1", "USDT=1.123456789"])
def test_a_wrong_balance_is_one_line(given: str) -> None:
    with pytest.raises(UserError, match="--balance"):
        parse_balances([given])


def test_balances_of_one_asset_add_up() -> None:
    assert parse_balances(["usdt=10_000", "USDT=0.5"]) == {"USDT": 1_000_050_000_000}
