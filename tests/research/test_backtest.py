"""Backtests: the account adds up to the unit, cash is never overdrawn, fills are where they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.domain.errors import UserError
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.kernel.trade import Rules, Signals
from ares.research.account_path import account_path
from ares.research.backtest import (
    BacktestResult,
    baseline_rules,
    run_backtest,
    sized,
)
from ares.research.baselines import buy_hold, sma_cross
from ares.research.market import Candles, market_of
from ares.research.strategy import Strategy, long_flat

Maker = Callable[..., Candles]
FREE = Rules(fee_bps=0.0, spread_bps=0.0, slippage_bps=0.0)


def model_like(candles: list[Candles], seed: int) -> Strategy:
    """Return a strategy with random edges and widths, as an ensemble would give them."""
    chance = np.random.default_rng(seed)
    shape = (len(market_of(candles).close_ms), len(candles))
    edge = np.where(chance.random(shape) < 0.7, np.nan, 40.0 * chance.standard_normal(shape))
    width = np.full(shape, 60.0)
    return Strategy(
        "random", "ensemble", Signals(chance.random(shape), edge, width),
        (30 * MINUTE_MS,) * len(candles), ((0.0, 0.0, 0.0),) * len(candles),
    )  # fmt: skip


def adds_up(result: BacktestResult) -> None:
    """Assert that cash and positions rebuilt from the fills are the kernel's equity, exactly."""
    specs = [each.spec for each in result.candles]
    base_ms = [each.timeframe.ms for each in result.candles]
    cash = round(result.metrics.equity_start * 1e8)
    path = account_path(market_of(result.candles), specs, base_ms, result.log, cash)
    np.testing.assert_array_equal(path.cash + path.gross, result.log.equity)
    assert path.cash[-1] == result.log.state.account[0]["cash"]
    assert path.cash.min() >= 0
    assert result.metrics.equity_end == result.log.equity[-1] / 1e8


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.2]),
    fill=st.sampled_from(["next_open", "close"]),
    fee=st.sampled_from([0.0, 10.0, 33.0]),
    decimals=st.sampled_from([(2, 3), (5, 8), (0, 0)]),
    kind=st.sampled_from(["model", "sma", "hold", "all"]),
)
def test_equity_is_cash_and_positions(
    walk: Maker, seed: int, gaps: float, fill: str, fee: float, decimals: tuple[int, int], kind: str
) -> None:
    candles = [
        walk("AAA/USDT", 300, seed, decimals=decimals, gaps=gaps),
        walk("BBB/USDT", 60, seed + 1, timeframe=Timeframe.M5, price=7.0),
    ]
    rules = replace(Rules(fee_bps=fee), gate_mode=False)
    strategy = model_like(candles, seed) if kind == "model" else sma_cross(candles, 3, 10)
    if kind == "hold":
        strategy = buy_hold(candles)
    if kind != "model":
        rules = baseline_rules(rules, strategy, 2)
    if kind == "all":
        rules = sized(rules, "all", 3)
    got = run_backtest(candles, strategy, rules, 10_000.0, fill)  # type: ignore[arg-type]  # drawn from the literals
    adds_up(got)


def test_the_model_like_world_really_trades_and_stops(walk: Maker) -> None:
    candles = [walk(n=3000, seed=3)]
    got = run_backtest(candles, model_like(candles, 3), replace(Rules(), gate_mode=False))
    assert got.metrics.trades > 20
    assert set(got.trades["exit_reason"].unique()) >= {"stop", "take_profit", "reversal"}
    assert got.counts.requests["stops"] >= got.metrics.trades
    assert got.counts.refusals


def test_several_instruments_share_one_purse(walk: Maker) -> None:
    candles = [walk(f"{name}/USDT", 800, seed) for seed, name in enumerate(["A", "B", "C"])]
    strategy = sma_cross(candles, 5, 20)
    got = run_backtest(candles, strategy, baseline_rules(Rules(), strategy, 3), 1_000.0)
    adds_up(got)
    assert got.metrics.trades > 20
    assert got.exposure.max() <= 1.0
    assert len(set(got.trades["instrument"])) == 3


def test_all_in_takes_the_cash_there_is(walk: Maker) -> None:
    candles = [walk(n=400, seed=5)]
    strategy = sma_cross(candles, 5, 20)
    rules = sized(baseline_rules(Rules(), strategy, 1), "all", 3)
    got = run_backtest(candles, strategy, rules, 5_000.0)
    adds_up(got)
    first = got.fills.row(0, named=True)
    assert first["qty_base"] * first["price_quote"] == pytest.approx(5_000.0, rel=0.02)


def test_next_open_and_close_fill_at_their_prices(candles_of: Maker) -> None:
    each = candles_of([10.0, 11.0, 12.0, 13.0, 14.0], opens=[10.0, 10.5, 11.5, 12.5, 13.5])
    strategy = long_flat([each], [np.array([0.0, 1.0, 1.0, 0.0, 0.0])], "by hand")
    rules = sized(replace(FREE.without_limits(), participation_max=0.0, collar_bps=0.0), 2.0, 3)
    later = run_backtest([each], strategy, rules, 1_000.0)
    assert later.fills["price_quote"].to_list() == [11.5, 13.5]
    assert later.metrics.equity_end == 1_004.0
    at_once = run_backtest([each], strategy, rules, 1_000.0, "close")
    assert at_once.fills["price_quote"].to_list() == [11.0, 13.0]
    assert at_once.metrics.equity_end == 1_004.0
    assert any("which no real order gets" in text for text in at_once.warnings)


