"""Backtests and their reports: what a notebook imports (see docs/RESEARCH.md).

>>> from ares import research
>>> candles = research.load_bars("BTCUSDT_1h.parquet")  # doctest: +SKIP
>>> result = research.backtest(candles, research.sma_cross(candles, 20, 100))  # doctest: +SKIP
>>> research.report(result, "sma.html")  # doctest: +SKIP
"""

from ares.research.api import backtest, load_bars
from ares.research.backtest import BacktestResult
from ares.research.baselines import buy_hold, sma_cross
from ares.research.market import Candles
from ares.research.metrics import BacktestMetrics
from ares.research.report_html import ReportFiles, report
from ares.research.strategy import Strategy, long_flat

__all__ = [
    "BacktestMetrics",
    "BacktestResult",
    "Candles",
    "ReportFiles",
    "Strategy",
    "backtest",
    "buy_hold",
    "load_bars",
    "long_flat",
    "report",
    "sma_cross",
]
