"""The report of a run, from its journal alone: equity, trades, refusals, modes, breakers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ares.core.slot_history import SlotHistory
from ares.domain.errors import UserError
from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    ModeChanged,
    RunStarted,
    SeriesStale,
    SignalRefused,
    TradeClosed,
)
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.model_events import RetrainingEnded, SlotChanged
from ares.domain.model_life import is_rehearsal
from ares.domain.order_events import ExecutionBooked, OrderMoved, SubmitOrder
from ares.domain.run import NO_END, RunSetup
from ares.journal.run import JournalEntry, entries

UNITS = 10.0**MONEY_DECIMALS

ENDLESS = ("paper", "live")
"""Environments of one run each, which goes on until it is stopped."""


@dataclass(frozen=True, slots=True)
class ClosedTrades:
    """Closed trades of one kind (real or virtual); ratios without trades are None."""

    trades: int
    win_rate: float | None
    mean_net_bps: float | None
    total_net_bps: float


@dataclass(frozen=True, slots=True)
class StageChange:
    """An ensemble that was added, removed or changed its stage during a run."""

    ts_ms: int
    instrument: str
    move: str
    ensemble_hash: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class InstrumentReport:
    """One instrument of a run. pnl_quote and fees_quote count closed real trades only.

    challenger : virtual trades of challengers of a champion.
    """

    instrument: str
    slot: str
    mode: str
    mode_confidence: float | None
    signals: int
    refused: dict[str, int]
    real: ClosedTrades
    virtual: ClosedTrades
    pnl_quote: float
    fees_quote: float
    open_lots: int
    challenger: ClosedTrades


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run. Equity values open positions at the last close; drawdown is a fraction.

    stale_series : how often each series became stale, by instrument.
    """

    environment: str
    from_ms: int
    to_ms: int
    finished: bool
    events: int
    instants: int
    bars: int
    cash_quote: float
    equity_start: float
    equity_end: float
    net_return: float
    max_drawdown: float
    fees: float
    orders: int
    fills: int
    rejected: int
    mode_changes: int
    breaker_changes: dict[str, int]
    daily_loss_days: int
    instruments: tuple[InstrumentReport, ...]
    moves: tuple[StageChange, ...] = ()
    retrainings: dict[str, int] = field(default_factory=dict)
    stale_series: dict[str, dict[str, int]] = field(default_factory=dict)
    verdict: str = ""
    equity_ms: list[int] = field(default_factory=list, repr=False)
    equity_quote: list[float] = field(default_factory=list, repr=False)


def run_folders(journal_dir: Path) -> list[Path]:
    """Return the folders of all runs, the one last written first."""
    folders = [p.parent for p in (journal_dir / "history").glob("*/000001.journal")]
    folders += [journal_dir / name for name in ENDLESS if (journal_dir / name).is_dir()]
    folders += [p.parent for p in (journal_dir / "rehearsal").glob("*/000001.journal")]
    return sorted(folders, key=_written_ns, reverse=True)


def _written_ns(folder: Path) -> int:
    return max((p.stat().st_mtime_ns for p in folder.glob("*.journal")), default=0)


def newest_run(journal_dir: Path) -> Path:
    """Return the folder of the run that was last written: that of an engine that runs, or else the
    last one that ran. Raises UserError where there is none.
    """
    runs = [folder for folder in run_folders(journal_dir) if any(folder.glob("*.journal"))]
    if not runs:
        raise UserError("there is no run yet: start one with `ares run`")
    return runs[0]


def run_folder(journal_dir: Path, name: str | None) -> Path:
    """Return the folder of a run by its name (``history/x``, ``x``, ``paper``, ``rehearsal/x``), or
    the newest.
    """
    if name is None:
        return newest_run(journal_dir)
    if (name in ENDLESS or is_rehearsal(name)) and (journal_dir / name).is_dir():
        return journal_dir / name
    folder = journal_dir / "history" / name.removeprefix("history/")
    if not folder.is_dir():
        known = sorted(p.name for p in (journal_dir / "history").glob("*") if p.is_dir())
        known += [run for run in ENDLESS if (journal_dir / run).is_dir()]
        known += sorted(run_name(p) for p in (journal_dir / "rehearsal").glob("*") if p.is_dir())
        raise UserError(f"no run '{name}'; runs here: {', '.join(known) or 'none'}")
    return folder


