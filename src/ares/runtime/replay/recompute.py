"""A run by the backtest path, with its slot changes: scores, signals and trades by ``scan``.

The journal gives the slots. The scores of each ensemble are computed from the bars, for the whole
time that it is in a lane; the trade half is scanned from one slot change to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares.core.models import NO_MODELS, Scorer, Scorers
from ares.core.slot import Slot
from ares.core.slot_history import SlotHistory, SlotsApplied
from ares.core.slots import apply_slots
from ares.core.state import State
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.model import Ensemble
from ares.domain.run import RunSetup
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, I64, Bars, Bools
from ares.kernel.ensemble import (
    FRESH_INTERVALS,
    Scores,
    aggregate_history,
    empty_signals,
    slot_records,
)
from ares.kernel.features import N_FEATURES, VOLATILITY_20, WARMUP_BARS, feature_scan
from ares.kernel.features.columns import append_columns, past_warmup
from ares.kernel.features.observations import NO_HISTORY, SeriesHistory
from ares.kernel.features.scan import reference_close
from ares.kernel.features.user import UserFeatures
from ares.kernel.resample import resample
from ares.kernel.trade import Market, Signals, TradeLog, scan
from ares.runtime.engine.feed import Feed
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.engine.series import run_columns
from ares.runtime.replay.user_columns import base_bars_of, own_columns


@dataclass(frozen=True, slots=True)
class TimedChange:
    """A change of slots, made before decision ``row``."""

    row: int
    slots: SlotsApplied


class SlotChanges:
    """The slot changes of a run, taken from its journal entry by entry; ``found``: in order."""

    def __init__(self, setup: RunSetup) -> None:
        self.found: list[TimedChange] = []
        self._history = SlotHistory(setup)
        self._row = 0

    def restart(self) -> None:
        """Find and count changes from here on only."""
        self.found, self._row = [], 0

    def add(self, event: Event, effects: Sequence[Effect]) -> None:
        """Take the next entry."""
        if isinstance(event, BarsClosed) and not event.warming:
            self._row += 1
        self.found += [TimedChange(self._row, s) for s in self._history.add(event, effects)]


@dataclass(frozen=True, slots=True)
class RecomputedFeatures:
    """One series of a run: closing instants, feature rows, which are warm, and volatility."""

    close_ms: I64
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    warm: Bools
    sigma: F64


class RunFeatures:
    """Features of a run by instrument and timeframe, computed once, and the scores of models."""

    def __init__(
        self,
        setup: RunSetup,
        state: State,
        feed: Feed,
        scorers: Scorers,
        user: UserFeatures | None,
        open_ensemble: Opener | None,
        history: SeriesHistory = NO_HISTORY,
    ) -> None:
        self._setup, self._state, self._feed, self._user = setup, state, feed, user
        self._scorers = dict(scorers)
        self._open = open_ensemble
        self._history = history
        self._bars = [
            base_bars_of(feed, i, lane.base_ms)
            for i, lane in enumerate(setup.instruments[: setup.n_instruments])
        ]
        self._tables: dict[tuple[int, int], RecomputedFeatures] = {}

    def scores(self, i: int, ensemble: Ensemble, from_ms: int, to_ms: int) -> list[Scores | None]:
        """Return each member's scores of instrument ``i`` from ``from_ms`` on, before ``to_ms``,
        and of those earlier bars that may still be fresh then.
        """
        if self._open is not None and any(
            member.package_hash not in self._scorers for member in ensemble.members
        ):
            self._scorers |= self._open(ensemble)
        members = {member.timeframe: member for member in ensemble.members}
        row: list[Scores | None] = []
        for j, timeframe in enumerate(self._setup.timeframes):
            if timeframe not in members:
                row.append(None)
                continue
            scorer = self._scorers[members[timeframe].package_hash]
            early_ms = from_ms - FRESH_INTERVALS * timeframe.ms
            row.append(self._score(i, j, timeframe, scorer, early_ms, to_ms))
        return row

    def _score(
        self, i: int, j: int, timeframe: Timeframe, scorer: Scorer, from_ms: int, to_ms: int
    ) -> Scores:
        table = self._table(i, j, timeframe)
        scored = table.warm & (table.close_ms >= from_ms) & (table.close_ms < to_ms)
        p = np.full(len(table.close_ms), np.nan)
        if scored.any():
            p[scored] = scorer(table.rows[scored])
        return Scores(table.close_ms, p, table.sigma)

    def _table(self, i: int, j: int, timeframe: Timeframe) -> RecomputedFeatures:
        if (i, j) not in self._tables:
            setup, lead = self._setup, self._setup.reference
            bars = resample(self._bars[i], setup.instruments[i].base_ms, timeframe.ms)
            base_ms = setup.instruments[lead].base_ms if lead >= 0 else 0
            leads = lead >= 0 and base_ms <= timeframe.ms
            reference = resample(self._bars[lead], base_ms, timeframe.ms) if leads else None
            k = i * len(setup.timeframes) + j
            self._tables[i, j] = self._scan(k, bars, reference, timeframe)
        return self._tables[i, j]

    def _scan(
        self, k: int, bars: Bars, reference: Bars | None, timeframe: Timeframe
    ) -> RecomputedFeatures:
        state = self._state
        values = np.empty((len(bars), N_FEATURES), np.float32)
        age = np.empty(len(bars), np.int64)
        ref_close = reference_close(bars, reference)
        feature_scan(state.bar_series.features.copy(), k, bars.columns, ref_close, values, age)
        warm = age >= WARMUP_BARS
        rows = values
        if state.bar_windows is not None:
            own = own_columns(state, k, bars, warm, self._user)
            rows, warm = np.hstack([values, own]), warm & past_warmup(own)
        sigma = values[:, VOLATILITY_20].astype(np.float64)
        close_ms = bars.ts_ms + timeframe.ms
        i = k // len(self._setup.timeframes)
        rows = append_columns(rows, run_columns(state, self._history, i, close_ms))
        return RecomputedFeatures(close_ms, rows, warm, sigma)


def signals_of_lanes(
    setup: RunSetup,
    state: State,
    features: RunFeatures,
    close_ms: I64,
    changes: Sequence[TimedChange],
) -> Signals:
    """Return the signals of every lane at each decision, ``(n_decisions, n_lanes)``."""
    n = len(setup.instruments)
    signals = empty_signals(len(close_ms), n)
    cost_bps = float(state.params.rules[0]["cost_bps_now"])
    for lane, slot in enumerate(state.slots):
        i = lane % setup.n_instruments
        for first, end, ensemble in _occupancies(slot, lane, changes, len(close_ms)):
            from_ms, to_ms = int(close_ms[first]), int(close_ms[end - 1]) + 1
            piece = aggregate_history(
                close_ms[first:end],
                [features.scores(i, ensemble, from_ms, to_ms)],
                slot_records([ensemble], setup.timeframes),
                setup.timeframes,
                cost_bps,
            )
            for whole, part in zip(signals, piece, strict=True):
                whole[first:end, lane] = part[:, 0]
    return signals


def _occupancies(
    slot: Slot, lane: int, changes: Sequence[TimedChange], n: int
) -> list[tuple[int, int, Ensemble]]:
    """Return (first row, end row, ensemble) of every ensemble that was in a lane."""
    slots = [(0, slot)]
    slots += [(c.row, c.slots.after[lane]) for c in changes if lane in c.slots.after]
    found: list[tuple[int, int, Ensemble]] = []
    for k, (first, current) in enumerate(slots):
        end = slots[k + 1][0] if k + 1 < len(slots) else n
        if current.ensemble is None or end <= first:
            continue
        if found and found[-1][1] == first and found[-1][2].hash == current.hash:
            found[-1] = (found[-1][0], end, current.ensemble)
        else:
            found.append((first, end, current.ensemble))
    return found


def scan_with_changes(
    state: State, feed: Feed, first_row: int, signals: Signals, changes: Sequence[TimedChange]
) -> TradeLog:
    """Scan the trade half over all decisions, and apply the slot changes between them.

    first_row : row of the feed of the first decision.
    """
    logs: list[TradeLog] = []
    ends = [*sorted({change.row for change in changes}), len(feed) - first_row]
    first = 0
    for end in ends:
        if end > first or end == ends[-1]:
            logs.append(_scan_part(state, feed, first_row, signals, first, end))
            state.trade = logs[-1].state
            first = end
        for change in changes:
            if change.row == end:  # without models: the signals are known already
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


def _scan_part(
    state: State, feed: Feed, first_row: int, signals: Signals, first: int, end: int
) -> TradeLog:
    rows, part = slice(first_row + first, first_row + end), slice(first, end)
    opens, highs, lows, closes = np.ascontiguousarray(feed.ticks[rows].transpose(2, 0, 1))
    lots = np.ascontiguousarray(feed.lots[rows])
    market = Market(feed.close_ms[rows], opens, highs, lows, closes, lots)
    of_part = Signals(*(column[part] for column in signals))
    return scan(market, of_part, state.trade, state.params)
