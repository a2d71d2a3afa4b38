"""Certify: recompute a run by the backtest path and compare it with its journal, fact by fact.

The journal gives the bars; ``scan`` gives features, scores, decisions, requests and (the venue was
simulated) fills. Nothing of the event-driven path is used: the certificate is that both agree.
At another venue executions are facts, see ``certify_venue``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.models import Scorers
from ares.core.state import State
from ares.domain.events import Event
from ares.domain.run import RunSetup
from ares.domain.venue import SIMULATED
from ares.journal.run import JournalReader
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Signals, TradeLog
from ares.kernel.trade.layout import Records
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.engine.history_market import open_orders
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.replay.certify_venue import compare_at_venue
from ares.runtime.replay.comparison import compare_decisions, compare_rows, rows_of_scan
from ares.runtime.replay.epochs import RecordedEpoch, RecordedEpochs, recorded_epochs
from ares.runtime.replay.journal_columns import (
    LINES,
    JournalColumns,
    Row,
    journal_columns,
)
from ares.runtime.replay.journal_signals import recomputed_signals, series_rows
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
    models = (scorers, user, open_ensemble)
    is_simulated = setup.traits == SIMULATED
    parts = (
        _parts(folder, setup, recorded, *models)
        if is_simulated
        else _epochs(folder, setup, recorded)
    )
    for last_seq, state in parts:
        reader = JournalReader(folder, last_seq)
        journal = journal_columns(setup, reader, state.seq)
        events += journal.events
        start = first_state(folder, setup)
        if is_simulated:
            found = _compare_all(setup, start, state, journal, *models)
        else:
            found = compare_at_venue(setup, start, state, journal, reader, *models)
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


def _epochs(folder: Path, setup: RunSetup, recorded: RecordedEpochs) -> Iterator[tuple[int, State]]:
    """Yield (last seq, state before) of every unbroken row of epochs of this code."""
    for first_seq, last_seq in recorded.comparable():
        yield last_seq, state_before(folder, setup, first_seq)


def _compare_all(
    setup: RunSetup,
    start: State,
    state: State,
    journal: JournalColumns,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> Iterator[tuple[str, int, int, dict[str, Any] | None]]:
    """Yield (kind, compared, different, the first difference in full), decisions first."""
    series = series_rows(state, journal) if setup.series else []
    log, signals, feed = recompute(setup, start, state, journal, scorers, user, open_ensemble)
    computed = rows_of_scan(log)
    decided_ms = feed.close_ms[journal.decided]
    yield "decisions", *compare_decisions(journal, signals, log.equity, decided_ms)
    computed["series"] = series
    for kind in LINES if setup.series else LINES[:-1]:
        journaled = journal.rows[kind]
        if kind in BY_LANE:
            journaled, computed[kind] = _by_lane(journaled), _by_lane(computed[kind])
        yield kind, *compare_rows(kind, journaled, computed[kind])


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
    signals, feed = recomputed_signals(setup, start, state, journal, scorers, user, open_ensemble)
    uses = np.frombuffer(journal.closings.uses, np.uint8)
    state.trade.venue[:] = _orders_at_venue(state)
    rows = DecisionRows(feed, uses, journal.rows_before, journal.decided)
    return scan_decisions(state, rows, signals, journal.changes.found), signals, feed


def _orders_at_venue(state: State) -> Records:
    """Return the open orders of a state as a simulated venue holds them."""
    venue = SimulatedVenue(state.params, state.setup.n_instruments, list[Event]().append, lambda: 0)
    venue.adopt(open_orders(state), [int(lots) for lots in state.trade.book["position_lots"]])
    return venue.open_orders()


BY_LANE = ("orders", "cancels")
"""Compared lane by lane: an exit is sent when its stop has ended, and lanes do not wait for each
other.
"""


def _by_lane(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: int(row[0]))
