"""Trades made from bars: a candle made from them is the bar, to the last digit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.trades import (
    TRADES_PER_BAR,
    WEIGHT_MAX,
    BarTicks,
    decimals_of,
    has_trades,
    key_of,
    trades_of,
)

price = st.integers(1, 10**9)


@st.composite
def bars(draw: st.DrawFn) -> BarTicks:
    n = draw(st.integers(1, 5))
    rows = [sorted(draw(st.lists(price, min_size=4, max_size=4))) for _ in range(n)]
    rising = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    lots = draw(st.lists(st.integers(0, 10**16), min_size=n, max_size=n))
    opened = [row[1] if up else row[2] for row, up in zip(rows, rising, strict=True)]
    close = [row[2] if up else row[1] for row, up in zip(rows, rising, strict=True)]
    minute = draw(st.integers(0, 10**8))
    ts_ms = [(minute + k) * MINUTE_MS for k in range(n)]
    columns = (ts_ms, opened, [r[3] for r in rows], [r[0] for r in rows], close, lots)
    return BarTicks(*(np.array(column, np.int64) for column in columns))


@given(bars(), st.sampled_from([1, 10**3, 10**8]))
def test_the_candle_of_the_trades_is_the_bar(made: BarTicks, lot_unit: int) -> None:
    trades = trades_of(made, key_of("BTC/USDT"), lot_unit)
    for row in range(len(made.lots)):
        of_bar = trades.bar == row
        if not has_trades(made)[row]:
            assert not of_bar.any()
            continue
        ticks, lots, ts_ms = trades.ticks[of_bar], trades.lots[of_bar], trades.ts_ms[of_bar]
        assert len(ticks) == TRADES_PER_BAR
        assert (ticks[0], ticks.max(), ticks.min(), ticks[-1]) == (
            made.open[row],
            made.high[row],
            made.low[row],
            made.close[row],
        )
        assert lots.sum() == made.lots[row]
        assert (lots > 0).all()
        assert (np.diff(ts_ms) > 0).all()
        assert made.ts_ms[row] <= ts_ms[0]
        assert ts_ms[-1] < made.ts_ms[row] + MINUTE_MS
        if made.lots[row] >= TRADES_PER_BAR * WEIGHT_MAX * lot_unit:
            assert (lots[:-1] % lot_unit == 0).all()


@given(bars())
def test_the_same_bar_gives_the_same_trades_alone_and_among_others(made: BarTicks) -> None:
    whole = trades_of(made, key_of("BTC/USDT"), 1)
    for row in range(len(made.lots)):
        alone = trades_of(made.rows(row, row + 1), key_of("BTC/USDT"), 1)
        for column, other in zip(alone[1:], whole[1:], strict=True):
            assert np.array_equal(column, other[whole.bar == row])


def test_two_symbols_do_not_trade_at_the_same_times() -> None:
    ts_ms = MINUTE_MS * np.arange(10, dtype=np.int64)
    flat = np.full(10, 100, np.int64)
    made = BarTicks(ts_ms, flat, flat, flat, flat, np.full(10, 10**8, np.int64))
    first, second = (trades_of(made, key_of(name), 1) for name in ("BTC/USDT", "ETH/USDT"))
    assert not np.array_equal(first.ts_ms, second.ts_ms)


def test_decimals() -> None:
    assert decimals_of(np.array([27_000.0, 1.0])) == 0
    assert decimals_of(np.array([0.00001234, 12.5])) == 8
    assert decimals_of(np.array([1.0 / 3.0])) == 8
