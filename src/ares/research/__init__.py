"""Backtests and their reports. A notebook imports ``ares.api``, which adds loading of candles."""

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
    "buy_hold",
    "long_flat",
    "report",
    "sma_cross",
]
