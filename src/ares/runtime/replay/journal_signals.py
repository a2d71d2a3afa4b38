"""Signals of a stretch of a run by the backtest path, and what became known of external series."""

from __future__ import annotations

import numpy as np

from ares.core.models import Scorers
from ares.core.state import State
from ares.domain.run import RunSetup
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Signals
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.engine.series import history_of_events, series_facts_of
from ares.runtime.replay.journal_columns import JournalColumns, Row, fact_row
from ares.runtime.replay.recompute import RunFeatures, signals_of_lanes


def recomputed_signals(
    setup: RunSetup,
    start: State,
    state: State,
    journal: JournalColumns,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> tuple[Signals, BarPanel]:
    """Return the signals of a stretch at each decision, and the feed of the whole run.

    start : the state before the run's first event, from which features are computed.
    state : the state before the stretch.
    """
    feed = journal.closings.feed(setup)
    uses = np.frombuffer(journal.closings.uses, np.uint8)
    history = history_of_events(journal.published, len(setup.series))
    features = RunFeatures(setup, start, feed, uses, scorers, user, open_ensemble, history)
    decided_ms = feed.close_ms[journal.decided]
    return signals_of_lanes(setup, state, features, decided_ms, journal.changes.found), feed


def series_rows(state: State, journal: JournalColumns) -> list[Row]:
    """Return what became known of external series, and stale, at the decisions of a stretch.

    state : the state before it.
    """
    later = history_of_events(
        journal.published[journal.published_before :], len(state.setup.series)
    )
    decided_ms = np.array(journal.equity, np.int64).reshape(-1, 2)[:, 0]
    return [fact_row(fact) for fact in series_facts_of(state, later, decided_ms)]
