"""The trade half of a run by the backtest path: scanned from one interruption to the next.

What interrupts a scan: a change of slots, bars that are not decided on (late, or before the
window), and the beginning and the end of a catch-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.core.models import NO_MODELS
from ares.core.slots import apply_slots
from ares.core.state import State
from ares.kernel.bars import I64
from ares.kernel.live import observe_closes
from ares.kernel.trade import Market, Signals, TradeLog, scan
from ares.kernel.trade.layout import HOLD_ALL, HOLD_ENTRIES
from ares.runtime.engine.bar_panel import CATCH_UP_ENDS, CATCHING_UP, BarPanel
from ares.runtime.replay.recompute import TimedChange

HOLDS = {CATCHING_UP: HOLD_ALL, CATCH_UP_ENDS: HOLD_ENTRIES}


@dataclass(frozen=True, slots=True)
class DecisionRows:
    """The instants of a run, and which of them are decided on in one stretch of it.

    uses    : (n_instants,) what the engine did with each, see ``engine.bar_panel``.
    first   : row of the stretch's first instant. decided: (n_decisions,) rows of its decisions.
    """

    feed: BarPanel
    uses: NDArray[np.uint8]
    first: int
    decided: I64

    def observed(self, k: int) -> slice:
        """Return the rows between decision ``k`` and the one before: they were not decided on."""
        before = int(self.decided[k - 1]) + 1 if k else self.first
        return slice(before, int(self.decided[k]) if k < len(self.decided) else len(self.feed))

    def interruptions(self) -> list[int]:
        """Return the decisions before which a scan must end."""
        uses = self.uses[self.decided]
        other_use = np.flatnonzero(uses[1:] != uses[:-1]) + 1
        gaps = np.flatnonzero(np.diff(self.decided) > 1) + 1
        return [int(k) for k in np.union1d(other_use, gaps)]


def scan_decisions(
    state: State, rows: DecisionRows, signals: Signals, changes: Sequence[TimedChange]
) -> TradeLog:
    """Scan the trade half over all decisions; apply what happens between them."""
    logs: list[TradeLog] = []
    n = len(rows.decided)
    ends = sorted({change.row for change in changes} | set(rows.interruptions()) | {n})
    first = 0
    state.last_warm[:] = False  # the signals are known: a change of slots scores nothing
    _observe(state, rows, 0)
    for end in ends:
        if end > first or (end == n and not logs):
            logs.append(_scan_part(state, rows, signals, first, end))
            state.trade = logs[-1].state
            first = end
            _observe(state, rows, end)
        for change in changes:
            if change.row == end:
                i, slots = change.slots.fact.instrument, change.slots
                apply_slots(state, i, slots.after, slots.previous, NO_MODELS)
    if len(logs) == 1:
        return logs[0]
    return TradeLog(
        requests=np.concatenate([log.requests for log in logs]),
        fills=np.concatenate([log.fills for log in logs]),
        outcomes=np.concatenate([log.outcomes for log in logs]),
        notices=np.concatenate([log.notices for log in logs]),
        equity=np.concatenate([log.equity for log in logs]),
        state=logs[-1].state,
    )


def _observe(state: State, rows: DecisionRows, k: int) -> None:
    """Update the volatility with the bars before decision ``k`` that were not decided on."""
    feed, part = rows.feed, rows.observed(k)
    for lane in range(feed.present.shape[1]):
        closes = feed.ticks[part][feed.present[part, lane], lane, 3]
        if len(closes):
            observe_closes(lane, np.ascontiguousarray(closes), state.trade, state.params)


def _scan_part(
    state: State, rows: DecisionRows, signals: Signals, first: int, end: int
) -> TradeLog:
    feed, part = rows.feed, rows.decided[first:end]
    opens, highs, lows, closes = np.ascontiguousarray(feed.ticks[part].transpose(2, 0, 1))
    lots = np.ascontiguousarray(feed.lots[part])
    market = Market(feed.close_ms[part], opens, highs, lows, closes, lots)
    of_part = Signals(*(column[first:end] for column in signals))
    if len(part):
        state.params.rules["hold"] = HOLDS.get(int(rows.uses[part[0]]), 0)
    try:
        return scan(market, of_part, state.trade, state.params)
    finally:
        state.params.rules["hold"] = 0
