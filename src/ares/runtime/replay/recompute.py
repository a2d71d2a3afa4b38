"""A run by the backtest path, where ensembles came and went: scores, signals and trades by scan.

The journal says who sat in which lane from when on. What everybody said there is computed from the
bars, for the whole run as if nothing had ever moved, and cut where something did; the trade half
is scanned from one move to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares.core.slots import Slot, lanes_of, settle, slot_of
from ares.core.state import Scorer, Scorers, State
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished, SlotChanged
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
from ares.kernel.features.columns import behind, present
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
class SlotMove:
    """Who sits where in an instrument's lanes before decision ``row`` is made."""

    row: int
    instrument: int
    slots: dict[int, Slot]
    previous: Ensemble | None


class SlotMoves:
    """The moves of a run, taken from its journal entry by entry; ``found``: in order."""

    def __init__(self, setup: RunSetup) -> None:
        self.found: list[SlotMove] = []
        self._setup = setup
        self._known: dict[str, Ensemble] = {}
        self._refits: set[str] = set()
        self._row = 0
        for one in setup.instruments:
            for ensemble in (one.ensemble, one.previous):
                if ensemble is not None:
                    self._known[ensemble.hash] = ensemble

    def add(self, event: Event, effects: Sequence[Effect]) -> None:
        """Take the next entry in."""
        if isinstance(event, BarsClosed) and not event.warming:
            self._row += 1
        elif isinstance(event, ModelPublished):
            name = event.ensemble.hash
            self._known[name] = event.ensemble
            self._refits.discard(name)
            if event.refit:
                self._refits.add(name)
        for effect in effects:
            if isinstance(effect, SlotChanged):
                self._move(effect)

    def _move(self, fact: SlotChanged) -> None:
        lanes = lanes_of(self._setup, fact.instrument)
        slots = {
            lane: slot_of(self._known[name], stage, refit=name in self._refits)
            if name
            else Slot(stage=stage)
            for lane, name, stage in zip(lanes, fact.lane_hashes, fact.stages, strict=True)
        }
        back = self._known[fact.previous_hash] if fact.previous_hash else None
        self.found.append(SlotMove(self._row, fact.instrument, slots, back))


class RunFeatures:
    """Features of a run by instrument and timeframe, made once, and what models say of them."""

    def __init__(
        self,
        setup: RunSetup,
        state: State,
        feed: Feed,
        models: Scorers,
        user: UserFeatures | None,
        opener: Opener | None,
        history: SeriesHistory = NO_HISTORY,
    ) -> None:
        self._setup, self._state, self._feed, self._user = setup, state, feed, user
        self._models = dict(models)
        self._opener = opener
        self._history = history
        self._bars = [
            base_bars_of(feed, i, one.base_ms)
            for i, one in enumerate(setup.instruments[: setup.n_instruments])
        ]
        self._tables: dict[tuple[int, int], tuple[I64, np.ndarray, Bools, F64]] = {}

    def scores(self, i: int, ensemble: Ensemble, from_ms: int, to_ms: int) -> list[Scores | None]:
        """Return what each member says of instrument ``i`` from ``from_ms`` on, before ``to_ms``;
        earlier only what may still be fresh then.
        """
        if self._opener is not None and any(
            member.package_hash not in self._models for member in ensemble.members
        ):
            self._models |= self._opener(ensemble)
        members = {member.timeframe: member for member in ensemble.members}
        row: list[Scores | None] = []
        for j, timeframe in enumerate(self._setup.timeframes):
            if timeframe not in members:
                row.append(None)
                continue
            scorer = self._models[members[timeframe].package_hash]
            early_ms = from_ms - FRESH_INTERVALS * timeframe.ms
            row.append(self._asked(i, j, timeframe, scorer, early_ms, to_ms))
        return row

    def _asked(
        self, i: int, j: int, timeframe: Timeframe, scorer: Scorer, from_ms: int, to_ms: int
    ) -> Scores:
        close_ms, rows, warm, sigma = self._table(i, j, timeframe)
        asked = warm & (close_ms >= from_ms) & (close_ms < to_ms)
        p = np.full(len(close_ms), np.nan)
        if asked.any():
            p[asked] = scorer(rows[asked])
        return Scores(close_ms, p, sigma)

    def _table(self, i: int, j: int, timeframe: Timeframe) -> tuple[I64, np.ndarray, Bools, F64]:
        """Return closing instants, feature rows, which are complete, and volatility."""
        if (i, j) not in self._tables:
            setup, lead = self._setup, self._setup.reference
            own = resample(self._bars[i], setup.instruments[i].base_ms, timeframe.ms)
            base_ms = setup.instruments[lead].base_ms if lead >= 0 else 0
            leads = lead >= 0 and base_ms <= timeframe.ms
            reference = resample(self._bars[lead], base_ms, timeframe.ms) if leads else None
            k = i * len(setup.timeframes) + j
            self._tables[i, j] = self._scan(k, own, reference, timeframe)
        return self._tables[i, j]

    def _scan(
        self, k: int, bars: Bars, reference: Bars | None, timeframe: Timeframe
    ) -> tuple[I64, np.ndarray, Bools, F64]:
        state = self._state
        values = np.empty((len(bars), N_FEATURES), np.float32)
        age = np.empty(len(bars), np.int64)
        ref_close = reference_close(bars, reference)
        feature_scan(state.bar_series.features.copy(), k, bars.columns, ref_close, values, age)
        warm = age >= WARMUP_BARS
        rows = values
        if state.windows is not None:
            own = own_columns(state, k, bars, warm, self._user)
            rows, warm = np.hstack([values, own]), warm & present(own)
        sigma = values[:, VOLATILITY_20].astype(np.float64)
        close_ms = bars.ts_ms + timeframe.ms
        i = k // len(self._setup.timeframes)
        rows = behind(rows, run_columns(state, self._history, i, close_ms))
        return close_ms, rows, warm, sigma


