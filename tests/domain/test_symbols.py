"""Symbols in every notation that people type; what is ambiguous is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.errors import UserError
from ares.domain.symbols import MAJORS, parse_symbol, suggested_symbol


@given(st.sampled_from(MAJORS), st.sampled_from(["USDT", "EUR"]), st.sampled_from("/_- "))
def test_a_pair_is_read_in_any_notation(base: str, quote: str, between: str) -> None:
    if base == quote:
        return
    assert parse_symbol(f"{base}{between}{quote}".lower()) == f"{base}/{quote}"


@pytest.mark.parametrize("text", ["", "BTC", "/USDT", "ARBUSD", "a b c", "BTC/USDT/EUR"])
def test_what_is_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="BASE/QUOTE"):
        parse_symbol(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("BTCUSDT", "BTC/USDT"),
        ("btc/usdt", "BTC/USDT"),
        ("binance:ETHUSDT", "ETH/USDT"),
        ("SOL_USDC", "SOL/USDC"),
        ("BTC", None),
        ("BTC/USDT/USDT", None),
        ("", None),
    ],
)
def test_what_is_no_symbol_may_still_be_clear(text: str, meant: str | None) -> None:
    assert suggested_symbol(text) == meant
