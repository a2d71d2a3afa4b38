"""The sentence above a report states the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ares import api
from ares.kernel.trade import Rules
from ares.kernel.trade.layout import ENTRY
from ares.research import BacktestResult, Candles
from ares.research.backtest import run_backtest
from ares.research.report_html import render
from ares.research.report_text import headline

Maker = Callable[..., Candles]


def test_the_headline_states_the_result(baseline: BacktestResult, walk: Maker) -> None:
    text = headline(baseline)
    assert text.startswith("It lost")
    assert "costs" in text
    assert "buy & hold made" in text
    each = walk(n=200)
    quiet = api.backtest(each, api.long_flat(each, np.zeros(200)))
    assert headline(quiet).startswith("It never traded in 3 hours: no signal led to an order.")
    assert "No closed trades." in render(quiet)


def test_what_was_not_traded_is_counted_by_reason(walk: Maker, candles_of: Maker) -> None:
    each = walk(n=2_000, seed=4)
    each.bars.volume[:] = 0.0
    rules = replace(Rules().without_limits(), participation_max=0.1)
    got = run_backtest([each], api.sma_cross(each, 5, 20), rules)
    ordered, lost = got.counts.requests["entries"], got.counts.rejected["no_volume"]
    assert ordered > 20
    assert lost >= ordered - 1  # the last one waits for a bar that does not come
    text = f"{ordered:,} entries were ordered and {lost:,} rejected (no_volume {lost:,})"
    assert headline(got).startswith(f"It never traded in 33 hours: {text}")
    last = int(got.log.requests["ts_ms"][got.log.requests["kind"] == ENTRY][-2])
    each.bars.volume[each.bars.ts_ms == last] = 1e6  # the bar that fills the last entry but one
    filled = run_backtest([each], api.sma_cross(each, 5, 20), rules)
    assert filled.metrics.entries == 1
    assert "entries were ordered and" in headline(filled)
    assert not headline(filled).startswith("It never traded")

    jump = candles_of([10.0, 10.0, 12.0, 12.0], opens=[10.0, 10.0, 12.0, 12.0])
    strategy = api.long_flat(jump, np.array([0.0, 1.0, 1.0, 1.0]))
    limited = replace(Rules().without_limits(), participation_max=0.0, collar_bps=100.0)
    got = run_backtest([jump], strategy, limited)
    assert got.counts.rejected == {"price_collar": 1}
