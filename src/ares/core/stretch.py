"""Many closing instants in one call of the kernel: the same effects as one ``step`` after another.

A stretch ends before the first instant in which an order would be filled, and with the first one
that has orders of its own: what these lead to is for ``core.execution``. Where the run has rules
for challengers it also ends with a closed trade, and before each full hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares.core.facts import notice_effects, outcome_effect, refusal_effect
from ares.core.models import Models
from ares.core.series import series_quiet_until_ms, write_series_after
from ares.core.state import State
from ares.core.step import DAY_EVENTS, after_decision, decision_effects
from ares.domain.events import BarsClosed, Effect
from ares.domain.stretch import BarsStretch, SteppedEvent
from ares.domain.timeframe import HOUR_MS
from ares.kernel.features import VOLATILITY_20
from ares.kernel.jit import bind
from ares.kernel.live import OUT_ROWS
from ares.kernel.stretch import PENDING, Advance, KnownBars, StretchOutputs, advance
from ares.kernel.trade.arrays import TradeRecords, new_records
from ares.kernel.trade.layout import N_NOTICES, N_OUTCOMES, N_REQUESTS, Records
from ares.kernel.trade.scan import log_room

INSTANTS_MAX = 4_096
"""In one stretch: what its arrays take is 2 MB for four lanes, and the loop looks around after it.
"""


@dataclass(frozen=True, slots=True)
class SteppedStretch:
    """What was stepped at once: a stretch without orders, then an instant with orders; or one.

    instants : of both together.
    """

    instants: int
    stretch: BarsStretch | None
    last: SteppedEvent | None


class StretchSteps:
    """Steps a state over bars that are known in advance.

    ends_with_trade : a stretch ends with a closed trade, because somebody reacts to it.
    """

    def __init__(self, state: State, models: Models, *, ends_with_trade: bool) -> None:
        self._state, self._models = state, models
        self._reviews = state.setup.challenger_rules is not None
        self._ends_with_trade = ends_with_trade or self._reviews
        lanes = len(state.setup.instruments)
        self._records = new_records(2 * log_room(lanes) + INSTANTS_MAX // 8)
        self._outputs = StretchOutputs(
            np.zeros((INSTANTS_MAX, OUT_ROWS, lanes)),
            np.zeros((INSTANTS_MAX, 2), np.int64),
            np.zeros((INSTANTS_MAX, 3), np.int64),
        )
        self._advance: Advance | None = None

    def step(
        self, known: KnownBars, first: int, until_ms: int, venue: Records
    ) -> SteppedStretch | None:
        """Step the instants of ``known`` from ``first`` on that close before ``until_ms``, as many
        as there are until something is ordered or filled; None: not even one.

        venue : (n_lanes,) of VENUE, the orders at the venue.

        The engine's clock must not be past the first of these instants, and nothing becomes known
        of an external series before ``until_ms``.
        """
        state, s = self._state, self._state.scratch
        end = self._end(known, first, until_ms)
        if end <= first or state.bar_windows is not None:
            return None
        arguments = (
            first, end, self._ends_with_trade, known, venue, state.intervals, state.bar_series,
            s.rows, state.latest, s.scoring, VOLATILITY_20, s.grid, s.ensembles, state.trade,
            state.params, self._records, self._outputs,
        )  # fmt: skip
        if self._advance is None:
            self._advance = bind(advance, *arguments)
        result = self._advance(*arguments)
        n, is_pending = result % PENDING, result >= PENDING
        if n == 0:
            return None
        if state.series:
            write_series_after(state, state.now_ms)
        state.seq += n
        state.now_ms = int(known.close_ms[first + n - 1])
        state.at_ms = max(state.at_ms, state.now_ms)
        quiet = n - 1 if is_pending else n
        stretch = self._stretch(known, first, quiet, state.seq - n + 1) if quiet else None
        last = self._last(known, first + quiet, quiet) if is_pending else None
        return SteppedStretch(n, stretch, last)

    def _end(self, known: KnownBars, first: int, until_ms: int) -> int:
        """Return the instant before which the stretch ends at the latest."""
        seq, close_ms = self._state.seq, int(known.close_ms[first])
        if self._state.series:
            until_ms = min(until_ms, series_quiet_until_ms(self._state, close_ms))
        if self._reviews:
            until_ms = min(until_ms, -(-close_ms // HOUR_MS) * HOUR_MS)
        end = len(known.close_ms)
        if until_ms <= known.close_ms[-1]:
            end = int(known.close_ms.searchsorted(until_ms))
        scored_end = known.scored_from + len(known.scores)
        before_forgetting = DAY_EVENTS - 1 - seq % DAY_EVENTS
        return min(end, scored_end, first + INSTANTS_MAX, first + before_forgetting)

    def _stretch(self, known: KnownBars, first: int, n: int, seq: int) -> BarsStretch:
        """Return ``n`` instants from ``first`` on, the first of which has this seq."""
        rows, width = slice(first, first + n), self._state.setup.n_instruments
        bars = known.bars
        return BarsStretch(
            seq,
            known.close_ms[rows].tobytes(),
            bars.ohlcv[rows, :width].tobytes(),
            bars.present[rows, :width].tobytes(),
            bars.flat[rows, :width].tobytes(),
            self._outputs.lanes[:n].tobytes(),
            self._outputs.equity_cash[:n].tobytes(),
            self._facts(n),
        )

    def _facts(self, n: int) -> tuple[tuple[int, tuple[Effect, ...]], ...]:
        """Return what happened in the first ``n`` instants, as ``BarsStretch.facts``."""
        counts = self._outputs.counts[:n]
        if not counts[-1].any():
            return ()
        changed = np.flatnonzero(np.diff(counts, axis=0, prepend=0).any(axis=1)).tolist()
        return tuple((k, self._facts_of(k)) for k in changed)

    def _facts_of(self, k: int) -> tuple[Effect, ...]:
        """Return the facts of an instant without orders, in the order of ``step``."""
        records, (first, end) = self._records, self._rows_of(k)
        facts: list[Effect] = []
        for row in range(first[N_NOTICES], end[N_NOTICES]):
            facts += notice_effects(records.notices, row)
        outcomes = range(first[N_OUTCOMES], end[N_OUTCOMES])
        facts += [outcome_effect(records.outcomes, row) for row in outcomes]
        requests = range(first[N_REQUESTS], end[N_REQUESTS])
        facts += [refusal_effect(records.requests, row) for row in requests]
        return tuple(facts)

    def _rows_of(self, k: int) -> tuple[Sequence[int], Sequence[int]]:
        """Return the first and the end row of an instant in each log."""
        counts = self._outputs.counts
        before: list[int] = counts[k - 1].tolist() if k else [0, 0, 0]
        return before, counts[k].tolist()

    def _last(self, known: KnownBars, t: int, k: int) -> SteppedEvent:
        """Return instant ``t``, number ``k`` of the call, whose orders are to be sent."""
        state, s = self._state, self._state.scratch
        s.outputs.lanes[...] = self._outputs.lanes[k]
        s.outputs.equity_cash[...] = self._outputs.equity_cash[k]
        self._move_records(k, s.records)
        facts = decision_effects(state, state.now_ms, ())
        effects = facts + after_decision(state, state.now_ms, facts, self._models)
        return SteppedEvent(state.seq, _event(known, t, state.setup.n_instruments), effects)

    def _move_records(self, k: int, records: TradeRecords) -> None:
        """Copy the records of an instant to where a single step has them."""
        first, end = self._rows_of(k)
        kept = self._records
        logs = (
            (N_REQUESTS, kept.requests, records.requests),
            (N_OUTCOMES, kept.outcomes, records.outcomes),
            (N_NOTICES, kept.notices, records.notices),
        )
        for log, source, target in logs:
            n = end[log] - first[log]
            records.counts[log] = n
            if n:
                target[:n] = source[first[log] : end[log]]


def _event(known: KnownBars, t: int, width: int) -> BarsClosed:
    bars = known.bars
    return BarsClosed(
        int(known.close_ms[t]),
        bars.ohlcv[t, :width].tobytes(),
        bars.present[t, :width].tobytes(),
        bars.flat[t, :width].tobytes(),
    )
