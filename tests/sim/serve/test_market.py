"""The market at a time: candles of any interval, the running one, ids, nothing of the future."""

from __future__ import annotations

import numpy as np
import pytest
from tests.sim.serving import FROM_MS, N_BARS, made_bars

from ares.domain.errors import UserError
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import Bars
from ares.sim.serve.market import LOT, Playback, SimMarket, SymbolMarket, Trade

END_MS = FROM_MS + N_BARS * MINUTE_MS
BARS = made_bars(1, 37_000.0, 2)


@pytest.fixture(scope="module")
def btc() -> SymbolMarket:
    return SymbolMarket("BTC/USDT", BARS)


def test_closed_candles_are_the_bars(btc: SymbolMarket) -> None:
    candles = btc.candles(MINUTE_MS, FROM_MS, END_MS, END_MS)
    assert len(candles) == N_BARS
    for row, candle in enumerate(candles):
        if BARS.volume[row] == 0.0:
            assert candle.n_trades == candle.lots == 0
            assert candle.open == candle.high == candle.low == candle.close
            continue
        prices = [ticks / 100 for ticks in candle[1:5]]
        wanted = [column[row] for column in (BARS.open, BARS.high, BARS.low, BARS.close)]
        assert prices == wanted
        assert candle.lots / LOT == BARS.volume[row]


@pytest.mark.parametrize("minutes", [1, 5, 60, 1440])
def test_a_candle_is_what_its_trades_make(btc: SymbolMarket, minutes: int) -> None:
    now_ms = FROM_MS + 1_999 * MINUTE_MS + 31_234
    for candle in btc.candles(minutes * MINUTE_MS, 0, now_ms + 1, now_ms, limit=20):
        end_ms = min(candle.open_ms + minutes * MINUTE_MS, now_ms + 1)
        trades = btc.trades(candle.open_ms, end_ms)
        assert candle.n_trades == len(trades)
        if not trades:
            continue
        prices = [trade.ticks for trade in trades]
        assert (candle.open, candle.high, candle.low) == (prices[0], max(prices), min(prices))
        assert candle.close == prices[-1]
        assert candle.lots == sum(trade.lots for trade in trades)
        assert candle.first_id == trades[0].trade_id
        assert candle.turnover == pytest.approx(sum(t.ticks / 100 * t.lots / LOT for t in trades))
        assert candle.buy_lots == sum(trade.lots for trade in trades if trade.is_buy)


def test_the_running_candle_grows_with_each_trade(btc: SymbolMarket) -> None:
    open_ms = FROM_MS + 100 * MINUTE_MS
    trades = btc.trades(open_ms, open_ms + MINUTE_MS)
    seen = []
    for trade in trades:
        candle = btc.candles(MINUTE_MS, open_ms, trade.ts_ms + 1, trade.ts_ms)[-1]
        seen.append(candle)
        assert candle.close == trade.ticks
    assert [candle.n_trades for candle in seen] == list(range(1, 9))
    assert seen[-1][1:6] == btc.candles(MINUTE_MS, open_ms, END_MS, END_MS)[0][1:6]


def test_before_its_first_trade_a_minute_is_flat_at_the_last_close(btc: SymbolMarket) -> None:
    open_ms = FROM_MS + 100 * MINUTE_MS
    before, now = btc.candles(MINUTE_MS, open_ms - MINUTE_MS, open_ms + 1, open_ms)
    assert now[1:6] == (before.close,) * 4 + (0,)


def test_nothing_of_the_future_is_shown(btc: SymbolMarket) -> None:
    now_ms = FROM_MS + 500 * MINUTE_MS + 20_000
    assert max(t.ts_ms for t in btc.last_trades(50, now_ms)) <= now_ms
    assert btc.trades_from_id(btc.next_id(now_ms), 10, now_ms) == []
    assert btc.candles(MINUTE_MS, 0, END_MS, now_ms)[-1].open_ms == now_ms - 20_000
    day = btc.day(now_ms)
    assert day.n_trades == btc.next_id(now_ms) - 1


def test_ids_count_from_one_without_a_gap(btc: SymbolMarket) -> None:
    ids = [trade.trade_id for trade in btc.trades(FROM_MS, FROM_MS + 60 * MINUTE_MS)]
    assert ids == list(range(1, len(ids) + 1))
    found = btc.trades_from_id(101, 40, END_MS)
    assert [trade.trade_id for trade in found] == list(range(101, 141))
    assert found == [t for t in btc.trades(FROM_MS, END_MS) if 101 <= t.trade_id < 141]


def test_a_minute_that_is_missing_is_silent_and_absent() -> None:
    bars = BARS[np.arange(N_BARS) != 50]
    market = SymbolMarket("BTC/USDT", bars)
    open_ms = FROM_MS + 50 * MINUTE_MS
    before, gap, after = market.candles(
        MINUTE_MS, open_ms - MINUTE_MS, open_ms + 2 * MINUTE_MS, END_MS
    )
    assert (before.exists, gap.exists, after.exists) == (True, False, True)
    assert gap[1:6] == (before.close,) * 4 + (0,)


def test_playback_gives_each_trade_and_minute_once_in_order() -> None:
    market = SimMarket({"BTC/USDT": BARS, "ADA/USDT": made_bars(2, 0.37, 4)})
    from_ms = FROM_MS + 30 * MINUTE_MS + 17_000
    playback = Playback(market.symbols, from_ms)
    happened: list[Trade | int] = []
    now_ms = from_ms
    for step_ms in [1, 500, 59_000, 0, 3 * MINUTE_MS, 40 * MINUTE_MS, 1_000] * 3:
        now_ms += step_ms
        happened += playback.due(now_ms)
        assert playback.next_ms() > now_ms
    trades = [each for each in happened if isinstance(each, Trade)]
    wanted = [t for s in market.symbols for t in s.trades(from_ms + 1, now_ms + 1)]
    assert trades == sorted(wanted, key=lambda t: (t.ts_ms, t.symbol))
    times = [each.ts_ms if isinstance(each, Trade) else each for each in happened]
    assert times == sorted(times)
    minutes = [each for each in happened if not isinstance(each, Trade)]
    assert minutes == list(range(FROM_MS + 31 * MINUTE_MS, now_ms + 1, MINUTE_MS))


def test_bars_that_cannot_be_played_are_refused() -> None:
    with pytest.raises(UserError, match="no symbol"):
        SimMarket({})
    with pytest.raises(UserError, match="choose another --from"):
        SymbolMarket("BTC/USDT", Bars.empty())
    shifted = Bars.make(BARS.ts_ms + 1, *BARS.columns[1:6])
    with pytest.raises(UserError, match="full minute"):
        SymbolMarket("BTC/USDT", shifted)
