"""Certify a run at a venue outside the fill model: its executions are facts, its decisions are not.

Features, scores and signals come from ``scan`` over the journaled bars. Each decision is made again
by the kernel's ``scan`` of one closing instant, from the account that the journaled executions have
led to by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ares.core.models import Scorers
from ares.core.state import State
from ares.domain.events import BarsClosed, DecisionMade, Effect, Event
from ares.domain.order_events import SubmitOrder
from ares.domain.run import RunSetup
from ares.journal.run import JournalReader
from ares.kernel.bars import I64
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Market, Signals, TradeParams, TradeState, scan
from ares.kernel.trade.layout import REASON_NAMES
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.replay.comparison import compare_decisions, compare_rows, rows_of_scan
from ares.runtime.replay.journal_columns import (
    KINDS,
    JournalColumns,
    Row,
    fact_row,
    is_given_mode,
)
from ares.runtime.replay.journal_signals import recomputed_signals, series_rows
from ares.runtime.replay.restep import stepping
from ares.runtime.replay.scan_decisions import HOLDS

DECIDED_EXITS = frozenset({"take_profit", "timeout", "reversal", "drawdown"})
"""Reasons of exits that a decision requests; the others follow a person or a missing stop."""

AT_DECISIONS = ("refusals", "trades", "modes", "breakers", "virtual")
"""Facts that are compared where a decision led to them; those of executions follow the venue."""


def compare_at_venue(
    setup: RunSetup,
    start: State,
    state: State,
    journal: JournalColumns,
    entries: JournalReader,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> Iterator[tuple[str, int, int, dict[str, Any] | None]]:
    """Yield (kind, compared, different, the first difference in full), decisions first.

    start : the state before the run's first event. state: before the stretch; it is stepped.
    entries : the run's journal to the end of the stretch, of which ``journal`` holds the columns.
    """
    series = series_rows(state, journal) if setup.series else []
    signals, feed = recomputed_signals(setup, start, state, journal, scorers, user, open_ensemble)
    decisions = _Decisions(state, journal, signals, feed)
    before = _account(state)
    for entry, _ in stepping(state, setup, entries, scorers, user, open_ensemble):
        decisions.add(entry.event, entry.effects, *before)
        before = _account(state)
    equity, decided_ms = np.array(decisions.equity, np.int64), feed.close_ms[journal.decided]
    yield "decisions", *compare_decisions(journal, signals, equity, decided_ms)
    for kind, journaled in decisions.journaled.items():
        yield kind, *compare_rows(kind, journaled, decisions.computed[kind])
    if setup.series:
        yield "series", *compare_rows("series", journal.rows["series"], series)


def _account(state: State) -> tuple[TradeState, TradeParams]:
    """Return a copy of the account that the next decision is made on, and of its rules."""
    params = state.params
    return state.trade.copy(), TradeParams(params.rules.copy(), params.specs.copy())


class _Decisions:
    """Makes the decisions of a stretch again; ``journaled`` and ``computed`` rows by kind.

    equity : money units at each decision.
    """

    def __init__(
        self, state: State, journal: JournalColumns, signals: Signals, feed: BarPanel
    ) -> None:
        self._feed, self._signals = feed, signals
        self._rows: I64 = journal.decided
        self._uses = np.frombuffer(journal.closings.uses, np.uint8)
        reasons = (int(reason) for reason in state.trade.book["exit_reason"])
        self._exits = {lane: REASON_NAMES[reason] for lane, reason in enumerate(reasons)}
        self.equity: list[int] = []
        kinds = ("orders", *AT_DECISIONS)
        self.journaled: dict[str, list[Row]] = {kind: [] for kind in kinds}
        self.computed: dict[str, list[Row]] = {kind: [] for kind in kinds}

    def add(
        self, event: Event, effects: Sequence[Effect], trade: TradeState, params: TradeParams
    ) -> None:
        """Take the next entry; trade, params: the account and its rules before it."""
        is_decision = isinstance(event, BarsClosed) and isinstance(
            next(iter(effects), None), DecisionMade
        )
        if is_decision and len(self.equity) < len(self._rows):
            self._compute(trade, params)
            for effect in effects:
                kind = KINDS.get(type(effect), "")
                if kind in self.journaled and not is_given_mode(effect):
                    self.journaled[kind].append(fact_row(effect))
        for effect in effects:
            if isinstance(effect, SubmitOrder):
                self._order(effect)

    def _compute(self, trade: TradeState, params: TradeParams) -> None:
        """Decide the next row of the stretch; nothing is at a venue that could fill."""
        k = len(self.equity)
        row = int(self._rows[k])
        part = slice(row, row + 1)
        trade.venue[:] = 0
        params.rules["hold"] = HOLDS.get(int(self._uses[row]), 0)
        opens, highs, lows, closes = np.ascontiguousarray(self._feed.ticks[part].transpose(2, 0, 1))
        market = Market(
            self._feed.close_ms[part], opens, highs, lows, closes, self._feed.lots[part]
        )
        signals = Signals(*(column[k : k + 1] for column in self._signals))
        log = scan(market, signals, trade, params)
        self.equity.append(int(log.equity[0]))
        found = rows_of_scan(log)
        self._exits |= {int(row[0]): str(row[4]) for row in found["orders"] if row[1] == "exit"}
        self.computed["orders"] += [row for row in found["orders"] if row[1] == "entry"]
        for kind in AT_DECISIONS:
            self.computed[kind] += found[kind]

    def _order(self, order: SubmitOrder) -> None:
        """Take an order of the journal: an entry in full; of an exit, whether it was decided, and
        why. It is sent once its stop has ended, for as much as is held then.
        """
        if order.kind == "entry":
            request = (order.lots, order.price_ticks, order.reason)
            signal = (order.p, order.edge_bps, order.barrier_bps)
            self.journaled["orders"].append((order.instrument, "entry", *request, *signal))
        elif order.kind == "exit" and order.reason in DECIDED_EXITS:
            head = (order.instrument, "exit")
            self.journaled["orders"].append((*head, order.reason))
            self.computed["orders"].append((*head, self._exits[order.instrument]))
