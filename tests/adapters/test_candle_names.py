"""Symbols and intervals from file names, as venues and tools write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.adapters.candle_names import (
    UnsupportedCandles,
    names_of,
    parse_interval,
    parse_venue,
    require_supported,
    venue_of,
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
        ("BINANCE_BTCUSDT, 60.csv", ("BTC/USDT", "1h")),
        ("COINBASE_BTCUSD, 1D.csv", ("BTC/USD", "1d")),
        ("BINANCE_BTCUSDT, 240_1a2b3.csv", ("BTC/USDT", "4h")),
        ("XBTUSD_1440.csv", ("XBT/USD", "1d")),
        ("BTCUSDT-1m-2023-03.zip", ("BTC/USDT", "1m")),
        ("BTC_USDT_USDT-1h-futures.feather", ("BTC/USDT", "1h")),
        ("kraken_ETHEUR_15m.parquet", ("ETH/EUR", "15m")),
    ],
)
def test_what_a_name_contains(name: str, found: tuple[str | None, str | None]) -> None:
    assert names_of(name, "binance") == found


@pytest.mark.parametrize(
    ("path", "venue"),
    [
        ("BINANCE_BTCUSDT, 60.csv", "binance"),
        ("user_data/data/kraken/BTC_EUR-1h.json", "kraken"),
        ("binance/spot/2023/BTCUSDT-1m-2023-03.zip", "binance"),
        ("kraken/binance_BTCUSDT_1m.csv", "binance"),
        ("candles/BTCUSDT_1m.csv", None),
    ],
)
def test_the_venue_is_that_of_the_file_or_of_its_folder(path: str, venue: str | None) -> None:
    assert venue_of(Path(path)) == venue


def test_an_index_of_tradingview_has_no_venue() -> None:
    with pytest.raises(UserError, match="INDEX is no venue: rename the file to BTCUSD_1h"):
        venue_of(Path("INDEX_BTCUSD, 60.csv"))


@pytest.mark.parametrize(
    ("path", "symbol"),
    [
        ("binance/futures/BTC_USDT_USDT-1h-futures.feather", "BTC/USDT:USDT"),
        ("BTC_USDT_USDT-1h-mark.feather", "BTC/USDT:USDT"),
        ("BINANCE_BTCUSDT.P, 60.csv", "BTC/USDT:USDT"),
        ("BTCUSDT_PERP-1h.csv", "BTC/USDT:USDT"),
        ("data/futures/um/monthly/BTCUSDT-1m-2023-03.zip", "BTC/USDT:USDT"),
    ],
)
def test_derivatives_are_not_taken_for_spot(path: str, symbol: str) -> None:
    with pytest.raises(UnsupportedCandles, match=f"a derivative .{symbol}."):
        require_supported(Path(path))
    require_supported(Path("/home/mark/BTCUSDT_1h.csv"))


def test_intervals_and_venues_have_one_name() -> None:
    assert [parse_interval(text) for text in ("60min", "240m", "1DAY", "5m")] == [
        "1h", "4h", "1d", "5m",
    ]  # fmt: skip
    with pytest.raises(UserError, match="use one of"):
        parse_interval("7m")
    assert parse_venue("Binance") == "binance"
    with pytest.raises(UserError, match="binance"):
        parse_venue("binanse")
