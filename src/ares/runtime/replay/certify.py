"""Certify: recompute a run by the backtest path and compare it with its journal, fact by fact.

The journal gives the bars; ``scan`` gives features, scores, decisions, requests and (the venue was
simulated) fills. Nothing of the event-driven path is used: the certificate is that both agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.facts import KIND_NAMES, notice_effects, outcome_effect, refusal_effect
from ares.core.models import Scorers
from ares.core.state import State
from ares.domain.events import Event
from ares.domain.run import RunSetup
from ares.journal.run import JournalReader
from ares.kernel.bars import F64, I64
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Signals, TradeLog
from ares.kernel.trade.layout import CANCEL_STOP, REASON_NAMES, REFUSAL, Records
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.engine.history_market import open_orders
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.engine.series import history_of_events, series_facts_of
from ares.runtime.replay.epochs import RecordedEpoch, RecordedEpochs, recorded_epochs
from ares.runtime.replay.journal_columns import (
    KINDS,
    LINES,
    JournalColumns,
    Row,
    fact_row,
    journal_columns,
)
from ares.runtime.replay.recompute import RunFeatures, signals_of_lanes
from ares.runtime.replay.restep import first_state, open_run, state_before, stepped_states
from ares.runtime.replay.scan_decisions import DecisionRows, scan_decisions
from ares.runtime.replay.steering import unsteered


@dataclass(frozen=True, slots=True)
class Certificate:
    """The comparison of the epochs of this code: ``first`` is the first mismatch in full;
    ``lines``: (compared, different) by kind; ``epochs``: all of the run's.
    """

    environment: str
    events: int
    compared: int
    mismatches: int
    lines: dict[str, tuple[int, int]]
    first: dict[str, Any] | None
    epochs: tuple[RecordedEpoch, ...]


def certify(
    folder: Path,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> Certificate:
    """Recompute the epochs of this code by the backtest path and compare them with the journal.

    A run may still go on: its journal is taken as it is now. Raises UserError where no epoch is of
    this code.

    user          : the user's own features, where the run has any.
    open_ensemble : opens the ensembles that were published during the run. Their slot changes are
                    taken from the journal; their scores and trades are computed.
    """
    setup = open_run(folder)
    recorded = recorded_epochs(folder)
    lines: dict[str, tuple[int, int]] = {}
    events, first = 0, None
    for last_seq, state in _parts(folder, setup, recorded, scorers, user, open_ensemble):
        journal = journal_columns(setup, JournalReader(folder, last_seq), state.seq)
        events += journal.events
        start = first_state(folder, setup)
        series = _series_rows(state, journal) if setup.series else []
        log, signals, feed = recompute(setup, start, state, journal, scorers, user, open_ensemble)
        computed = _rows_of_scan(log)
        found = _compare_all(setup, journal, computed, signals, log, feed, series)
        for kind, count, wrong, mismatch in found:
            before = lines.get(kind, (0, 0))
            lines[kind] = (before[0] + count, before[1] + wrong)
            first = first or mismatch
    lines["decisions"] = lines.pop("decisions")
    return Certificate(
        setup.environment,
        events,
        sum(n for n, _ in lines.values()),
        sum(wrong for _, wrong in lines.values()),
        lines,
        first,
        recorded.epochs,
    )


def _parts(
    folder: Path,
    setup: RunSetup,
    recorded: RecordedEpochs,
    scorers: Scorers,
    user: UserFeatures | None,
    open_ensemble: Opener | None,
) -> Iterator[tuple[int, State]]:
    """Yield (last seq, state before) of every part that is computed by itself."""
    for first_seq, last_seq in recorded.comparable():
        journal = JournalReader(folder, last_seq)
        (_, last), *others = unsteered(journal, first_seq, last_seq)
        yield last, state_before(folder, setup, first_seq)
        states = stepped_states(
            state_before(folder, setup, first_seq), setup, journal,
            [first - 1 for first, _ in others], scorers, user, open_ensemble,
        )  # fmt: skip
        yield from ((last, state) for (_, last), state in zip(others, states, strict=True))


def _compare_all(
    setup: RunSetup,
    journal: JournalColumns,
    computed: dict[str, list[Row]],
    signals: Signals,
    log: TradeLog,
    feed: BarPanel,
    series: list[Row],
) -> Iterator[tuple[str, int, int, dict[str, Any] | None]]:
    """Yield (kind, compared, different, the first difference in full), decisions first.

    series : facts of external series, see ``_series_rows``.
    """
    decided_ms = feed.close_ms[journal.decided]
    yield "decisions", *_compare_decisions(journal, signals, log, decided_ms)
    computed["series"] = series
    for kind in LINES if setup.series else LINES[:-1]:
        journaled = journal.rows[kind]
        if kind in BY_LANE:
            journaled, computed[kind] = _by_lane(journaled), _by_lane(computed[kind])
        yield kind, *_compare(kind, journaled, computed[kind])


def _series_rows(state: State, journal: JournalColumns) -> list[Row]:
    """Return what became known of external series, and stale, at the decisions of a part.

    state : the state before it.
    """
    later = history_of_events(
        journal.published[journal.published_before :], len(state.setup.series)
    )
    decided_ms = np.array(journal.equity, np.int64).reshape(-1, 2)[:, 0]
    return [fact_row(fact) for fact in series_facts_of(state, later, decided_ms)]


def recompute(
    setup: RunSetup,
    start: State,
    state: State,
    journal: JournalColumns,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> tuple[TradeLog, Signals, BarPanel]:
    """Return a stretch of a run by the backtest path, and the feed of all of it.

    start : the state before the run's first event, from which features are computed.
    state : the state before the stretch, from which it trades.
    """
    feed, decided = journal.closings.feed(setup), journal.decided
    uses = np.frombuffer(journal.closings.uses, np.uint8)
    changes = journal.changes.found
    history = history_of_events(journal.published, len(setup.series))
    features = RunFeatures(setup, start, feed, uses, scorers, user, open_ensemble, history)
    signals = signals_of_lanes(setup, state, features, feed.close_ms[decided], changes)
    state.trade.venue[:] = _orders_at_venue(state)
    rows = DecisionRows(feed, uses, journal.rows_before, decided)
    return scan_decisions(state, rows, signals, changes), signals, feed


def _orders_at_venue(state: State) -> Records:
    """Return the open orders of a state as a simulated venue holds them."""
    venue = SimulatedVenue(state.params, state.setup.n_instruments, list[Event]().append, lambda: 0)
    venue.adopt(open_orders(state), [int(lots) for lots in state.trade.book["position_lots"]])
    return venue.open_orders()


def _rows_of_scan(log: TradeLog) -> dict[str, list[Row]]:
    """Return what the scan did, in the same form."""
    rows: dict[str, list[Row]] = {kind: [] for kind in LINES}
    for k, r in enumerate(log.requests):
        i, kind = int(r["instrument"]), int(r["kind"])
        if kind == REFUSAL:
            rows["refusals"].append(fact_row(refusal_effect(log.requests, k)))
        elif kind == CANCEL_STOP:
            rows["cancels"].append((i,))
        else:
            request = (int(r["lots"]), int(r["price_ticks"]), REASON_NAMES[int(r["reason"])])
            signal = (float(r["p"]), float(r["edge_bps"]), float(r["barrier_bps"]))
            rows["orders"].append((i, KIND_NAMES[kind], *request, *signal))
    for f in log.fills:
        head = (int(f["ts_ms"]), int(f["instrument"]), KIND_NAMES[int(f["kind"])], int(f["lots"]))
        rows["fills"].append((*head, int(f["price_ticks"]), int(f["fee_units"])))
    for k in range(len(log.outcomes)):
        rows["trades"].append(fact_row(outcome_effect(log.outcomes, k)))
    for k in range(len(log.notices)):
        for effect in notice_effects(log.notices, k):
            rows[KINDS[type(effect)]].append(fact_row(effect))
    return rows


BY_LANE = ("orders", "cancels")
"""Compared lane by lane: an exit is sent when its stop has ended, and lanes do not wait for each
other.
"""


def _by_lane(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: int(row[0]))


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
