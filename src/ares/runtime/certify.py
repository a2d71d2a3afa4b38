"""Certify: a run computed once more by the backtest path, and compared fact by fact.

The journal gives the bars; ``scan`` gives features, scores, decisions, requests and (the venue was
simulated) fills. Nothing of the event-driven path is used: that both agree is the certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    Decided,
    Effect,
    EngineStarted,
    ModeChanged,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    Refused,
    SentimentBack,
    SentimentMissing,
    SubmitOrder,
    TradeClosed,
    VirtualOpened,
)
from ares.domain.run import RunSetup
from ares.journal.run import Entry, entries
from ares.kernel.features.user import UserFeatures
from ares.kernel.live import observe_closes
from ares.kernel.trade import Signals, TradeLog
from ares.kernel.trade.layout import CANCEL_STOP, REASON_NAMES, REFUSAL
from ares.runtime.feed import Feed, feed_of_run
from ares.runtime.hot_swap import Opener
from ares.runtime.recompute import Columns, moves_of, scan_with_moves, spoken
from ares.runtime.restep import first_state, open_run
from ares.runtime.run_news import news_of_run, silences_of

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
    journaled = _settled(list(entries(folder)))
    log, signals, feed, traded = recompute(folder, setup, journaled, models, user, opener)
    theirs = _rows_of_journal(journaled)
    ours = _rows_of_scan(log)
    decided_ms = feed.close_ms[traded:]
    found = silences_of(first_state(folder, setup), news_of_run(journaled), decided_ms)
    ours["sentiment"] = [_fact(effect) for effect in found]
    lines: dict[str, tuple[int, int]] = {}
    first: dict[str, Any] | None = None
    for kind in LINES if setup.sentiment is not None else LINES[:-1]:
        count, wrong, shown = _compare(kind, theirs[kind], ours[kind])
        lines[kind] = (count, wrong)
        first = first or shown
    count, wrong, shown = _compare_said(journaled, signals, log, feed, traded)
    lines["decisions"] = (count, wrong)
    first = shown or first
    return Certificate(
        setup.environment,
        len(journaled),
        sum(n for n, _ in lines.values()),
        sum(wrong for _, wrong in lines.values()),
        lines,
        first,
    )


def _settled(journaled: list[Entry]) -> list[Entry]:
    """Return the entries up to the last closing instant that was answered, and what the venue said
    to its orders at once: fills behind it belong to an instant that a crash cut short.
    """
    end = len(journaled)
    while end and not _is_answered_bar(journaled[end - 1]):
        end -= 1
    while end < len(journaled) and isinstance(
        journaled[end].event, OrderAccepted | OrderCancelled | EngineStarted
    ):
        end += 1
    return journaled[:end]


def _is_answered_bar(entry: Entry) -> bool:
    return isinstance(entry.event, BarsClosed) and entry.effects_raw is not None


def recompute(
    folder: Path,
    setup: RunSetup,
    journaled: Sequence[Entry],
    models: Scorers,
    user: UserFeatures | None = None,
    opener: Opener | None = None,
) -> tuple[TradeLog, Signals, Feed, int]:
    """Return the run by the backtest path, its feed, and the row of its first decision."""
    state = first_state(folder, setup)
    events = [e.event for e in journaled if isinstance(e.event, BarsClosed)]
    feed = feed_of_run(events, setup)
    traded = sum(event.warming for event in events)
    moves = moves_of(setup, journaled)
    news = news_of_run(journaled)
    columns = Columns(setup, state, feed, models, user, opener, news)
    signals = spoken(setup, state, columns, feed.close_ms[traded:], moves)
    for i in range(len(setup.instruments)):
        warming = feed.ticks[:traded][feed.present[:traded, i], i, 3]
        observe_closes(i, np.ascontiguousarray(warming), state.trade.book, state.specs)
    return scan_with_moves(state, feed, traded, signals, moves), signals, feed, traded


_UNKNOWN = SubmitOrder("", -1, "unknown", 0, 0, "", 0.0, 0.0, 0.0)
"""What a fill belongs to whose order was never journaled: a mismatch, whatever was recomputed."""

KINDS = {
    Refused: "refusals",
    TradeClosed: "trades",
    ModeChanged: "modes",
    BreakerChanged: "breakers",
    DailyLossReached: "breakers",
    VirtualOpened: "virtual",
    SentimentMissing: "sentiment",
    SentimentBack: "sentiment",
}
LINES = ("orders", "fills", "refusals", "trades", "modes", "breakers", "virtual", "sentiment")


def _rows_of_journal(journaled: Sequence[Entry]) -> dict[str, list[Row]]:
    """Return what the run did, by kind, in order."""
    rows: dict[str, list[Row]] = {kind: [] for kind in LINES}
    orders: dict[str, SubmitOrder] = {}
    for entry in journaled:
        event = entry.event
        if isinstance(event, OrderFilled):
            order = orders.get(event.client_id, _UNKNOWN)
            head = (event.ts_ms, order.instrument, order.kind, event.lots)
            rows["fills"].append((*head, event.price_ticks, event.fee_units))
        elif isinstance(event, OrderRejected):
            order = orders.get(event.client_id, _UNKNOWN)
            rows["fills"].append(
                (event.ts_ms, order.instrument, order.kind, 0, event.price_ticks, 0)
            )
        for effect in entry.effects:
            if isinstance(effect, SubmitOrder):
                orders[effect.client_id] = effect
                wish = (effect.lots, effect.price_ticks, effect.reason)
                signal = (effect.p, effect.edge_bps, effect.width_bps)
                rows["orders"].append((effect.instrument, effect.kind, *wish, *signal))
            elif isinstance(effect, CancelOrder):
                rows["orders"].append((effect.instrument, "cancel"))
            elif isinstance(effect, ModeChanged) and effect.reason != BY_CONFIDENCE:
                continue  # came with a move, which is taken from the journal
            elif type(effect) in KINDS:
                rows[KINDS[type(effect)]].append(_fact(effect))
    return rows


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
            signal = (float(r["p"]), float(r["edge_bps"]), float(r["width_bps"]))
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
    journaled: Sequence[Entry], signals: Signals, log: TradeLog, feed: Feed, traded: int
) -> tuple[int, int, dict[str, Any] | None]:
    """Compare probability, edge, width and equity of every closing instant, to the bit."""
    said = [e for entry in journaled for e in entry.effects if isinstance(e, Decided)]
    n = feed.present.shape[1]
    both = min(len(said), len(log.equity))
    missing = max(len(said), len(log.equity)) - both
    theirs = np.array([np.frombuffer(d.said).reshape(-1, n)[:3] for d in said[:both]])
    theirs = theirs.reshape(both, 3, n)
    ours = np.stack([signals.p, signals.edge, signals.width], axis=1)[:both]
    alike = (theirs.view(np.int64) == ours.view(np.int64)) | (np.isnan(theirs) & np.isnan(ours))
    worth = np.array([(d.ts_ms, d.equity_units) for d in said[:both]], np.int64).reshape(both, 2)
    ours_worth = np.stack([feed.close_ms[traded:], log.equity], axis=1)[:both]
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
        shown = {"what": "decision", "journaled": len(said), "recomputed": len(log.equity)}
    return alike.size + alike_worth.size + missing, wrong, shown
