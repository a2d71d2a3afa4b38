"""Certify: a run computed once more by the backtest path, and compared fact by fact.

The journal gives the bars; ``scan`` gives features, scores, decisions, requests and (the venue was
simulated) fills. Nothing of the event-driven path is used: that both agree is the certificate.
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
from ares.core.state import Scorers
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
    SeriesBack,
    SeriesPublished,
    SeriesStale,
    SignalRefused,
    SubmitOrder,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry, entries
from ares.kernel.bars import I64
from ares.kernel.features.user import UserFeatures
from ares.kernel.live import observe_closes
from ares.kernel.trade import Signals, TradeLog
from ares.kernel.trade.layout import CANCEL_STOP, REASON_NAMES, REFUSAL
from ares.runtime.engine.feed import ClosedBars, Feed
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.engine.series import history_of_events, series_facts_of
from ares.runtime.replay.recompute import RunFeatures, SlotMoves, scan_with_moves, spoken
from ares.runtime.replay.restep import first_state, open_run

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The comparison: ``first`` is the first mismatch in full, ``lines`` the count by kind."""

    environment: str
    events: int
    compared: int
    mismatches: int
    lines: dict[str, tuple[int, int]]
    first: dict[str, Any] | None


def certify(
    folder: Path,
    models: Scorers,
    user: UserFeatures | None = None,
    opener: Opener | None = None,
) -> Certificate:
    """Compute the run in ``folder`` by the backtest path and compare it with its journal.

    user   : the user's own features, where the run has any.
    opener : opens the ensembles that were published while it ran; their moves are taken from the
             journal, what they say and trade is computed.
    """
    setup = open_run(folder)
    told = _JournalColumns(setup)
    for entry in _settled(entries(folder)):
        told.add(entry)
    log, signals, feed = recompute(folder, setup, told, models, user, opener)
    theirs = told.rows
    ours = _rows_of_scan(log)
    decided_ms = feed.close_ms[told.warming :]
    history = history_of_events(told.published, len(setup.series))
    found = series_facts_of(first_state(folder, setup), history, decided_ms)
    ours["series"] = [_fact(effect) for effect in found]
    lines: dict[str, tuple[int, int]] = {}
    first: dict[str, Any] | None = None
    for kind in LINES if setup.series else LINES[:-1]:
        count, wrong, shown = _compare(kind, theirs[kind], ours[kind])
        lines[kind] = (count, wrong)
        first = first or shown
    count, wrong, shown = _compare_said(told, signals, log, decided_ms)
    lines["decisions"] = (count, wrong)
    first = shown or first
    return Certificate(
        setup.environment,
        told.events,
        sum(n for n, _ in lines.values()),
        sum(wrong for _, wrong in lines.values()),
        lines,
        first,
    )


def _settled(journaled: Iterable[JournalEntry]) -> Iterator[JournalEntry]:
    """Yield the entries up to the last closing instant that was answered, and what the venue said
    to its orders at once: fills behind it belong to an instant that a crash cut short.
    """
    behind: list[JournalEntry] = []
    settled = False
    for entry in journaled:
        behind.append(entry)
        if _is_answered_bar(entry):
            yield from behind
            behind.clear()
            settled = True
    for entry in behind if settled else ():
        if not isinstance(entry.event, OrderAccepted | OrderCancelled | EngineStarted):
            return
        yield entry


def _is_answered_bar(entry: JournalEntry) -> bool:
    return isinstance(entry.event, BarsClosed) and entry.effects_raw is not None


def recompute(
    folder: Path,
    setup: RunSetup,
    told: _JournalColumns,
    models: Scorers,
    user: UserFeatures | None = None,
    opener: Opener | None = None,
) -> tuple[TradeLog, Signals, Feed]:
    """Return the run by the backtest path, and its feed."""
    state = first_state(folder, setup)
    feed, traded = told.closings.feed(setup), told.warming
    moves, history = told.moves.found, history_of_events(told.published, len(setup.series))
    columns = RunFeatures(setup, state, feed, models, user, opener, history)
    signals = spoken(setup, state, columns, feed.close_ms[traded:], moves)
    for i in range(len(setup.instruments)):
        warming = feed.ticks[:traded][feed.present[:traded, i], i, 3]
        observe_closes(i, np.ascontiguousarray(warming), state.trade, state.params)
    return scan_with_moves(state, feed, traded, signals, moves), signals, feed


_UNKNOWN = SubmitOrder("", -1, "unknown", 0, 0, "", 0.0, 0.0, 0.0)
"""What a fill belongs to whose order was never journaled: a mismatch, whatever was recomputed."""

KINDS = {
    SignalRefused: "refusals",
    TradeClosed: "trades",
    ModeChanged: "modes",
    BreakerChanged: "breakers",
    DailyLossReached: "breakers",
    VirtualTradeOpened: "virtual",
    SeriesStale: "series",
    SeriesBack: "series",
}
LINES = ("orders", "fills", "refusals", "trades", "modes", "breakers", "virtual", "series")


