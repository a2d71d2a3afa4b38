"""What a notebook imports: load candles, make a strategy, backtest it, look at the report.

>>> import ares.api as ares
>>> candles = ares.load_bars("BTCUSDT_1h.parquet")  # doctest: +SKIP
>>> result = ares.backtest(candles, ares.sma_cross(candles, 20, 100))  # doctest: +SKIP
>>> ares.report(result, "sma.html")  # doctest: +SKIP

See docs/RESEARCH.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import polars as pl

from ares.config.venues import require_known_venue
from ares.domain.timeframe import Timeframe
from ares.kernel.features import FEATURE_NAMES
from ares.kernel.trade import Rules
from ares.research import (
    BacktestMetrics,
    BacktestResult,
    Candles,
    ReportFiles,
    Strategy,
    buy_hold,
    long_flat,
    report,
    sma_cross,
)
from ares.research.backtest import Fill, baseline_rules, run_backtest, sized
from ares.research.dataset import features_table, labels_table
from ares.research.load import candles_of_file, stored_candles
from ares.research.market import several
from ares.research.window import parse_utc

__all__ = [
    "FEATURE_NAMES",
    "BacktestMetrics",
    "BacktestResult",
    "Candles",
    "ReportFiles",
    "Rules",
    "Strategy",
    "backtest",
    "buy_hold",
    "features_of",
    "labels_of",
    "load_bars",
    "long_flat",
    "report",
    "sma_cross",
]


def load_bars(
    source: str | Path,
    interval: str | None = None,
    *,
    from_: str | None = None,
    to: str | None = None,
    symbol: str | None = None,
    venue: str = "file",
    workspace: str | Path | None = None,
) -> Candles:
    """Return candles of a file (Parquet, CSV) or of a symbol stored in a workspace.

    source    : a path, or a symbol such as ``BTC/USDT`` or ``binance:BTC/USDT``.
    interval  : of the candles wanted: ``1m 5m 15m 1h 4h 1d``; None: the finest there is.
    from_, to : dates or times, UTC; bars that open at or after ``from_`` and close by ``to``.
    symbol    : for a file whose name does not contain one.
    workspace : its folder; None: the current one, or ARES_WORKSPACE.

    venue     : of a file's candles: a venue's ccxt name, or ``file``.

    Raises UserError where there is no such file, symbol, interval, window or venue.
    """
    if venue != "file":
        require_known_venue(venue)
    from_ms = None if from_ is None else parse_utc(from_)
    to_ms = None if to is None else parse_utc(to)
    timeframe = None if interval is None else Timeframe.parse(interval)
    path = Path(source)
    if path.is_file() or path.suffix.lower() in {".parquet", ".csv", ".feather"}:
        return candles_of_file(path, venue, symbol, timeframe).between(from_ms, to_ms)
    from ares.bootstrap import candle_store
    from ares.config.workspace import Workspace

    home = Workspace.here() if workspace is None else Workspace(Path(workspace))
    with candle_store(home) as store:
        return stored_candles(store, str(source), timeframe, from_ms, to_ms)


def features_of(candles: Candles, reference: Candles | None = None) -> pl.DataFrame:
    """Return the features that a model sees: a row for each bar, known at its ``close_time``.

    The columns ``FEATURE_NAMES`` are in the order of a model's input; ``warm`` is False before all
    of them are past their warm-up.

    reference : candles of the instrument of the cross features (``features.reference``, else the
                first of ``symbols``); None: the candles are of it.
    """
    return features_table(candles, reference)


def labels_of(
    candles: Candles, *, cost_bps: float = 22.0, horizon: float = 1.0, width: float = 1.0
) -> pl.DataFrame:
    """Return the outcome of the trade that a model predicts, for each bar where it is known.

    ``won`` is True where the ``net`` return after costs is above 0. The outcome of the bar that
    closed at ``close_time`` was known at ``end_time``: a model evaluated on later rows may learn
    only from rows that had ended before the first of them was decided.

    cost_bps : of a round trip.    horizon, width : as ``learning.horizon`` and ``learning.width``.
    """
    return labels_table(candles, cost_bps=cost_bps, horizon=horizon, width=width)


def backtest(
    candles: Candles | Sequence[Candles],
    strategy: Strategy,
    *,
    cash: float = 10_000.0,
    fee_bps: float = 10.0,
    spread_bps: float = 2.0,
    slippage_bps: float = 1.0,
    size: float | Literal["all"] | None = None,
    fill: Fill = "next_open",
    rules: Rules | None = None,
) -> BacktestResult:
    """Run a strategy over candles in one account.

    cash   : quote currency at the start.
    fee_bps, spread_bps, slippage_bps : cost of a fill, in bps of its notional; spread is the full
             spread, slippage that of an order as large as its bar's volume.
    size   : units of the base currency, "all" cash, or None: equal shares of equity for a baseline,
             sizing by risk for a model.
    fill   : ``next_open``, or ``close``: at the close that decided, which no real order gets.
    rules  : limits, breakers and sizing; None: none of them for a baseline, the defaults of
             ``ares.yaml`` for a model, whose mode is ignored. Costs come from the arguments.
    """
    instruments = several(candles)
    costs = replace(
        Rules(gate_mode=False) if rules is None else rules,
        fee_bps=fee_bps,
        spread_bps=spread_bps,
        slippage_bps=slippage_bps,
    )
    if rules is None and strategy.kind == "baseline":
        costs = baseline_rules(costs, strategy, len(instruments))
    decimals = max(each.spec.qty_decimals for each in instruments)
    return run_backtest(instruments, strategy, sized(costs, size, decimals), cash, fill)
