"""A run of the engine as the result of a backtest: the same metrics, report and tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ares.core.initial_state import rules_of
from ares.domain.errors import UserError
from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    Effect,
    ModeChanged,
    RunStarted,
    SignalRefused,
    TradeClosed,
)
from ares.domain.order_events import ExecutionBooked, OrderMoved, SubmitOrder
from ares.domain.run import RunSetup
from ares.domain.timeframe import Timeframe
from ares.journal.run import entries
from ares.kernel.bars import F64, Bars
from ares.kernel.trade import Signals
from ares.kernel.trade.layout import (
    FILL,
    NOTICE,
    OUTCOME,
    REASON_NAMES,
    REFUSAL_NAMES,
    REQUEST,
    STOP,
    Records,
)
from ares.research.backtest import BacktestResult, measured, run_backtest
from ares.research.baselines import buy_hold
from ares.research.market import Candles, market_of
from ares.research.metrics import monthly_returns
from ares.research.strategy import Strategy, summarize
from ares.research.tables import Counts, fills_table, trades_table

KINDS = ("", "entry", "exit", "stop")


def run_result(folder: Path) -> BacktestResult:
    """Return the run in ``folder`` as a backtest's result, from its journal alone.

    Candles, probabilities, trades and equity are the journaled ones; buy & hold is computed over
    the same bars at the same costs.

    Raises UserError where the run has no closing instant yet.
    """
    read = _Journal()
    for entry in entries(folder):
        if isinstance(entry.event, RunStarted):
            read.setup = entry.event.setup
        elif isinstance(entry.event, BarsClosed) and entry.event.decides:
            read.bars.append(entry.event)
        for effect in entry.effects:
            read.add(effect)
    if read.setup is None or not read.decided or not read.bars:
        raise UserError(f"{folder.name}: the run has no closing instant yet")
    return _result(read, read.setup)


@dataclass(slots=True)
class _Journal:
    """What a journal contains, as far as a report needs it."""

    setup: RunSetup | None = None
    bars: list[BarsClosed] = field(default_factory=list)
    decided: list[DecisionMade] = field(default_factory=list)
    trades: list[TradeClosed] = field(default_factory=list)
    booked: list[ExecutionBooked] = field(default_factory=list)
    submitted: dict[str, SubmitOrder] = field(default_factory=dict)
    stops: list[tuple[int, SubmitOrder]] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    breakers: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)

    def add(self, effect: Effect) -> None:
        """Take one effect."""
        match effect:
            case DecisionMade():
                self.decided.append(effect)
            case TradeClosed():
                self.trades.append(effect)
            case ExecutionBooked():
                self.booked.append(effect)
            case SubmitOrder():
                self.submitted[effect.client_id] = effect
                self.counted[effect.kind] += 1
                if effect.kind == "stop":
                    self.stops.append((self.decided[-1].ts_ms if self.decided else 0, effect))
            case OrderMoved():
                self.counted["rejected"] += effect.status == "rejected"
            case SignalRefused():
                self.refusals[effect.code] += 1
            case BreakerChanged():
                self.breakers[effect.breaker] += effect.after == "open"
            case DailyLossReached():
                self.counted["daily"] += 1
            case ModeChanged():
                self.counted["modes"] += 1
            case _:
                pass


def _result(read: _Journal, setup: RunSetup) -> BacktestResult:
    candles = _candles(read.bars, setup)
    market = market_of(candles)
    rules = rules_of(setup.rules)
    base_ms = [each.timeframe.ms for each in candles]
    decided_ms = np.array([each.ts_ms for each in read.decided], np.int64)
    rows = np.maximum(np.searchsorted(decided_ms, market.close_ms, side="right") - 1, 0)
    units = np.array([each.equity_units for each in read.decided], np.int64)[rows]
    outputs = np.stack([np.frombuffer(e.outputs).reshape(5, -1) for e in read.decided])[rows]
    signals = Signals(*(_first_known(outputs[:, k], setup.n_instruments) for k in range(3)))
    hold = run_backtest(candles, buy_hold(candles), rules, setup.cash_quote)
    log = replace(
        hold.log,
        requests=_stops(read, setup),
        fills=_fills(read, setup, base_ms),
        outcomes=_outcomes(read, setup),
        notices=np.zeros(0, NOTICE),
        equity=units,
    )
    lots = np.bincount(log.fills["instrument"], log.fills["lots"], setup.n_instruments)
    held = int((lots != 0).sum())
    run = measured(log, candles, market, rules.spread_bps, setup.cash_quote, held)
    real, virtual = (log.outcomes[log.outcomes["virtual"] == kind] for kind in (0, 1))
    strategy = Strategy(
        name=setup.environment,
        kind="run",
        signals=signals,
        horizon_ms=(0,) * len(candles),
        validation=((0.0, 0.0, 0.0),) * len(candles),
        models=_models(setup),
    )
    return replace(
        hold,
        strategy=strategy,
        rules=rules,
        metrics=run.metrics,
        equity=run.equity,
        exposure=run.exposure,
        monthly=monthly_returns(market.close_ms, run.equity, setup.cash_quote),
        costs=run.costs,
        trades=trades_table(real, candles),
        virtual_trades=trades_table(virtual, candles),
        fills=fills_table(log.fills, candles),
        counts=_counts(read),
        signals=summarize(signals, rules.edge_bps_min),
        p=signals.p,
        log=log,
        warnings=(),
        provenance=hold.provenance
        | {
            "strategy": setup.environment,
            "kernel": setup.hashes.get("kernel", hold.provenance["kernel"]),
            "models": list(strategy.models),
            "gate_mode": rules.gate_mode,
            "rules": setup.rules,
            "hashes": setup.hashes,
        },
    )


def _candles(events: list[BarsClosed], setup: RunSetup) -> list[Candles]:
    """Return the bars on which the run decided, those that fill gaps included."""
    n = setup.n_instruments
    close_ms = np.array([event.ts_ms for event in events], np.int64)
    ohlcv = np.frombuffer(b"".join(event.ohlcv for event in events)).reshape(-1, n, 5)
    present, flat = (
        np.frombuffer(b"".join(parts), np.bool_).reshape(-1, n)
        for parts in ([e.present for e in events], [e.flat for e in events])
    )
    found = []
    for i, lane in enumerate(setup.instruments[:n]):
        rows = present[:, i]
        if rows.any():
            o, h, low, c, v = ohlcv[rows, i].T
            bars = Bars.make(close_ms[rows] - lane.base_ms, o, h, low, c, v, flat[rows, i])
            timeframe = next(each for each in Timeframe if each.ms == lane.base_ms)
            found.append(Candles(lane.spec, timeframe, bars))
    if len(found) < n:
        raise UserError("an instrument of the run has no bar yet")
    return found


def _first_known(values: F64, n: int) -> F64:
    """Return (n_instants, n) the value of each instrument's first lane that has one."""
    first = values[:, :n]
    return first if values.shape[1] == n else np.where(np.isnan(first), values[:, n:], first)


