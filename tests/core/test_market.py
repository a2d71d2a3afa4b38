"""Bars that cannot be true: one line, nothing changed, and the rest of the market goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ares.core.market import AHEAD_MS_MAX
from ares.core.snapshot import snapshot
from ares.domain.events import BarsClosed, DecisionMade
from ares.domain.order_events import EventRefused, OrderFilled
from ares.domain.timeframe import DAY_MS, MINUTE_MS

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

GOOD = [100.0, 101.0, 99.0, 100.0, 50.0]


def closing(ts_ms: int, *rows: list[float]) -> BarsClosed:
    n = len(rows)
    return BarsClosed(ts_ms, np.array(rows).tobytes(), b"\1" * n, b"\0" * n)


def refused_whole(two: TwoInstruments, event: BarsClosed) -> EventRefused:
    """Step bars that are refused whole; assert that nothing but the seq changed."""
    before = snapshot(two.state)
    (refused,) = two.take(event)
    assert isinstance(refused, EventRefused)
    assert (refused.instrument, refused.ts_ms) == (-1, event.ts_ms)
    two.state.seq -= 1
    assert snapshot(two.state) == before
    return refused


def test_bars_of_another_layout_are_refused_whole(two: TwoInstruments) -> None:
    ts_ms = two.at_ms + 1
    whole = closing(ts_ms, GOOD, GOOD)
    for event in (
        closing(ts_ms, GOOD),
        closing(ts_ms, GOOD, GOOD, GOOD),
        BarsClosed(ts_ms, whole.ohlcv[:-1], whole.present, whole.flat),
        BarsClosed(ts_ms, whole.ohlcv, b"\1", whole.flat),
        BarsClosed(ts_ms, whole.ohlcv, whole.present, b"\0\0\0"),
        BarsClosed(ts_ms, b"", b"", b""),
    ):
        assert "other instruments than the 2" in refused_whole(two, event).reason
    assert isinstance(two.take(whole)[0], DecisionMade)


@pytest.mark.parametrize("back_ms", [0, 1, DAY_MS])
def test_time_that_goes_backwards_is_refused(two: TwoInstruments, back_ms: int) -> None:
    now_ms = two.at_ms + 1
    two.take(closing(now_ms, GOOD, GOOD))
    assert "came after" in refused_whole(two, closing(now_ms - back_ms, GOOD, GOOD)).reason
    assert two.state.now_ms == now_ms


def test_bars_a_year_ahead_are_refused_and_do_not_block_the_next(two: TwoInstruments) -> None:
    """Taken, they would make every true bar of the year one of the past."""
    for ahead_ms in (AHEAD_MS_MAX + 1, 365 * DAY_MS):
        event = closing(two.at_ms + ahead_ms, GOOD, GOOD)
        assert "ahead of the clock" in refused_whole(two, event).reason
    assert isinstance(two.take(closing(two.at_ms + 1, GOOD, GOOD))[0], DecisionMade)
    event = closing(two.at_ms + AHEAD_MS_MAX, GOOD, GOOD)
    assert isinstance(two.take(event)[0], DecisionMade), "clocks differ"


WRONG = {
    "zero": [0.0, 0.0, 0.0, 0.0, 50.0],
    "zero low": [100.0, 101.0, 0.0, 100.0, 50.0],
    "negative": [-100.0, -99.0, -101.0, -100.0, 50.0],
    "NaN close": [100.0, 101.0, 99.0, np.nan, 50.0],
    "NaN open": [np.nan, 101.0, 99.0, 100.0, 50.0],
    "infinite high": [100.0, np.inf, 99.0, 100.0, 50.0],
    "infinite": [np.inf, np.inf, np.inf, np.inf, 50.0],
    "high below low": [100.0, 99.0, 101.0, 100.0, 50.0],
    "close above high": [100.0, 101.0, 99.0, 102.0, 50.0],
    "open below low": [98.0, 101.0, 99.0, 100.0, 50.0],
    "negative volume": [100.0, 101.0, 99.0, 100.0, -1.0],
    "NaN volume": [100.0, 101.0, 99.0, 100.0, np.nan],
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("lane", [0, 1])
def test_a_bar_that_no_trade_can_have_made_is_left_out_and_the_other_instrument_decides(
    two: TwoInstruments, two_of: type[TwoInstruments], name: str, lane: int
) -> None:
    rows = [GOOD, GOOD]
    rows[lane] = WRONG[name]
    without, absent = two_of(), [1, 1]
    absent[lane] = 0
    for engine in (two, without):
        engine.take(closing(engine.at_ms, GOOD, GOOD))
    ts_ms = two.at_ms + MINUTE_MS
    decided, refused = two.take(closing(ts_ms, *rows))
    assert isinstance(decided, DecisionMade)
    assert isinstance(refused, EventRefused)
    assert (refused.instrument, refused.ts_ms) == (lane, ts_ms)
    assert refused.reason.startswith("no bar: ")
    good = closing(ts_ms, GOOD, GOOD)
    (same,) = without.take(BarsClosed(ts_ms, good.ohlcv, bytes(absent), good.flat))
    assert decided == same
    assert snapshot(two.state) == snapshot(without.state), "as if that instrument had no bar"
    assert two.state.trade.book["last_close"].tolist() == [10_000, 10_000]
    (decided,) = two.take(closing(ts_ms + MINUTE_MS, GOOD, GOOD))
    assert isinstance(decided, DecisionMade), "the next bar is taken again"


def test_a_wrong_bar_of_the_warm_up_is_named_too(two: TwoInstruments) -> None:
    event = closing(two.at_ms, WRONG["zero"], GOOD)
    (refused,) = two.take(BarsClosed(event.ts_ms, event.ohlcv, event.present, event.flat, "warm"))
    assert isinstance(refused, EventRefused)
    assert refused.instrument == 0
    assert two.state.trade.book["last_close"].tolist() == [0, 10_000]


@pytest.mark.parametrize(
    ("lots", "ticks", "fee"), [(3_000, 10**14, 0), (5, 0, 0), (5, -1, 0), (1, 10, 10**18)]
)
def test_an_execution_that_cannot_be_counted_is_refused(
    two: TwoInstruments, lots: int, ticks: int, fee: int
) -> None:
    """It overflowed after it was journaled, and then at every start."""
    entry = two.enter(0, 3_000)
    before = two.cash
    for client_id in (entry, "somebody"):
        (refused,) = two.take(OrderFilled(client_id, two.at_ms, lots, ticks, fee, "x", 0))
        assert isinstance(refused, EventRefused)
    assert (two.held(), two.cash, two.state.differences) == (0, before, [])


@pytest.mark.parametrize("base_fee", [10**25, 10**18, 10 * 100_000 + 1, -1, -(10**25)])
def test_an_execution_with_a_fee_beyond_what_it_bought_is_refused(
    two: TwoInstruments, base_fee: int
) -> None:
    """An exception left the step, and left it again at every start."""
    entry = two.enter(0, 10)
    before, dust = two.cash, list(two.state.dust_units)
    for client_id in (entry, "somebody"):
        event = OrderFilled(client_id, two.at_ms, 10, 10_000, 0, "x", 0, base_fee_units=base_fee)
        (refused,) = two.take(event)
        assert isinstance(refused, EventRefused)
        assert f"base fee {base_fee}" in refused.reason
    assert (two.held(), two.cash, two.state.differences) == (0, before, [])
    assert two.state.dust_units == dust


def test_a_bar_at_whose_price_a_position_cannot_be_counted_is_refused(
    two: TwoInstruments,
) -> None:
    two.hold(0, 3_000)
    row = np.array([[1e12] * 4 + [1.0], [100.0, 101.0, 99.0, 100.0, 1.0]])
    ts_ms = two.start_ms + MINUTE_MS
    effects = two.take(BarsClosed(ts_ms, row.tobytes(), b"\1\1", b"\0\0"), MINUTE_MS)
    assert [e.instrument for e in effects if isinstance(e, EventRefused)] == [0]
    assert two.held() == 3_000
