"""The sentence above a report states the result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ares import api
from ares.research import BacktestResult, Candles
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
