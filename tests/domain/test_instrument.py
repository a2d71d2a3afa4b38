"""Instruments: keys, names that are safe in a path, and the grid's way to money units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.errors import UserError
from ares.domain.instrument import (
    MONEY_DECIMALS,
    Instrument,
    InstrumentSpec,
    UnsupportedInstrument,
    require_spot,
)

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=12)
CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=10)


@given(NAMES, CODES, CODES)
def test_a_key_parses_back_to_its_instrument(venue: str, base: str, quote: str) -> None:
    instrument = Instrument(venue, f"{base}/{quote}")
    assert Instrument.parse(instrument.key) == instrument
    assert (instrument.base, instrument.quote) == (base, quote)
    assert not set("/:\\") & set(instrument.slug)


@pytest.mark.parametrize("key", ["", "BTC/USDT", ":BTC/USDT", "binance:"])
def test_a_key_without_venue_or_symbol_is_refused(key: str) -> None:
    with pytest.raises(UserError, match="venue:BASE/QUOTE"):
        Instrument.parse(key)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 10**6), st.integers(1, 10**6))
def test_ticks_times_lots_are_money_units(
    price_decimals: int, qty_decimals: int, ticks: int, lots: int
) -> None:
    spec = InstrumentSpec(Instrument("v", "A/B"), price_decimals, qty_decimals)
    units = ticks * lots * spec.notional_mul / spec.notional_div
    exact = ticks * lots * 10.0 ** (MONEY_DECIMALS - price_decimals - qty_decimals)
    assert units == pytest.approx(exact, rel=1e-12)
    assert 1 in (spec.notional_mul, spec.notional_div)


@pytest.mark.parametrize(
    "name",
    ["BTC/USDT:USDT", "binance:BTC/USDT:USDT", "BTC/USD:BTC-261225", "BTCUSDT/PERP", "BTC-PERP"],
)
def test_a_derivative_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(UnsupportedInstrument, match="funding, margin and liquidation"):
        require_spot(name)


@pytest.mark.parametrize("name", ["BTC/USDT", "binance:BTC/USDT", "BTCUSDT", "PERP/USDT"])
def test_spot_is_not_taken_for_a_derivative(name: str) -> None:
    require_spot(name)
