"""The same rule on the same real candles gives what other engines give.

Figures: ``bench/peers/reference.json``, obtained by running the rule (long 1 unit while SMA 20 >
SMA 100 at the close, fills at the next open, 0.1% on both sides, cash 1,000,000, no slippage) in
backtesting.py 0.6.6, vectorbt 1.2.0 and freqtrade 2026.9, each in its own environment
(``bench/peers/run_*.py``); afresh by ``make bench``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ares import api
from ares.research import Candles

FILE = "binance/BTCUSDT_1m_20260301_20260531.parquet"
WHOLE = {
    "backtesting.py": 865765.4285600007,
    "vectorbt": 865765.4285599997,
    "freqtrade": 865765.4285599998,
}
FIRST_130000 = {
    "backtesting.py": 869987.8204900007,
    "vectorbt": 869987.82049,
    "freqtrade": 869987.8204899998,
}


@pytest.fixture(scope="module")
def btc(ares_data: Path) -> Candles:
    """Return the real candles of the comparison."""
    return api.load_bars(ares_data / FILE, venue="binance")


@pytest.mark.data
@pytest.mark.parametrize(
    ("bars", "entries", "closed", "equity"),
    [(132_480, 931, 931, WHOLE), (130_000, 909, 908, FIRST_130000)],
)
def test_sma_cross_equals_the_peers(
    btc: Candles, bars: int, entries: int, closed: int, equity: dict[str, float]
) -> None:
    candles = replace(btc, bars=btc.bars[:bars])
    got = api.backtest(
        candles,
        api.sma_cross(candles, 20, 100),
        cash=1_000_000,
        fee_bps=10,
        spread_bps=0,
        slippage_bps=0,
        size=1.0,
    )
    assert got.metrics.bars == bars
    assert (got.metrics.entries, got.metrics.trades) == (entries, closed)
    assert got.metrics.open_positions == entries - closed
    for peer, value in equity.items():
        assert got.metrics.equity_end == pytest.approx(value, rel=1e-9), peer


@pytest.mark.data
def test_filled_at_the_close_equals_a_plain_loop(btc: Candles) -> None:
    strategy = api.sma_cross(btc, 20, 100)
    got = api.backtest(
        btc, strategy, cash=1e6, fee_bps=10, spread_bps=0, slippage_bps=0, size=1.0, fill="close"
    )
    cash, held, entries = 1e6, False, 0
    for edge, close in zip(strategy.signals.edge_bps[:, 0], btc.bars.close, strict=True):
        if edge > 0 and not held:
            cash, held, entries = cash - close * 1.001, True, entries + 1
        elif held and edge < 0:
            cash, held = cash + close * 0.999, False
    assert got.metrics.entries == entries
    equity = cash + (btc.bars.close[-1] if held else 0.0)
    assert got.metrics.equity_end == pytest.approx(equity, rel=1e-9)
    assert got.metrics.equity_end != pytest.approx(WHOLE["vectorbt"], rel=1e-9)


def test_the_figures_here_are_those_of_the_bench() -> None:
    path = Path(__file__).parents[1] / "bench" / "peers" / "reference.json"
    windows = json.loads(path.read_text())["windows"]
    for name, here in (("whole", WHOLE), ("first_130000", FIRST_130000)):
        for peer, equity in here.items():
            assert windows[name]["final_equity"][peer] == pytest.approx(equity, rel=1e-12)


@pytest.mark.data
def test_bars_of_a_file_may_be_resampled_and_cut(ares_data: Path) -> None:
    day = api.load_bars(ares_data / FILE, "1h", from_="2026-03-02", to="2026-03-03")
    assert len(day.bars) == 24
    assert day.key == "file:BTC/USDT"
    assert np.all(np.diff(day.bars.ts_ms) == 3_600_000)
