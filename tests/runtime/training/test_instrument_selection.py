"""Which instruments are meant: those named, else the configured ones that have candles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.bars import Bars
from ares.runtime.training.instrument_selection import ConfiguredInstruments, instruments_of
from ares.store.candles import CandleStore
from ares.store.database import open_database

BTC, ETH = Instrument("binance", "BTC/USDT"), Instrument("binance", "ETH/USDT")
ELSEWHERE = Instrument("kraken", "ETH/USDT")
CONFIGURED = ConfiguredInstruments(
    "binance", ("ETH/USDT", "XRP/USDT", "BTC/USDT"), "BTC/USDT", True
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CandleStore]:
    engine = open_database(tmp_path / "ares.db")
    made, price = CandleStore(engine), np.ones(1)
    bars = Bars.make(np.zeros(1, np.int64), price, price, price, price, price)
    for instrument in (BTC, ETH, ELSEWHERE):
        made.save(InstrumentSpec(instrument, 4, 4), "1h", bars, "made for a test")
    yield made
    engine.dispose()


@pytest.mark.parametrize("symbols", [None, []])
def test_without_names_the_configured_ones_with_candles_in_their_order(
    store: CandleStore, symbols: list[str] | None
) -> None:
    found, remarks = instruments_of(store, CONFIGURED, symbols)
    assert found == [ETH, BTC]  # at the configured venue: another one has ETH/USDT too
    [remark] = remarks
    assert remark.startswith("XRP/USDT is skipped: ")


def test_named_instruments_are_taken_once_each_configured_or_not(store: CandleStore) -> None:
    named = ["BTC/USDT", "kraken:ETH/USDT", "binance:BTC/USDT"]
    assert instruments_of(store, CONFIGURED, named) == ([BTC, ELSEWHERE], [])


def test_a_named_instrument_without_candles_is_an_error(store: CandleStore) -> None:
    with pytest.raises(UserError, match="XRP/USDT"):
        instruments_of(store, CONFIGURED, ["BTC/USDT", "XRP/USDT"])


def test_where_no_configured_one_has_candles_the_command_that_imports_them_is_named(
    store: CandleStore,
) -> None:
    nothing = ConfiguredInstruments("binance", ("SOL/USDT", "XRP/USDT"), "BTC/USDT", False)
    with pytest.raises(UserError, match=r"\(SOL/USDT, XRP/USDT\): `ares data import PATH`"):
        instruments_of(store, nothing, None)
