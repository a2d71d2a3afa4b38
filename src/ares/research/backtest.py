"""A backtest: a strategy's signals through the kernel's trade half, and the result."""

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
    trade_params,
)
from ares.kernel.trade.layout import SIZE_FIXED, SIZE_RISK
from ares.learn.gate.baselines import affordable_share, free_rules
from ares.research.account_path import ExecutionCosts, account_path, execution_costs
from ares.research.baselines import buy_hold
from ares.research.market import Candles, filled_at_close, market_of
from ares.research.metrics import BacktestMetrics, MonthReturn, measure, monthly_returns
from ares.research.result_repr import result_html, result_text
from ares.research.strategy import SignalSummary, Strategy, summarize
from ares.research.tables import Counts, counts_of, fills_table, trades_table

Fill = Literal["next_open", "close"]
Size = float | Literal["all", "risk"]

ALL_COLLAR_BPS = 100.0
"""With all cash in one order, an entry waits while the next open is further above the close."""

UNBOUNDED = 9.0e10
"""A limit, in quote currency, above any account."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The result of a strategy; arrays are ``(n_bars,)`` on the closing instants.

    metrics, hold : of the strategy, and of buy & hold over the same bars at the same costs.
    equity, hold_equity, exposure : quote, quote, share of equity in positions.
    trades  : closed trades; virtual_trades: trades of refused signals; fills.
    counts  : requests and refusals by name; changes of breakers and modes.
    signals : summary of the signals; p: (n_bars, n_instruments) probabilities, NaN: no score.
    log     : the records of the kernel.
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
    signals: SignalSummary
    p: F64
    log: TradeLog
    warnings: tuple[str, ...]
    provenance: dict[str, Any]

    def __repr__(self) -> str:
        """Return a few lines; the arrays and tables are attributes."""
        return result_text(self._title, self.metrics, self.hold)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return result_html(self._title, self.metrics, self.hold, self.warnings)

    @property
    def _title(self) -> str:
        symbols = ", ".join(each.spec.instrument.symbol for each in self.candles)
        return f"{self.strategy.name} · {symbols}"


def run_backtest(
    candles: Sequence[Candles],
    strategy: Strategy,
    rules: Rules,
    cash_quote: float = 10_000.0,
    fill: Fill = "next_open",
) -> BacktestResult:
    """Run ``strategy`` over the candles in one account and return the result.

    rules : costs, sizing, limits, breakers; see ``baseline_rules`` and ``sized``.
    fill  : at the next bar's open; or at the close that decided, which no real order gets.

    Raises UserError where there are no candles.
    """
    empty = [each.key for each in candles if len(each.bars) == 0]
    if empty or not candles:
        names = ", ".join(empty) or "any instrument"
        raise UserError(f"no candles of {names} in the window: change --from, --to or --days")
    candles = _on_one_lot(candles) if rules.sizing == SIZE_FIXED else tuple(candles)
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
        signals=summarize(strategy.signals, rules.edge_bps_min),
        p=strategy.signals.p,
        log=run.log,
        warnings=(*strategy.warnings, *_warnings(rules, fill, run.metrics)),
        provenance=_provenance(candles, strategy, rules, fill, cash_quote),
    )


def run_metrics(result: BacktestResult, signals: Signals) -> BacktestMetrics:
    """Return the metrics of a backtest with other signals and everything else the same."""
    strategy = replace(result.strategy, signals=signals)
    market = market_of(result.candles)
    cash_quote = result.metrics.equity_start
    return _run(result.candles, market, strategy, result.rules, cash_quote, result.fill).metrics


def baseline_rules(rules: Rules, strategy: Strategy, n_instruments: int) -> Rules:
    """Return the same costs without stops, limits and breakers; equal shares per instrument.

    Orders of any size are filled.
    """
    return free_rules(rules, strategy.collar_bps, n_instruments)


def sized(rules: Rules, size: Size | None, qty_decimals: int) -> Rules:
    """Return ``rules`` with a fixed size in units of the base currency, all cash, or unchanged.

    size : None and ``risk`` leave the sizing of the rules.

    All cash is bounded by the highest cost of the order, so that cash is never overdrawn; the
    first signal uses it, others wait.

    Raises UserError when a size is below one lot.
    """
    if size is None or size == "risk":
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
        raise UserError(
            f"--size {size:g}: must be at least {least:g}, the lot of these instruments"
        )
    return replace(rules, sizing=SIZE_FIXED, fixed_lots=lots)


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """What was traded, and what it came to at each closing instant."""

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
) -> MeasuredRun:
    """Scan once and measure."""
    base_ms = [each.timeframe.ms for each in candles]
    traded = [
        InstrumentRules(each.spec, each.timeframe.ms, horizon_ms=horizon, validation=validation)
        for each, horizon, validation in zip(
            candles, strategy.horizon_ms, strategy.validation, strict=True
        )
    ]
    params = trade_params(rules, traded)
    state = first_state(traded, cash_quote, params)
    for i, each in enumerate(candles):
        if each.before is not None:
            observe_closes(i, each.before, state, params)
    shown, signals = market, strategy.signals
    if fill == "close":
        shown = filled_at_close(market, base_ms)
        signals = _with_empty_row(signals)
    log = scan(shown, signals, state, params)
    if fill == "close":
        log = _without_last_row(log, int(market.close_ms[-1]))
    held = int((log.state.book["position_lots"] != 0).sum())
    return measured(log, candles, market, rules.spread_bps, cash_quote, held, shown)


def measured(
    log: TradeLog,
    candles: Sequence[Candles],
    market: Market,
    spread_bps: float,
    cash_quote: float,
    open_positions: int,
    shown: Market | None = None,
) -> MeasuredRun:
    """Measure what was traded, by a backtest or by a run.

    log            : its equity, in units, at each of the market's closing instants.
    open_positions : how many are held at the end.
    shown          : the market as fills saw it, where that is another one.
    """
    specs = [each.spec for each in candles]
    base_ms = [each.timeframe.ms for each in candles]
    path = account_path(market, specs, base_ms, log, round(cash_quote * 1e8))
    costs = execution_costs(market if shown is None else shown, specs, base_ms, log, spread_bps)
    equity, units = log.equity / 1e8, log.equity
    exposure = np.divide(path.gross, units, out=np.zeros(len(units)), where=units > 0)
    metrics = measure(
        opened_ms=min(int(each.bars.ts_ms[0]) for each in candles),
        close_ms=market.close_ms,
        equity=equity,
        exposure=exposure,
        held=path.held,
        outcomes=log.outcomes[log.outcomes["virtual"] == 0],
        open_positions=open_positions,
        costs=costs,
        equity_start=cash_quote,
    )
    return MeasuredRun(log, equity, exposure, costs, metrics)


def _with_empty_row(signals: Signals) -> Signals:
    """Return the signals with a row without signals after the last."""
    empty = np.full((1, signals.p.shape[1]), np.nan)
    return Signals(*(np.concatenate([column, empty]) for column in signals))


def _without_last_row(log: TradeLog, end_ms: int) -> TradeLog:
    """Return the log without its added row, whose fills then belong to the last bar."""
    equity = log.equity[:-1].copy()
    equity[-1] = log.equity[-1]
    requests = log.requests[log.requests["ts_ms"] <= end_ms]
    notices = log.notices[log.notices["ts_ms"] <= end_ms]
    return replace(log, requests=requests, notices=notices, equity=equity)


def _on_one_lot(candles: Sequence[Candles]) -> tuple[Candles, ...]:
    """Return the candles with the finest lot of all, so that lots mean the same size."""
    decimals = max(each.spec.qty_decimals for each in candles)
    return tuple(
        replace(each, spec=msgspec.structs.replace(each.spec, qty_decimals=decimals))
        for each in candles
    )


def _warnings(rules: Rules, fill: Fill, metrics: BacktestMetrics) -> tuple[str, ...]:
    found = []
    if fill == "close":
        found.append(
            "orders fill at the close that decided them, which no real order gets; "
            "compare with --fill next_open"
        )
    if rules.fee_bps == 0 and rules.spread_bps == 0 and rules.slippage_bps == 0:
        found.append("no fee, no spread, no slippage: real trading has costs")
    if 0 < metrics.trades < 30:
        found.append(
            f"only {metrics.trades} closed trade{'s' if metrics.trades != 1 else ''}: win rate, "
            "Sharpe ratio and profit factor are mostly noise"
        )
    return tuple(found)


def _provenance(
    candles: Sequence[Candles], strategy: Strategy, rules: Rules, fill: Fill, cash_quote: float
) -> dict[str, Any]:
    """Return what is needed to reproduce the result."""
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
                "instrument": each.key,
                "interval": each.timeframe.value,
                "bars": len(each.bars),
                "flat_bars": int(each.bars.flat.sum()),
                "from_ms": int(each.bars.ts_ms[0]),
                "to_ms": int(each.close_ms[-1]),
                "hash": each.bars.hash,
            }
            for each in candles
        ],
    }
