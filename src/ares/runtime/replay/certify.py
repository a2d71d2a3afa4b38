"""Certify: recompute a run by the backtest path and compare it with its journal, fact by fact.

The journal gives the bars; ``scan`` gives features, scores, decisions, requests and (the venue was
simulated) fills. Nothing of the event-driven path is used: the certificate is that both agree.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ares.core.facts import KIND_NAMES, notice_effects, outcome_effect, refusal_effect
from ares.core.models import Scorers
from ares.domain.events import (
    BY_CONFIDENCE,
    BarsClosed,
    BreakerChanged,
    CancelOrder,
    DailyLossReached,
    DecisionMade,
    Effect,
    EngineStarted,
    ModeChanged,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    SeriesPublished,
    SeriesRestored,
    SeriesStale,
    SignalRefused,
    SubmitOrder,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry, entries
from ares.kernel.bars import F64, I64
from ares.kernel.features.user import UserFeatures
from ares.kernel.live import observe_closes
from ares.kernel.trade import Signals, TradeLog
from ares.kernel.trade.layout import CANCEL_STOP, REASON_NAMES, REFUSAL
from ares.runtime.engine.feed import ClosedBars, Feed
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.engine.series import history_of_events, series_facts_of
from ares.runtime.replay.recompute import (
    RunFeatures,
    SlotChanges,
    scan_with_changes,
    signals_of_lanes,
)
from ares.runtime.replay.restep import first_state, open_run

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The comparison: ``first`` is the first mismatch in full; ``lines``: (compared, different) by
    kind.
    """

    environment: str
    events: int
    compared: int
    mismatches: int
    lines: dict[str, tuple[int, int]]
    first: dict[str, Any] | None