def run_name(folder: Path) -> str:
    """Return the name by which a run is found again; of history runs without ``history/``."""
    is_of_rehearsal = folder.parent.name == "rehearsal"
    return f"rehearsal/{folder.name}" if is_of_rehearsal else folder.name


def report_run(folder: Path) -> RunReport:
    """Return the report of the run in a folder."""
    tally = _Tally()
    for entry in entries(folder):
        tally.add(entry)
    if tally.setup is None:
        raise UserError(f"{folder.name}: the journal is empty: run it again")
    return tally.report()


class _Tally:
    """Counts of the journal's entries."""

    def __init__(self) -> None:
        self.setup: RunSetup | None = None
        self.events = self.instants = self.bars = self.last_ms = 0
        self.orders = self.fills = self.rejected = self.modes = self.daily = 0
        self.fee_units = 0
        self.breakers: Counter[str] = Counter()
        self.stale: Counter[tuple[str, int]] = Counter()
        self.decided: list[DecisionMade] = []
        self.trades: list[TradeClosed] = []
        self.refused: list[SignalRefused] = []
        self.entry_requests: Counter[int] = Counter()
        self.lots: Counter[int] = Counter()
        self.slots = SlotHistory()
        self.shadow: list[TradeClosed] = []
        self.moves: list[SlotChanged] = []
        self.retrainings: Counter[str] = Counter()

    def add(self, entry: JournalEntry) -> None:
        """Count one entry."""
        self.events += 1
        event = entry.event
        if isinstance(event, RunStarted):
            self.setup = event.setup
            self.slots.on_event(event)
        elif isinstance(event, BarsClosed):
            self.last_ms = max(self.last_ms, event.ts_ms)
            if event.decides:
                self.instants += 1
                self.bars += event.present.count(1)
        elif isinstance(event, RetrainingEnded):
            self.retrainings[event.outcome] += 1
        for effect in entry.effects:
            match effect:
                case DecisionMade():
                    self.decided.append(effect)
                case ExecutionBooked():
                    self.fills += 1
                    self.fee_units += effect.fee_units
                    self.lots[effect.instrument] += effect.lots
                case OrderMoved():
                    self.rejected += effect.status == "rejected"
                case SubmitOrder():
                    self.orders += 1
                    self.entry_requests[effect.instrument] += effect.kind == "entry"
                case SignalRefused():
                    self.refused.append(effect)
                case TradeClosed():
                    is_challenge = effect.virtual and self.slots.challenges_champion(
                        effect.instrument
                    )
                    (self.shadow if is_challenge else self.trades).append(effect)
                case SlotChanged():
                    self.moves.append(effect)
                    self.slots.apply(effect)
                case ModeChanged():
                    self.modes += 1
                case BreakerChanged():
                    self.breakers[effect.breaker] += effect.after == "open"
                case DailyLossReached():
                    self.daily += 1
                case SeriesStale():
                    self.stale[effect.series, effect.instrument] += 1
                case _:
                    pass

    def report(self) -> RunReport:
        """Return the report."""
        setup = self.setup
        assert setup is not None
        equity = np.array([d.equity_units for d in self.decided]) / UNITS
        start = setup.cash_quote
        end = float(equity[-1]) if len(equity) else start
        peak = np.maximum.accumulate(np.concatenate([[start], equity]))[1:]
        drawdown = float(((peak - equity) / peak).max()) if len(equity) else 0.0
        instruments = tuple(self._instrument(setup, i) for i in range(setup.n_instruments))
        return RunReport(
            environment=setup.environment,
            from_ms=setup.from_ms,
            to_ms=setup.to_ms or self.last_ms,
            finished=setup.to_ms != NO_END
            and self.last_ms > setup.to_ms - min(o.base_ms for o in setup.instruments),
            events=self.events,
            instants=self.instants,
            bars=self.bars,
            cash_quote=start,
            equity_start=start,
            equity_end=end,
            net_return=end / start - 1.0,
            max_drawdown=drawdown,
            fees=self.fee_units / UNITS,
            orders=self.orders,
            fills=self.fills,
            rejected=self.rejected,
            mode_changes=self.modes,
            breaker_changes=dict(self.breakers),
            daily_loss_days=self.daily,
            stale_series={
                spec.name: {
                    setup.instruments[i].spec.instrument.key: n
                    for (name, i), n in sorted(self.stale.items())
                    if name == spec.name
                }
                for spec in setup.series
                if any(name == spec.name for name, _ in self.stale)
            },
            instruments=instruments,
            moves=tuple(self._moved(move) for move in self.moves),
            retrainings=dict(self.retrainings),
            verdict=verdict_of(instruments, end / start - 1.0, self.rejected),
            equity_ms=[d.ts_ms for d in self.decided],
            equity_quote=equity.tolist(),
        )

    def _instrument(self, setup: RunSetup, i: int) -> InstrumentReport:
        row = setup.instruments[i]
        lanes = range(i, len(setup.instruments), setup.n_instruments)
        champion = self.slots.champion(i)
        lane = i if champion is None else champion
        trades = [t for t in self.trades if t.instrument in lanes]
        real = [t for t in trades if not t.virtual]
        refused = Counter(r.code for r in self.refused if r.instrument == lane)
        mode, confidence = "–", None
        if self.decided and row.ensemble is not None:
            outputs = np.frombuffer(self.decided[-1].outputs).reshape(5, -1)
            confidence = float(outputs[3, lane])
            mode = "TRADING" if outputs[4, lane] else "LEARNING"
        stage = self.slots.slots[lane].stage
        return InstrumentReport(
            instrument=row.spec.instrument.key,
            slot=stage if row.ensemble is not None else "no_model",
            mode=mode,
            mode_confidence=confidence,
            signals=sum(self.entry_requests[x] for x in lanes) + sum(refused.values()),
            refused=dict(refused.most_common()),
            real=_side(real),
            virtual=_side([t for t in trades if t.virtual]),
            challenger=_side([t for t in self.shadow if t.instrument in lanes]),
            pnl_quote=sum(t.pnl_units for t in real) / UNITS,
            fees_quote=sum(t.fees_units for t in real) / UNITS,
            open_lots=sum(self.lots[x] for x in lanes),
        )

    def _moved(self, move: SlotChanged) -> StageChange:
        assert self.setup is not None
        key = self.setup.instruments[move.instrument].spec.instrument.key
        return StageChange(move.ts_ms, key, move.move, move.ensemble_hash, move.who, move.reason)


