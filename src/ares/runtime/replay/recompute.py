"""A run by the backtest path, with its slot changes: scores, signals and trades by ``scan``.

The journal gives the slots. The scores of each ensemble are computed from the bars, for the whole
time that it is in a lane; the trade half is scanned from one slot change to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.core.models import Scorer, Scorers
from ares.core.slot import Slot
from ares.core.slot_history import SlotHistory, SlotsApplied
from ares.core.state import State
from ares.domain.events import BarsClosed, DecisionMade, Effect, Event
from ares.domain.model import Ensemble
from ares.domain.run import RunSetup
from ares.domain.timeframe import Timeframe
from ares.kernel.bar_aggregation import REFERENCE_BARS
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
from ares.kernel.trade import Signals
from ares.runtime.engine.bar_panel import UNSCORED, BarPanel
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
        if isinstance(event, BarsClosed) and effects and isinstance(effects[0], DecisionMade):
            self._row += 1
        self.found += [TimedChange(self._row, s) for s in self._history.add(event, effects)]


@dataclass(frozen=True, slots=True)
class RecomputedFeatures:
    """One series of a run: closing instants, feature rows, which are warm, and volatility.

    known_ms : the newest instant when each row was there: later than it closed for late bars.
    """

    close_ms: I64
    known_ms: I64
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    warm: Bools
    sigma: F64


class RunFeatures:
    """Features of a run by instrument and timeframe, computed once, and the scores of models."""

    def __init__(
        self,
        setup: RunSetup,
        state: State,
        feed: BarPanel,
        uses: NDArray[np.uint8],
        scorers: Scorers,
        user: UserFeatures | None,
        open_ensemble: Opener | None,
        history: SeriesHistory = NO_HISTORY,
    ) -> None:
        self._setup, self._state, self._feed, self._user = setup, state, feed, user
        self._uses = uses
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
        return Scores(table.close_ms, p, table.sigma, table.known_ms)

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

    def _rows_of(self, i: int, bars: Bars, timeframe: Timeframe) -> I64:
        """Return (n_bars,) the row of the feed that completed each bar of instrument ``i``."""
        base, base_ms = self._bars[i], self._setup.instruments[i].base_ms
        last = np.searchsorted(base.ts_ms + base_ms, bars.ts_ms + timeframe.ms)
        return np.flatnonzero(self._feed.present[:, i])[last]

    def _reference_close(
        self, rows: I64, bars: Bars, reference: Bars | None, timeframe: Timeframe
    ) -> F64:
        """Return (n_bars,) the reference's closes that were kept when each bar was completed."""
        closes = reference_close(bars, reference)
        if reference is None or not len(reference):
            return closes
        by_row = np.searchsorted(
            self._rows_of(self._setup.reference, reference, timeframe), rows, side="right"
        )
        newest_ms = reference.ts_ms[by_row - 1]
        kept = (by_row > 0) & (bars.ts_ms <= newest_ms)
        kept &= bars.ts_ms > newest_ms - REFERENCE_BARS * timeframe.ms
        closes[~kept] = np.nan
        return closes

    def _scan(
        self, k: int, bars: Bars, reference: Bars | None, timeframe: Timeframe
    ) -> RecomputedFeatures:
        state, i = self._state, k // len(self._setup.timeframes)
        values = np.empty((len(bars), N_FEATURES), np.float32)
        age = np.empty(len(bars), np.int64)
        at_row = self._rows_of(i, bars, timeframe)
        ref_close = self._reference_close(at_row, bars, reference, timeframe)
        feature_scan(state.bar_series.features.copy(), k, bars.columns, ref_close, values, age)
        warm = (age >= WARMUP_BARS) & (self._uses[at_row] != UNSCORED)
        rows = values
        if state.bar_windows is not None:
            own = own_columns(state, k, bars, warm, self._user, values)
            rows, warm = np.hstack([values, own]), warm & past_warmup(own)
        sigma = values[:, VOLATILITY_20].astype(np.float64)
        close_ms = bars.ts_ms + timeframe.ms
        rows = append_columns(rows, run_columns(state, self._history, i, close_ms))
        before_ms = np.maximum.accumulate(self._feed.close_ms)[np.maximum(at_row - 1, 0)]
        is_late = (at_row > 0) & (before_ms >= close_ms)
        known_ms = np.where(is_late, before_ms + 1, close_ms)
        return RecomputedFeatures(close_ms, known_ms, rows, warm, sigma)


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