def _outcomes(read: _Journal, setup: RunSetup) -> Records:
    found = np.zeros(len(read.trades), OUTCOME)
    for row, each in zip(found, read.trades, strict=True):
        for name in ("entry_ms", "exit_ms", "entry_price", "exit_price", "lots", "pnl_units",
                     "fees_units", "net_bps", "p", "edge_bps", "mode_confidence"):  # fmt: skip
            row[name] = getattr(each, name)
        row["instrument"] = each.instrument % setup.n_instruments
        row["virtual"] = each.virtual
        row["reason"] = _code(REASON_NAMES, each.reason)
        row["code"] = _code(REFUSAL_NAMES, each.code)
    return found


def _fills(read: _Journal, setup: RunSetup, base_ms: list[int]) -> Records:
    """Return the executions, stamped like the kernel's with the open of their bar."""
    found = np.zeros(len(read.booked), FILL)
    for row, each in zip(found, read.booked, strict=True):
        i = each.instrument % setup.n_instruments
        order = read.submitted.get(each.client_id)
        row["ts_ms"] = each.ts_ms // base_ms[i] * base_ms[i]
        row["instrument"] = i
        row["kind"] = 0 if order is None else _code(KINDS, order.kind)
        row["lots"], row["price_ticks"] = each.lots, each.price_ticks
        row["fee_units"] = each.fee_units
    return found


def _stops(read: _Journal, setup: RunSetup) -> Records:
    found = np.zeros(len(read.stops), REQUEST)
    for row, (ts_ms, each) in zip(found, read.stops, strict=True):
        row["ts_ms"], row["kind"] = ts_ms, STOP
        row["instrument"] = each.instrument % setup.n_instruments
        row["lots"], row["price_ticks"] = each.lots, each.price_ticks
    return found


def _counts(read: _Journal) -> Counts:
    counted = read.counted
    return Counts(
        requests={"entries": counted["entry"], "exits": counted["exit"], "stops": counted["stop"]},
        rejected={"by_the_venue": counted["rejected"]} if counted["rejected"] else {},
        refusals=dict(read.refusals.most_common()),
        breakers={name: n for name, n in read.breakers.items() if n},
        daily_stops=counted["daily"],
        mode_changes=counted["modes"],
    )


def _models(setup: RunSetup) -> tuple[dict[str, Any], ...]:
    """Return the ensembles with which the run began, as a backtest names its own."""
    return tuple(
        {
            "instrument": lane.spec.instrument.key,
            "ensemble": lane.ensemble.hash,
            "members": [
                {"package": f"{member.name}/{member.version}", "weight": member.weight}
                for member in lane.ensemble.members
            ],
        }
        for lane in setup.instruments
        if lane.ensemble is not None
    )


def _code(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else 0
