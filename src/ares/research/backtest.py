"""A backtest: a strategy's signals through the kernel's trade half, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl

from ares.domain.errors import UserError
from ares.kernel.bars import F64, I64
from ares.kernel.jit import kernel_hash
from ares.kernel.live import observe_closes
from ares.kernel.trade import (
    InstrumentRules,
    Market,
    Rules,
    Signals,
    TradeLog,
    first_state,
    scan,
    specs_record,
)
from ares.kernel.trade.layout import SIZE_FIXED, SIZE_RISK
from ares.learn.gate.baselines import affordable_share, free_rules
from ares.research.account_path import ExecutionCosts, account_path, execution_costs
from ares.research.baselines import buy_hold
from ares.research.market import Candles, filled_at_close, market_of
from ares.research.metrics import BacktestMetrics, MonthReturn, measure, monthly_returns
from ares.research.strategy import SignalSummary, Strategy, said
from ares.research.tables import Counts, counts_of, fills_table, trades_table

Fill = Literal["next_open", "close"]

ALL_COLLAR_BPS = 100.0
"""With all cash in one order, an entry waits while the next open is further above the close."""

UNBOUNDED = 9.0e10
"""More quote currency than any account has."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What a strategy made of the candles; arrays are ``(n_bars,)`` on the closing instants.

    metrics, hold : of the strategy, and of buy & hold over the same bars at the same costs.
    equity, hold_equity, exposure : quote, quote, share of equity in positions.
    trades  : closed trades; virtual_trades: what refused signals would have made; fills.
    counts  : requests and refusals by name, breakers and modes that moved.
    said    : what the signals were; p: (n_bars, n_instruments) their probabilities, NaN: no say.
    log     : everything the kernel wrote, as it wrote it.
    """

    strategy: Strategy
    candles: tuple[Candles, ...]
    rules: Rules
    fill: Fill
    metrics: BacktestMetrics
    hold: BacktestMetrics
    close_ms: I64
    equity: F64
    hold_equity: F64
    exposure: F64
    monthly: tuple[MonthReturn, ...]
    costs: ExecutionCosts
    trades: pl.DataFrame
    virtual_trades: pl.DataFrame
    fills: pl.DataFrame
    counts: Counts
    said: SignalSummary
    p: F64
    log: TradeLog
    warnings: tuple[str, ...]
    provenance: dict[str, Any]


def run_backtest(
    candles: Sequence[Candles],
    strategy: Strategy,
    rules: Rules,
    cash_quote: float = 10_000.0,
    fill: Fill = "next_open",
) -> BacktestResult:
    """Run ``strategy`` over the candles in one account and return what it came to.

    rules : costs, sizing, limits, breakers; ``baseline_rules`` and ``sized`` make common ones.
    fill  : at the next bar's open, or (better than life) at the close that decided.

    Raises UserMistake where there is nothing to run over.
    """
    if not candles or any(len(one.bars) == 0 for one in candles):
        empty = ", ".join(one.key for one in candles if len(one.bars) == 0) or "no instrument"
        raise UserError(f"nothing to backtest on: no candles of {empty} in the window")
    candles = _one_lot_size(candles) if rules.sizing == SIZE_FIXED else tuple(candles)
    market = market_of(candles)
    run = _run(candles, market, strategy, rules, cash_quote, fill)
    holding = buy_hold(candles)
    same_costs = replace(baseline_rules(rules, holding, len(candles)), sizing=SIZE_RISK)
    hold = _run(candles, market, holding, same_costs, cash_quote, fill)
    real = run.log.outcomes[run.log.outcomes["virtual"] == 0]
    virtual = run.log.outcomes[run.log.outcomes["virtual"] == 1]
    return BacktestResult(
        strategy=strategy,
        candles=candles,
        rules=rules,
        fill=fill,
        metrics=run.metrics,
        hold=hold.metrics,
        close_ms=market.close_ms,
        equity=run.equity,
        hold_equity=hold.equity,
        exposure=run.exposure,
        monthly=monthly_returns(market.close_ms, run.equity, cash_quote),
        costs=run.costs,
        trades=trades_table(real, candles),
        virtual_trades=trades_table(virtual, candles),
        fills=fills_table(run.log.fills, candles),
        counts=counts_of(run.log),
        said=said(strategy.signals, rules.edge_bps_min),
        p=strategy.signals.p,
        log=run.log,
        warnings=(*strategy.warnings, *_warnings(rules, fill, run.metrics)),
        provenance=_provenance(candles, strategy, rules, fill, cash_quote),
    )


def baseline_rules(rules: Rules, strategy: Strategy, n_instruments: int) -> Rules:
    """Return the same costs without stops, limits and breakers; each instrument an equal share.

    Orders of any size are filled: a baseline is a measure, not a plan.
    """
    return free_rules(rules, strategy.collar_bps, n_instruments)


def sized(rules: Rules, size: float | Literal["all"] | None, qty_decimals: int) -> Rules:
    """Return ``rules`` with a fixed size in units of the base currency, all cash, or their own.

    All cash is bounded by what the order could cost at worst, so that cash is never overdrawn; the
    first signal takes it, others wait.

    Raises UserMistake when a size is below one lot.
    """
    if size is None:
        return rules
    if size == "all":
        collared = replace(
            rules, collar_bps=min(rules.collar_bps or ALL_COLLAR_BPS, ALL_COLLAR_BPS)
        )
        return replace(
            collared,
            sizing=SIZE_RISK,
            risk_per_trade=UNBOUNDED,
            position_max=1.0,
            exposure_max=affordable_share(collared),
            order_quote_max=UNBOUNDED,
            volatility_target=0.0,
        )
    lots = round(size * 10**qty_decimals)
    if lots < 1:
        least = 10.0**-qty_decimals
        raise UserError(f"--size {size:g}: the smallest size of these instruments is {least:g}")
    return replace(rules, sizing=SIZE_FIXED, fixed_lots=lots)


@dataclass(frozen=True, slots=True)
class _Run:
    log: TradeLog
    equity: F64
    exposure: F64
    costs: ExecutionCosts
    metrics: BacktestMetrics


def _run(
    candles: Sequence[Candles],
    market: Market,
    strategy: Strategy,
    rules: Rules,
    cash_quote: float,
    fill: Fill,
) -> _Run:
    """Scan once and measure."""
    n = len(market.close_ms)
    specs = [one.spec for one in candles]
    base_ms = [one.timeframe.ms for one in candles]
    traded = [
        InstrumentRules(one.spec, one.timeframe.ms, horizon_ms=horizon, validation=validation)
        for one, horizon, validation in zip(
            candles, strategy.horizon_ms, strategy.validation, strict=True
        )
    ]
    record = rules.record()
    state = first_state(traded, cash_quote, record)
    table = specs_record(traded)
    for i, one in enumerate(candles):
        if one.before is not None:
            observe_closes(i, one.before, state.book, table)
    shown, signals = market, strategy.signals
    if fill == "close":
        shown = filled_at_close(market, base_ms)
        signals = _one_row_more(signals)
    log = scan(shown, signals, state, record, table)
    if fill == "close":
        log = _without_last_row(log, int(market.close_ms[-1]))
    path = account_path(market, specs, base_ms, log, int(state.account[0]["cash"]))
    costs = execution_costs(shown, specs, base_ms, log, rules.spread_bps)
    equity = log.equity / 1e8
    exposure = np.divide(path.gross, log.equity, out=np.zeros(n), where=log.equity > 0)
    metrics = measure(
        opened_ms=min(int(one.bars.ts_ms[0]) for one in candles),
        close_ms=market.close_ms,
        equity=equity,
        exposure=exposure,
        held=path.held,
        outcomes=log.outcomes[log.outcomes["virtual"] == 0],
        open_positions=int((log.state.book["position_lots"] != 0).sum()),
        costs=costs,
        equity_start=cash_quote,
    )
    return _Run(log, equity, exposure, costs, metrics)


def _one_row_more(signals: Signals) -> Signals:
    """Return the signals with a silent row after the last."""
    silent = np.full((1, signals.edge.shape[1]), np.nan)
    return Signals(*(np.concatenate([x, silent]) for x in (signals.p, signals.edge, signals.width)))


def _without_last_row(log: TradeLog, end_ms: int) -> TradeLog:
    """Return the log of a run with an added row as if its fills belonged to the last true one."""
    equity = log.equity[:-1].copy()
    equity[-1] = log.equity[-1]
    requests = log.requests[log.requests["ts_ms"] <= end_ms]
    notices = log.notices[log.notices["ts_ms"] <= end_ms]
    return replace(log, requests=requests, notices=notices, equity=equity)


def _one_lot_size(candles: Sequence[Candles]) -> tuple[Candles, ...]:
    """Return the candles on the finest lot among them, so that one number of lots is one size."""
    decimals = max(one.spec.qty_decimals for one in candles)
    return tuple(
        replace(one, spec=msgspec.structs.replace(one.spec, qty_decimals=decimals))
        for one in candles
    )


def _warnings(rules: Rules, fill: Fill, metrics: BacktestMetrics) -> tuple[str, ...]:
    found = []
    if fill == "close":
        found.append(
            "orders fill at the close that decided them: better than any venue gives; "
            "compare with --fill next_open"
        )
    if rules.fee_bps == 0 and rules.spread_bps == 0 and rules.slippage_bps == 0:
        found.append("no fee, no spread, no slippage: nobody trades like this")
    if 0 < metrics.trades < 30:
        found.append(
            f"{metrics.trades} trades are few: win rate, Sharpe ratio and profit factor are "
            "mostly luck at this number"
        )
    return tuple(found)


def _provenance(
    candles: Sequence[Candles], strategy: Strategy, rules: Rules, fill: Fill, cash_quote: float
) -> dict[str, Any]:
    """Return what is needed to compute the same again."""
    from ares import __version__

    return {
        "ares": __version__,
        "kernel": kernel_hash(),
        "strategy": strategy.name,
        "models": list(strategy.models),
        "fill": fill,
        "gate_mode": rules.gate_mode,
        "cash_quote": cash_quote,
        "rules": {name: getattr(rules, name) for name in Rules.__slots__},
        "data": [
            {
                "instrument": one.key,
                "interval": one.timeframe.value,
                "bars": len(one.bars),
                "flat_bars": int(one.bars.flat.sum()),
                "from_ms": int(one.bars.ts_ms[0]),
                "to_ms": int(one.close_ms[-1]),
                "hash": one.bars.hash,
            }
            for one in candles
        ],
    }
