from __future__ import annotations

from collections.abc import Callable

import pytest

import ares.api as api
from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe
from ares.research import Candles


def test_a_result_is_a_few_lines_and_a_small_table(walk: Callable[..., Candles]) -> None:
    candles = walk(n=2_000, seed=1, timeframe=Timeframe.H1, step=0.006)
    result = api.backtest(candles, api.sma_cross(candles))
    assert len(repr(result).splitlines()) <= 4
    assert "sma_cross 20/100" in repr(result)
    html = result._repr_html_()
    assert html.count("<tr>") == 9
    assert "Sharpe ratio" in html
    assert "buy &amp; hold" in html
    assert len(repr(candles).splitlines()) == 1
    assert "2,000 bars" in repr(candles)


@pytest.mark.parametrize("venue", ["nope", "Bad Venue", "a:b", ""])
def test_a_wrong_venue_is_a_typed_error(venue: str) -> None:
    with pytest.raises(UserError, match="unknown venue"):
        api.load_bars("BTCUSDT_1h.parquet", venue=venue)