def spoken(
    setup: RunSetup, state: State, columns: RunFeatures, close_ms: I64, moves: Sequence[SlotMove]
) -> Signals:
    """Return what was said in every lane at each decision, ``(n_decisions, n_lanes)``."""
    n = len(setup.instruments)
    said = empty_signals(len(close_ms), n)
    cost_bps = float(state.params.rules[0]["cost_bps_now"])
    for lane, slot in enumerate(state.lanes):
        i = lane % setup.n_instruments
        stays = _stays(slot, lane, moves, len(close_ms))
        for first, end, ensemble in stays:
            from_ms, to_ms = int(close_ms[first]), int(close_ms[end - 1]) + 1
            piece = aggregate_history(
                close_ms[first:end],
                [columns.scores(i, ensemble, from_ms, to_ms)],
                slot_records([ensemble], setup.timeframes),
                setup.timeframes,
                cost_bps,
            )
            for whole, part in zip(said, piece, strict=True):
                whole[first:end, lane] = part[:, 0]
    return said


def _stays(
    slot: Slot, lane: int, moves: Sequence[SlotMove], n: int
) -> list[tuple[int, int, Ensemble]]:
    """Return (first row, end row, ensemble) of everybody who ever sat in a lane."""
    changes = [(0, slot)] + [(m.row, m.slots[lane]) for m in moves if lane in m.slots]
    stays: list[tuple[int, int, Ensemble]] = []
    for k, (first, who) in enumerate(changes):
        end = changes[k + 1][0] if k + 1 < len(changes) else n
        if who.ensemble is None or end <= first:
            continue
        if stays and stays[-1][1] == first and stays[-1][2].hash == who.hash:
            stays[-1] = (stays[-1][0], end, who.ensemble)
        else:
            stays.append((first, end, who.ensemble))
    return stays


def scan_with_moves(
    state: State, feed: Feed, traded: int, signals: Signals, moves: Sequence[SlotMove]
) -> TradeLog:
    """Scan the trade half over all decisions, moving ensembles where they moved."""
    logs: list[TradeLog] = []
    ends = [*sorted({move.row for move in moves}), len(feed) - traded]
    first = 0
    for end in ends:
        if end > first or end == ends[-1]:
            logs.append(_piece(state, feed, traded, signals, first, end))
            state.trade = logs[-1].state
            first = end
        for move in moves:
            if move.row == end:
                _fold(state, move)
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


def _fold(state: State, move: SlotMove) -> None:
    """Seat who is new; nothing is scored here, the signals are known already."""
    settle(state, move.instrument, move.slots, move.previous, NOTHING)


def _piece(
    state: State, feed: Feed, traded: int, signals: Signals, first: int, end: int
) -> TradeLog:
    rows, part = slice(traded + first, traded + end), slice(first, end)
    opens, highs, lows, closes = np.ascontiguousarray(feed.ticks[rows].transpose(2, 0, 1))
    lots = np.ascontiguousarray(feed.lots[rows])
    market = Market(feed.close_ms[rows], opens, highs, lows, closes, lots)
    said = Signals(*(column[part] for column in signals))
    return scan(market, said, state.trade, state.params)


NOTHING: Scorers = {}
"""No models: what is seated for the scan is asked nothing."""