def test_an_order_of_the_last_bar_fills_at_its_close_only(candles_of: Maker) -> None:
    each = candles_of([10.0, 11.0, 12.0])
    strategy = long_flat([each], [np.array([0.0, 0.0, 1.0])], "by hand")
    rules = sized(replace(Rules().without_limits(), participation_max=0.0), 1.0, 3)
    later = run_backtest([each], strategy, rules, 1_000.0)
    assert (later.metrics.entries, later.metrics.equity_end) == (0, 1_000.0)
    at_once = run_backtest([each], strategy, rules, 1_000.0, "close")
    assert at_once.metrics.open_positions == 1
    assert at_once.metrics.equity_end < 1_000.0  # the fee and half the spread
    assert at_once.metrics.bars == 3
    assert at_once.fills["time"].item().timestamp() * 1000 == each.close_ms[-1]
    adds_up(at_once)


def test_costs_by_hand(candles_of: Maker) -> None:
    each = candles_of([100.0, 100.0, 100.0, 100.0])
    strategy = long_flat([each], [np.array([1.0, 0.0, 0.0, 0.0])], "by hand")
    rules = Rules(fee_bps=10, spread_bps=20, slippage_bps=100)
    rules = sized(replace(rules.without_limits(), participation_max=0.0), 10.0, 3)
    got = run_backtest([each], strategy, rules, 10_000.0)
    # 10 of 1,000 traded: slippage 1 bp; bought at 100.11, sold at 99.89
    assert got.fills["price_quote"].to_list() == [100.11, 99.89]
    assert got.costs.spread == pytest.approx(2.0)
    assert got.costs.slippage == pytest.approx(0.2)
    assert got.costs.fees == pytest.approx(2.0)
    assert got.metrics.equity_end == pytest.approx(10_000.0 - got.costs.total)


def test_a_stop_costs_its_distance_to_the_trigger_not_to_the_open(candles_of: Maker) -> None:
    each = candles_of([100.0, 100.0, 100.0, 90.0, 90.0], opens=[100.0] * 3 + [100.0, 90.0])
    strategy = Strategy(
        "stopped", "ensemble",
        Signals(*(np.array(x)[:, None] for x in ([0.9] * 5, [50.0, *[np.nan] * 4], [100.0] * 5))),
        (0,), ((0.0, 0.0, 0.0),),
    )  # fmt: skip
    rules = Rules(fee_bps=0, spread_bps=20, slippage_bps=0, gate_mode=False)
    got = run_backtest([each], strategy, rules, 10_000.0)
    assert got.trades["exit_reason"].to_list() == ["stop"]
    trigger = np.floor(100.1 * 0.99 * 100) / 100
    size = got.fills["qty_base"][0]
    assert got.fills["price_quote"][1] == pytest.approx(trigger * 0.999, abs=0.01)
    assert got.costs.spread == pytest.approx(size * (100.0 + trigger) * 0.001)
    assert abs(got.costs.slippage) <= size * 0.02  # rounding to the tick only


def test_prices_of_trades_are_those_of_the_fills(walk: Maker) -> None:
    for decimals in ((2, 3), (5, 8), (0, 0)):
        candles = [walk(n=1500, seed=9, decimals=decimals)]
        rules = replace(Rules(), gate_mode=False, participation_max=0.0)
        got = run_backtest(candles, model_like(candles, 9), rules, 100_000.0)
        entries = got.fills.filter(kind="entry")["price_quote"].to_list()
        whole = got.trades["entry_price"].to_list()
        np.testing.assert_allclose(whole, entries[: len(whole)], rtol=1e-6)
        close = candles[0].bars.close
        for price in got.virtual_trades["entry_price"]:
            assert close.min() * 0.9 < price < close.max() * 1.1


def test_equal_sizes_of_instruments_with_other_lots(walk: Maker) -> None:
    candles = [walk("A/USDT", 300, 1, decimals=(2, 1)), walk("B/USDT", 300, 2, decimals=(2, 5))]
    strategy = sma_cross(candles, 3, 10)
    rules = sized(baseline_rules(Rules(), strategy, 2), 2.5, 5)
    got = run_backtest(candles, strategy, rules, 100_000.0)
    assert set(got.fills.filter(kind="entry")["qty_base"]) == {2.5}
    assert len(set(got.fills["instrument"])) == 2


def test_limits_given_to_a_baseline_hold(walk: Maker) -> None:
    each = walk(n=3000, seed=6, step=0.004)
    strategy = sma_cross([each], 5, 20)
    rules = replace(baseline_rules(Rules(), strategy, 1), position_max=0.1, drawdown_max=0.01)
    got = run_backtest([each], strategy, rules)
    assert got.exposure.max() < 0.12
    assert got.counts.breakers["drawdown"] == 1
    assert got.counts.refusals["breaker_drawdown"] > 0
    assert got.virtual_trades.height > 0


def test_the_mode_counts_only_in_gate_mode(walk: Maker) -> None:
    candles = [walk(n=1500, seed=3)]
    strategy = model_like(candles, 3)
    free = run_backtest(candles, strategy, replace(Rules(), gate_mode=False))
    gated = run_backtest(candles, strategy, Rules())
    assert free.metrics.trades > 0
    assert "mode_learning" in gated.counts.refusals
    assert gated.metrics.trades < free.metrics.trades
    assert gated.provenance["gate_mode"] is True


def test_an_empty_window_is_an_error(walk: Maker) -> None:
    each = walk(n=10)
    empty = replace(each, bars=each.bars[:0])
    with pytest.raises(UserError, match="no candles of test:AAA/USDT"):
        run_backtest([empty], buy_hold([empty]), Rules())


def test_a_size_below_a_lot_is_refused() -> None:
    with pytest.raises(UserError, match="must be at least"):
        sized(Rules(), 0.0001, 3)
