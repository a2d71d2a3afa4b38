"""Research from a notebook: load bars, make a strategy, backtest it, look at the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import InstrumentSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.grid import grid_of
from ares.kernel.resample import fill_gaps, resample
from ares.kernel.trade import Rules
from ares.research.backtest import BacktestResult, Fill, baseline_rules, run_backtest, sized
from ares.research.market import Candles, several
from ares.research.strategy import Strategy
from ares.research.window import parse_utc


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
    symbol    : of a file whose name does not tell.
    workspace : its folder; None: the current one, or ARES_WORKSPACE.

    Raises UserMistake where there is no such file, symbol, interval or window.
    """
    from_ms = None if from_ is None else parse_utc(from_)
    to_ms = None if to is None else parse_utc(to)
    timeframe = None if interval is None else Timeframe.parse(interval)
    path = Path(source)
    if path.is_file() or path.suffix.lower() in {".parquet", ".csv", ".feather"}:
        return _of_file(path, venue, symbol, timeframe).between(from_ms, to_ms)
    return _of_workspace(str(source), timeframe, workspace, from_ms, to_ms)


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
    fee_bps, spread_bps, slippage_bps : cost of a fill, of its notional; spread is the full one,
             slippage that of an order as large as its bar's volume.
    size   : units of the base currency, "all" cash, or None: equal shares of equity for a baseline,
             sizing by risk for a model.
    fill   : ``next_open``, or ``close``: at the close that decided, better than life.
    rules  : limits, breakers and sizing; None: none of them for a baseline, the defaults of
             ``ares.yaml`` for a model, whose mode is ignored. Costs come from the arguments.
    """
    all_candles = several(candles)
    costs = replace(
        Rules(gate_mode=False) if rules is None else rules,
        fee_bps=fee_bps,
        spread_bps=spread_bps,
        slippage_bps=slippage_bps,
    )
    if rules is None and strategy.kind == "baseline":
        costs = baseline_rules(costs, strategy, len(all_candles))
    decimals = max(one.spec.qty_decimals for one in all_candles)
    return run_backtest(all_candles, strategy, sized(costs, size, decimals), cash, fill)


def _of_file(path: Path, venue: str, symbol: str | None, timeframe: Timeframe | None) -> Candles:
    from ares.adapters.candle_files import read_candles

    if not path.exists():
        raise UserError(f"{path}: no such file: check the path")
    read = read_candles(path, venue, symbol)
    own = Timeframe.parse(read.interval)
    wanted = timeframe or own
    if wanted.ms < own.ms:
        raise UserError(f"{path.name}: holds {own.value} candles; {wanted.value} is shorter")
    bars = resample(fill_gaps(read.bars, own.ms), own.ms, wanted.ms)
    return Candles(InstrumentSpec(read.instrument, *grid_of(read.bars)), wanted, bars)


def _of_workspace(
    symbol: str,
    timeframe: Timeframe | None,
    workspace: str | Path | None,
    from_ms: int | None,
    to_ms: int | None,
) -> Candles:
    from ares.store.candles import CandleStore
    from ares.store.database import open_database
    from ares.store.history import base_bars, history

    home = Workspace.here() if workspace is None else Workspace(Path(workspace))
    engine = open_database(home.db_url)
    try:
        store = CandleStore(engine, home.cache_dir)
        instrument = store.resolve(symbol)
        if timeframe is None:
            timeframe, bars = base_bars(store, instrument, from_ms, to_ms)
        else:
            bars = history(store, instrument, timeframe, from_ms, to_ms).bars
        return Candles(store.spec(instrument), timeframe, bars).between(from_ms, to_ms)
    finally:
        engine.dispose()
