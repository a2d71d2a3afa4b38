"""The four parts of one trade's gap sum to it, for every modelled and every executed trade."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.trade import InstrumentRules, Rules, trade_params
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.replay.parity import TradeParity
from ares.runtime.replay.trade_path import InstrumentBars, TradeExecution, TradePath

N_BARS = 40
SPEC = InstrumentSpec(Instrument("kraken", "BTC/USD"), 2, 3)
RULES = Rules(fee_bps=10.0, spread_bps=2.0, slippage_bps=5.0)
OPENS = 10_000 + 40 * np.arange(N_BARS, dtype=np.int64)


def parity() -> TradeParity:
    close_ms = MINUTE_MS * np.arange(1, N_BARS + 1, dtype=np.int64)
    ticks = np.stack([OPENS, OPENS + 30, OPENS - 30, OPENS + 10], axis=1)[:, None, :]
    present, lots = np.ones((N_BARS, 1), np.bool_), np.full((N_BARS, 1), 50_000, np.int64)
    panel = BarPanel(close_ms, ticks / 100.0, present, ~present, ticks, lots, 1)
    params = trade_params(RULES, [InstrumentRules(SPEC, MINUTE_MS)])
    return TradeParity(0, params, InstrumentBars(panel, 0, MINUTE_MS))


PARITY = parity()


@st.composite
def paths(draw: Any) -> TradePath:
    """Return a trade of any prices, times and fees; it may be empty, or still open."""
    path = TradePath()
    held = 0
    for k in range(draw(st.integers(0, 3))):
        lots = draw(st.integers(1, 40_000))
        held += lots
        path.executions.append(execution(draw, lots, "entry", "entry", f"entry {k // 2}"))
    for k in range(draw(st.integers(0, 3)) if held else 0):
        lots = draw(st.integers(1, held))
        held -= lots
        kind = draw(st.sampled_from(["stop", "exit"]))
        reason = "stop" if kind == "stop" else draw(st.sampled_from(["timeout", "reversal"]))
        path.executions.append(execution(draw, -lots, kind, reason, f"{kind} {k // 2}"))
        if not held:
            break
    return path


def execution(draw: Any, lots: int, kind: str, reason: str, order: str) -> TradeExecution:
    ts_ms = draw(st.integers(-MINUTE_MS, (N_BARS + 3) * MINUTE_MS))
    price, fee = draw(st.integers(1, 30_000)), draw(st.integers(-(10**8), 10**9))
    trigger = draw(st.integers(0, 12_000)) if kind == "stop" else 0
    return TradeExecution(ts_ms, lots, price, fee, kind, reason, order, trigger)


@given(paths(), paths())
def test_the_parts_sum_to_the_gap(modelled: TradePath, executed: TradePath) -> None:
    parts = PARITY.units(modelled, executed)
    steps = parts.signal + parts.timing + parts.fill + parts.fee
    assert parts.gap == parts.live - parts.backtest
    notional = PARITY.notional_units(modelled, executed)
    assert abs(steps - parts.gap) <= 1e-5 * (1 + notional * 1e-4)  # of 0.1 bp, a ten-thousandth
    if not executed.executions:
        assert parts.live == 0.0
        assert parts.signal == parts.gap


def model_price(row: int, is_buy: bool) -> int:
    """Return the open of a bar with half the spread (1 bp) and slippage (2% of 5 bps)."""
    bps = 1.0 + 5.0 * 1_000 / 50_000
    ticks = int(OPENS[row])
    exact = ticks * (1 + bps * 1e-4) if is_buy else ticks * (1 - bps * 1e-4)
    return int(np.ceil(exact)) if is_buy else int(np.floor(exact))


BUY, SELL = model_price(3, True), model_price(9, False)


def model_trade(minute: int = 3, exit_minute: int = 9) -> TradePath:
    """Return the model's trade of 1,000 lots, bought at one bar's open and sold at another's."""
    buy, sell = model_price(minute, True), model_price(exit_minute, False)
    return TradePath(
        [
            filled(minute, 1_000, buy, "entry", "entry"),
            filled(exit_minute, -1_000, sell, "exit", "timeout"),
        ]
    )


def filled(minute: int, lots: int, price: int, kind: str, reason: str) -> TradeExecution:
    """Return an execution with the model's fee: 10 bps of lots x ticks x 1e3 units."""
    return TradeExecution(minute * MINUTE_MS, lots, price, abs(lots) * price, kind, reason, kind)


def test_the_same_trade_has_no_gap() -> None:
    parts = PARITY.units(model_trade(), model_trade())
    assert (parts.signal, parts.timing, parts.fill, parts.fee, parts.gap) == (0.0,) * 5
    assert parts.live == 1_000 * (1_000 * (SELL - BUY) - (SELL + BUY))


def test_each_difference_is_its_part() -> None:
    model = model_trade()
    later = PARITY.units(model, model_trade(4, 10))
    assert later.timing == later.gap != 0.0
    assert (later.signal, later.fill, later.fee) == (0.0, 0.0, 0.0)

    half = TradePath([half_of(e) for e in model.executions])
    assert PARITY.units(model, half).signal == pytest.approx(-model_result(model) / 2)

    dearer = TradePath([filled(3, 1_000, BUY + 7, "entry", "entry"), model.executions[1]])
    parts = PARITY.units(model, dearer)
    assert parts.fill == parts.gap == -(1_000 * 7 * 1_000 + 1_000 * 7)
    assert (parts.signal, parts.timing, parts.fee) == (0.0, 0.0, 0.0)

    charged = model_trade()
    charged.gas_units = 5
    assert PARITY.units(model, charged).fee == PARITY.units(model, charged).gap == -5.0


def model_result(path: TradePath) -> float:
    return PARITY.units(path, TradePath()).backtest


def half_of(e: TradeExecution) -> TradeExecution:
    """Return half an execution, at its price and rate."""
    return replace(e, lots=e.lots // 2, fee_units=e.fee_units // 2)


def test_an_exit_for_another_reason_is_of_the_signal() -> None:
    model, stopped = model_trade(), model_trade()
    stopped.executions[1] = replace(filled(11, -1_000, 9_990, "stop", "stop"), trigger_ticks=10_000)
    parts = PARITY.units(model, stopped)
    assert parts.timing == 0.0
    assert parts.signal != 0.0
    assert parts.signal + parts.fill + parts.fee == pytest.approx(parts.gap)