def certify(
    folder: Path,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> Certificate:
    """Recompute the run in ``folder`` by the backtest path and compare it with its journal.

    user          : the user's own features, where the run has any.
    open_ensemble : opens the ensembles that were published during the run. Their slot changes are
                    taken from the journal; their scores and trades are computed.
    """
    setup = open_run(folder)
    journal = JournalColumns(setup)
    for entry in _completed(entries(folder)):
        journal.add(entry)
    log, signals, feed = recompute(folder, setup, journal, scorers, user, open_ensemble)
    computed = _rows_of_scan(log)
    decided_ms = feed.close_ms[journal.warming :]
    history = history_of_events(journal.published, len(setup.series))
    found = series_facts_of(first_state(folder, setup), history, decided_ms)
    computed["series"] = [_fact(effect) for effect in found]
    lines: dict[str, tuple[int, int]] = {}
    first: dict[str, Any] | None = None
    for kind in LINES if setup.series else LINES[:-1]:
        count, wrong, mismatch = _compare(kind, journal.rows[kind], computed[kind])
        lines[kind] = (count, wrong)
        first = first or mismatch
    count, wrong, mismatch = _compare_decisions(journal, signals, log, decided_ms)
    lines["decisions"] = (count, wrong)
    first = mismatch or first
    return Certificate(
        setup.environment,
        journal.events,
        sum(n for n, _ in lines.values()),
        sum(wrong for _, wrong in lines.values()),
        lines,
        first,
    )


def _completed(journaled: Iterable[JournalEntry]) -> Iterator[JournalEntry]:
    """Yield the entries up to the last completed closing instant, and the venue's immediate
    answers to its orders: later fills belong to an instant that a crash interrupted.
    """
    pending: list[JournalEntry] = []
    any_completed = False
    for entry in journaled:
        pending.append(entry)
        if _is_completed_bar(entry):
            yield from pending
            pending.clear()
            any_completed = True
    for entry in pending if any_completed else ():
        if not isinstance(entry.event, OrderAccepted | OrderCancelled | EngineStarted):
            return
        yield entry


def _is_completed_bar(entry: JournalEntry) -> bool:
    return isinstance(entry.event, BarsClosed) and entry.effects_raw is not None


def recompute(
    folder: Path,
    setup: RunSetup,
    journal: JournalColumns,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> tuple[TradeLog, Signals, Feed]:
    """Return the run by the backtest path, and its feed."""
    state = first_state(folder, setup)
    feed, first_row = journal.closings.feed(setup), journal.warming
    changes = journal.changes.found
    history = history_of_events(journal.published, len(setup.series))
    features = RunFeatures(setup, state, feed, scorers, user, open_ensemble, history)
    signals = signals_of_lanes(setup, state, features, feed.close_ms[first_row:], changes)
    for lane in range(len(setup.instruments)):
        warming = feed.ticks[:first_row][feed.present[:first_row, lane], lane, 3]
        observe_closes(lane, np.ascontiguousarray(warming), state.trade, state.params)
    return scan_with_changes(state, feed, first_row, signals, changes), signals, feed


_UNKNOWN = SubmitOrder("", -1, "unknown", 0, 0, "", 0.0, 0.0, 0.0)
"""The order of a fill whose own order was never journaled: a mismatch in any case."""

KINDS = {
    SignalRefused: "refusals",
    TradeClosed: "trades",
    ModeChanged: "modes",
    BreakerChanged: "breakers",
    DailyLossReached: "breakers",
    VirtualTradeOpened: "virtual",
    SeriesStale: "series",
    SeriesRestored: "series",
}
LINES = ("orders", "fills", "refusals", "trades", "modes", "breakers", "virtual", "series")


class JournalColumns:
    """A run's journal, taken entry by entry and kept in columns: it may be larger than memory.

    rows    : what the run did, by kind, in order.
    warming : instants before the first decision.
    outputs : of each decision: probability, edge and barrier distance of every lane.
    equity  : of each decision: its instant and the account's equity.
    """

    def __init__(self, setup: RunSetup) -> None:
        self.events = self.warming = 0
        self.closings, self.changes = ClosedBars(), SlotChanges(setup)
        self.published: list[SeriesPublished] = []
        self.rows: dict[str, list[Row]] = {kind: [] for kind in LINES}
        self.outputs, self.equity = bytearray(), array("q")
        self._orders: dict[str, SubmitOrder] = {}
        self._output_bytes = 3 * 8 * len(setup.instruments)

    def add(self, entry: JournalEntry) -> None:
        """Take the next entry."""
        self.events += 1
        event, effects = entry.event, entry.effects
        self.changes.add(event, effects)
        match event:
            case BarsClosed():
                self.closings.add(event)
                self.warming += event.warming
            case SeriesPublished():
                self.published.append(event)
            case OrderFilled():
                self._fill(event, event.lots, event.fee_units)
            case OrderRejected():
                self._fill(event, 0, 0)
            case _:
                pass
        for effect in effects:
            self._effect(effect)

    def _fill(self, event: OrderFilled | OrderRejected, lots: int, fee_units: int) -> None:
        order = self._orders.get(event.client_id, _UNKNOWN)
        head = (event.ts_ms, order.instrument, order.kind, lots)
        self.rows["fills"].append((*head, event.price_ticks, fee_units))

    def _effect(self, effect: Effect) -> None:
        if isinstance(effect, DecisionMade):
            self.outputs += effect.outputs[: self._output_bytes]
            self.equity.extend((effect.ts_ms, effect.equity_units))
        elif isinstance(effect, SubmitOrder):
            self._orders[effect.client_id] = effect
            request = (effect.lots, effect.price_ticks, effect.reason)
            signal = (effect.p, effect.edge_bps, effect.barrier_bps)
            self.rows["orders"].append((effect.instrument, effect.kind, *request, *signal))
        elif isinstance(effect, CancelOrder):
            self.rows["orders"].append((effect.instrument, "cancel"))
        elif isinstance(effect, ModeChanged) and effect.reason != BY_CONFIDENCE:
            return  # part of a slot change, which is taken from the journal
        elif type(effect) in KINDS:
            self.rows[KINDS[type(effect)]].append(_fact(effect))


def _rows_of_scan(log: TradeLog) -> dict[str, list[Row]]:
    """Return what the scan did, in the same form."""
    rows: dict[str, list[Row]] = {kind: [] for kind in LINES}
    for k, r in enumerate(log.requests):
        i, kind = int(r["instrument"]), int(r["kind"])
        if kind == REFUSAL:
            rows["refusals"].append(_fact(refusal_effect(log.requests, k)))
        elif kind == CANCEL_STOP:
            rows["orders"].append((i, "cancel"))
        else:
            request = (int(r["lots"]), int(r["price_ticks"]), REASON_NAMES[int(r["reason"])])
            signal = (float(r["p"]), float(r["edge_bps"]), float(r["barrier_bps"]))
            rows["orders"].append((i, KIND_NAMES[kind], *request, *signal))
    for f in log.fills:
        head = (int(f["ts_ms"]), int(f["instrument"]), KIND_NAMES[int(f["kind"])], int(f["lots"]))
        rows["fills"].append((*head, int(f["price_ticks"]), int(f["fee_units"])))
    for k in range(len(log.outcomes)):
        rows["trades"].append(_fact(outcome_effect(log.outcomes, k)))
    for k in range(len(log.notices)):
        for effect in notice_effects(log.notices, k):
            rows[KINDS[type(effect)]].append(_fact(effect))
    return rows


def _fact(effect: Effect) -> Row:
    return (type(effect).__name__, *msgspec.structs.astuple(effect))


def _compare(
    kind: str, journaled: list[Row], computed: list[Row]
) -> tuple[int, int, dict[str, Any] | None]:
    """Return (compared, different, the first difference in full)."""
    count = max(len(journaled), len(computed))
    wrong, first = 0, None
    for k in range(count):
        expected = journaled[k] if k < len(journaled) else None
        found = computed[k] if k < len(computed) else None
        if repr(expected) != repr(found):  # repr: NaN equals NaN, and -0.0 is not 0.0
            wrong += 1
            first = first or {
                "kind": kind, "index": k, "journaled": expected, "recomputed": found,
            }  # fmt: skip
    return count, wrong, first


def _compare_decisions(
    journal: JournalColumns, signals: Signals, log: TradeLog, decided_ms: I64
) -> tuple[int, int, dict[str, Any] | None]:
    """Compare probability, edge, barrier and equity of every closing instant, to the bit."""
    n = signals.p.shape[1]
    equity = np.array(journal.equity, np.int64).reshape(-1, 2)
    both = min(len(equity), len(log.equity))
    missing = max(len(equity), len(log.equity)) - both
    outputs = np.frombuffer(journal.outputs).reshape(-1, 3, n)[:both]
    computed = np.stack([signals.p, signals.edge_bps, signals.barrier_bps], axis=1)[:both]
    bits_equal = outputs.view(np.int64) == computed.view(np.int64)
    same = bits_equal | (np.isnan(outputs) & np.isnan(computed))
    computed_equity = np.stack([decided_ms, log.equity], axis=1)[:both]
    same_equity = equity[:both] == computed_equity
    wrong = int((~same).sum() + (~same_equity).sum()) + missing
    first: dict[str, Any] | None = None
    rows_wrong = np.flatnonzero(~(same.all(axis=(1, 2)) & same_equity.all(axis=1)))
    if len(rows_wrong):
        row = int(rows_wrong[0])
        first = {
            "kind": "decision",
            "closing_ms": int(computed_equity[row, 0]),
            "journaled": _decision(outputs[row], equity[row, 1]),
            "recomputed": _decision(computed[row], computed_equity[row, 1]),
        }
    elif missing:
        first = {"kind": "decision", "journaled": len(equity), "recomputed": len(log.equity)}
    return same.size + same_equity.size + missing, wrong, first


def _decision(outputs: F64, equity_units: np.int64) -> dict[str, Any]:
    return {"outputs": outputs.tolist(), "equity_units": int(equity_units)}
