"""Equity of non-overlapping trades, and of holding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares.learn.equity import equity_of_holding, equity_of_trades
from ares.learn.rows import Rows

MakeRows = Callable[..., Rows]
HOUR = 3_600_000


def test_equity_compounds_trades_that_do_not_overlap(rows: MakeRows) -> None:
    table = replace(rows(4), net=np.array([0.1, -0.5, 0.2, 0.0]))
    path = equity_of_trades(table, np.array([0, 2]), 0, 30 * HOUR)
    assert path.value.tolist() == pytest.approx([1.0, 1.1, 1.32, 1.32])
    assert np.all(np.diff(path.ts_ms) >= 0)


def test_holding_pays_costs_once() -> None:
    from ares.kernel.bars import Bars

    close = np.linspace(100.0, 120.0, 5)
    bars = Bars.make(np.arange(5) * HOUR, close, close, close, close, close)
    path = equity_of_holding([bars, bars], 0, 5 * HOUR, cost_bps=20.0)
    assert path is not None
    assert path.value[-1] == pytest.approx(1.2 * 0.998)
    assert equity_of_holding([bars, Bars.empty()], 0, 5 * HOUR, 20.0) is None