class _JournalColumns:
    """What the journal of a run tells, taken in entry by entry and kept in columns: a journal may
    be larger than memory.

    rows : what the run did, by kind, in order.     warming : instants before the first decision.
    said : of each decision probability, edge and width in every lane; worth: its instant, equity.
    """

    def __init__(self, setup: RunSetup) -> None:
        self.events = self.warming = 0
        self.closings, self.moves = ClosedBars(), SlotMoves(setup)
        self.published: list[SeriesPublished] = []
        self.rows: dict[str, list[Row]] = {kind: [] for kind in LINES}
        self.said, self.worth = bytearray(), array("q")
        self._orders: dict[str, SubmitOrder] = {}
        self._said_bytes = 3 * 8 * len(setup.instruments)

    def add(self, entry: JournalEntry) -> None:
        """Take the next entry in."""
        self.events += 1
        event, effects = entry.event, entry.effects
        self.moves.add(event, effects)
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
            self.said += effect.outputs[: self._said_bytes]
            self.worth.extend((effect.ts_ms, effect.equity_units))
        elif isinstance(effect, SubmitOrder):
            self._orders[effect.client_id] = effect
            wish = (effect.lots, effect.price_ticks, effect.reason)
            signal = (effect.p, effect.edge_bps, effect.barrier_bps)
            self.rows["orders"].append((effect.instrument, effect.kind, *wish, *signal))
        elif isinstance(effect, CancelOrder):
            self.rows["orders"].append((effect.instrument, "cancel"))
        elif isinstance(effect, ModeChanged) and effect.reason != BY_CONFIDENCE:
            return  # came with a move, which is taken from the journal
        elif type(effect) in KINDS:
            self.rows[KINDS[type(effect)]].append(_fact(effect))


def _rows_of_scan(log: TradeLog) -> dict[str, list[Row]]:
    """Return what the scan did, in the same words."""
    rows: dict[str, list[Row]] = {kind: [] for kind in LINES}
    for k, r in enumerate(log.requests):
        i, kind = int(r["instrument"]), int(r["kind"])
        if kind == REFUSAL:
            rows["refusals"].append(_fact(refusal_effect(log.requests, k)))
        elif kind == CANCEL_STOP:
            rows["orders"].append((i, "cancel"))
        else:
            wish = (int(r["lots"]), int(r["price_ticks"]), REASON_NAMES[int(r["reason"])])
            signal = (float(r["p"]), float(r["edge_bps"]), float(r["barrier_bps"]))
            rows["orders"].append((i, KIND_NAMES[kind], *wish, *signal))
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
    kind: str, theirs: list[Row], ours: list[Row]
) -> tuple[int, int, dict[str, Any] | None]:
    """Return (compared, different, the first difference in full)."""
    count = max(len(theirs), len(ours))
    wrong, shown = 0, None
    for k in range(count):
        journaled = theirs[k] if k < len(theirs) else None
        computed = ours[k] if k < len(ours) else None
        if repr(journaled) != repr(computed):  # repr: NaN equals NaN, and -0.0 is not 0.0
            wrong += 1
            shown = shown or {
                "what": kind, "place": k, "journaled": journaled, "recomputed": computed,
            }  # fmt: skip
    return count, wrong, shown


def _compare_said(
    told: _JournalColumns, signals: Signals, log: TradeLog, decided_ms: I64
) -> tuple[int, int, dict[str, Any] | None]:
    """Compare probability, edge, width and equity of every closing instant, to the bit."""
    worths = np.array(told.worth, np.int64).reshape(-1, 2)
    n = signals.p.shape[1]
    both = min(len(worths), len(log.equity))
    missing = max(len(worths), len(log.equity)) - both
    theirs = np.frombuffer(told.said).reshape(-1, 3, n)[:both]
    ours = np.stack([signals.p, signals.edge_bps, signals.barrier_bps], axis=1)[:both]
    alike = (theirs.view(np.int64) == ours.view(np.int64)) | (np.isnan(theirs) & np.isnan(ours))
    worth = worths[:both]
    ours_worth = np.stack([decided_ms, log.equity], axis=1)[:both]
    alike_worth = worth == ours_worth
    wrong = int((~alike).sum() + (~alike_worth).sum()) + missing
    shown: dict[str, Any] | None = None
    rows_wrong = np.flatnonzero(~(alike.all(axis=(1, 2)) & alike_worth.all(axis=1)))
    if len(rows_wrong):
        row = int(rows_wrong[0])
        shown = {
            "what": "decision",
            "closing_ms": int(ours_worth[row, 0]),
            "journaled": {"said": theirs[row].tolist(), "equity_units": int(worth[row, 1])},
            "recomputed": {
                "said": ours[row].tolist(), "equity_units": int(ours_worth[row, 1]),
            },
        }  # fmt: skip
    elif missing:
        shown = {"what": "decision", "journaled": len(worths), "recomputed": len(log.equity)}
    return alike.size + alike_worth.size + missing, wrong, shown