def _side(trades: list[TradeClosed]) -> ClosedTrades:
    if not trades:
        return ClosedTrades(0, None, None, 0.0)
    net = np.array([trade.net_bps for trade in trades])
    return ClosedTrades(len(net), float((net > 0).mean()), float(net.mean()), float(net.sum()))


def _why_no_trades(instruments: tuple[InstrumentReport, ...], rejected: int) -> str:
    """Return what became of the signals, from the counts of orders and of refusals by code."""
    refused: Counter[str] = Counter()
    for row in instruments:
        refused.update(row.refused)
    ordered = sum(row.signals for row in instruments) - refused.total()
    parts = []
    if ordered:
        parts.append(f"{ordered} entries ordered, {rejected} of them rejected")
    if refused:
        codes = ", ".join(f"{code} {n}" for code, n in refused.most_common(3))
        parts.append(f"{refused.total()} signals refused ({codes})")
    return "; ".join(parts) or "No signal reached strategy.edge_bps_min"


def verdict_of(
    instruments: tuple[InstrumentReport, ...], net_return: float, rejected: int = 0
) -> str:
    """Return the result of the run in one or two sentences.

    rejected : orders of which nothing was filled.
    """
    virtual = sum(row.virtual.trades for row in instruments)
    real = sum(row.real.trades for row in instruments)
    held = sum(row.open_lots != 0 for row in instruments)
    if real == 0 and virtual == 0 and held == 0:
        return f"{_why_no_trades(instruments, rejected)}: no trades, real or virtual."
    parts = []
    if real == 0 and held == 0:
        parts.append("No real trades.")
    else:
        made = "gained" if net_return > 0 else "lost"
        still = f" and {held} open positions, valued at the last close," if held else ""
        parts.append(
            f"{real} closed trades{still} {made} {abs(net_return):.2%} of the account"
            " after all costs."
        )
    if virtual:
        total = sum(row.virtual.total_net_bps for row in instruments)
        mean = total / virtual
        what = "no edge after costs" if mean <= 0 else "a positive mean, not yet evidence"
        trades = "virtual trade" if virtual == 1 else "virtual trades"
        parts.append(f"{virtual} {trades} averaged {mean:+.1f} bps net: {what}.")
    return " ".join(parts)
