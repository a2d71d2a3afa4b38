"""Symbols and intervals from file names, as venues and tools write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.adapters.candle_names import (
    MAJORS,
    names_of,
    parse_interval,
    parse_symbol,
    parse_venue,
)
from ares.domain.errors import UserError


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("BTCUSDT_1m_202303_202305.parquet", ("BTC/USDT", "1m")),
        ("BTC_USDT-5m.feather", ("BTC/USDT", "5m")),
        ("binance_ETH-EUR_60m.csv", ("ETH/EUR", "1h")),
        ("BTCUSDT-1h-2023-03.csv", ("BTC/USDT", "1h")),
        ("SOLUSDT.csv", ("SOL/USDT", None)),
        ("DOTUSD_1d.csv", ("DOT/USD", "1d")),
        ("ARBUSD_1d.csv", (None, "1d")),
        ("candles.csv", (None, None)),
        ("BTCUSDT_1M.csv", ("BTC/USDT", None)),
    ],
)
def test_what_a_name_contains(name: str, found: tuple[str | None, str | None]) -> None:
    assert names_of(name, "binance") == found


@given(st.sampled_from(MAJORS), st.sampled_from(["USDT", "EUR"]), st.sampled_from("/_- "))
def test_a_pair_is_read_in_any_notation(base: str, quote: str, between: str) -> None:
    if base == quote:
        return
    assert parse_symbol(f"{base}{between}{quote}".lower()) == f"{base}/{quote}"


@pytest.mark.parametrize("text", ["", "BTC", "/USDT", "ARBUSD", "a b c", "BTC/USDT/EUR"])
def test_what_is_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="BASE/QUOTE"):
        parse_symbol(text)


def test_intervals_and_venues_have_one_name() -> None:
    assert [parse_interval(text) for text in ("60min", "240m", "1DAY", "5m")] == [
        "1h", "4h", "1d", "5m",
    ]  # fmt: skip
    with pytest.raises(UserError, match="use one of"):
        parse_interval("7m")
    assert parse_venue("Binance") == "binance"
    with pytest.raises(UserError, match="binance"):
        parse_venue("binanse")
