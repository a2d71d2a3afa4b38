"""Scores of many bars in one batch per model, returned bar by bar: history at speed.

The bars of the next ``BLOCK_INSTANTS`` are known. A copy of the feature half computes their rows,
and each model scores its rows at once. The engine gets them in two ways: a single step looks up
the score of a row by the row's bytes, and a row that is not there is scored on the spot; a stretch
takes the scores of all its instants as an array (``known``), which is there only while the rows
are certain. So the prefetch changes nothing but the speed (a batch's scores equal single rows' to
the bit on one thread). Rows with features of the user's own are all scored on the spot, because
the engine computes those features bar by bar.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ares.core.models import Scorer, Scorers
from ares.core.series import known_until_ms
from ares.core.state import State
from ares.kernel.bar_aggregation import BarSeries, ClosingBars, FeatureRows, Intervals
from ares.kernel.bars import F64, I64, Bools
from ares.kernel.features import N_FEATURES
from ares.kernel.features.observations import NO_HISTORY, SeriesHistory
from ares.kernel.live import KeptRows, scan_closes
from ares.kernel.stretch import KnownBars
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.engine.series import run_columns

BLOCK_INSTANTS = 4_096


class Prefetch:
    """Scores over a feed that is known in advance.

    history : of each external series, what becomes known during the feed.
    ahead   : compute the next block in a thread while this one is stepped; then ``close`` it.
    scorers : to hand to the engine in place of the models' own.
    misses  : rows that were scored on the spot.
    """

    def __init__(
        self,
        models: Scorers,
        feed: BarPanel,
        block: int = BLOCK_INSTANTS,
        history: SeriesHistory = NO_HISTORY,
        *,
        ahead: bool = False,
    ) -> None:
        self._models: Scorers = {}
        self._lanes = feed
        self._feed = feed.for_instruments()
        self._lows = np.ascontiguousarray(feed.ticks[:, :, 2])
        self._size = block
        self._history = history
        self._block = _Block(0, 0)
        self._t = 0
        self._thread = ThreadPoolExecutor(1, "prefetch") if ahead else None
        self._next: Future[_Block] | None = None
        self.misses = 0
        self.scorers: Scorers = {}
        self.add(models)

    def add(self, models: Scorers) -> None:
        """Serve these models as well: on the spot, and as soon as a lane has them in advance."""
        for name, model in models.items():
            if name not in self._models:
                self._models[name] = model
                self.scorers[name] = self._scorer(name)

    def retain(self, names: Collection[str]) -> list[Scorer]:
        """Serve only these models from now on; return the others, whose release may wait."""
        unused = [name for name in self._models if name not in names]
        for name in unused:
            self._block.p.pop(name, None)
            del self.scorers[name]
        return [self._models.pop(name) for name in unused]

    def restart(self) -> None:
        """Compute the rows anew from the next instant on: the engine refused a bar of the feed."""
        self._block, self._next = _Block(0, 0), None

    def close(self) -> None:
        """End the thread."""
        self._next = None
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _scorer(self, name: str) -> Scorer:
        model = self._models[name]

        def score(rows: NDArray[np.float32]) -> F64:
            block = self._block
            known = [block.score(name, self._t, row) for row in rows]
            if None in known:
                self.misses += 1
                return model(rows)
            return np.array(known)

        return score

    def advance(self, state: State, t: int) -> None:
        """Go on to row ``t`` of the feed, which ``state`` steps next; it is unchanged here."""
        self._t = t
        if self._block.first <= t < self._block.end or state.bar_windows is not None:
            return
        if self._next is not None and t == self._block.end:
            self._block = self._next.result()
        else:
            self._block = self._scored(Fold.of(state), t, _Lanes.of(state), state)
        self._next = None
        fold, first = self._block.fold, self._block.end
        if self._thread is not None and fold is not None and first < len(self._feed):
            lanes, models = _Lanes.of(state), dict(self._models)
            self._next = self._thread.submit(self._scored, fold, first, lanes, None, models)

    def known(self, state: State) -> KnownBars | None:
        """Return the feed with the scores of the block that ``advance`` went on to; None where
        they are not certain.
        """
        block = self._block
        if state.bar_windows is not None or not block.first <= self._t < block.end:
            return None
        if not block.is_of(state) and not block.score_lanes(_Lanes.of(state), self._models):
            return None
        feed = self._lanes
        bars = ClosingBars(feed.present, feed.ohlcv, feed.flat)
        return KnownBars(feed.close_ms, bars, self._lows, block.scores, block.first)

    def _scored(
        self,
        fold: Fold,
        t: int,
        lanes: _Lanes,
        state: State | None,
        models: Scorers | None = None,
    ) -> _Block:
        """Return the rows from ``t`` to the end of its block, scored: blocks end at the same
        instants, wherever a run began.

        fold  : the feature half before row ``t``; it is changed.
        state : at row ``t``; None: the run has no external series.
        """
        end = min((t // self._size + 1) * self._size, len(self._feed))
        models = self._models if models is None else models
        block = _Block(t, end)
        if models:
            rows, origin = fold.rows(self._feed, t, end)
            if state is not None and state.series:
                rows = self._with_series(state, rows, origin, t)
                fold_after = None
            else:
                fold_after = fold
            m = lanes.packages.shape[1]
            series = origin[:, 1] * m + origin[:, 2]
            block = _Block(t, end, rows, origin[:, 0].copy(), series, fold_after)
        block.score_lanes(lanes, models)
        return block

    def _with_series(
        self, state: State, rows: NDArray[np.float32], origin: I64, first: int
    ) -> NDArray[np.float32]:
        """Return the rows with the columns of the run's external series."""
        until_ms = known_until_ms(state)
        later = tuple(part[part.known_ms > until_ms] for part in self._history)
        closed_ms = self._feed.close_ms
        columns = np.empty((len(rows), state.features.shape[2] - rows.shape[1]), np.float32)
        for i in range(self._feed.n_instruments):
            of_i = np.flatnonzero(origin[:, 1] == i)
            columns[of_i] = run_columns(state, later, i, closed_ms[first + origin[of_i, 0]])
        return np.hstack([rows, columns])


class _Lanes(NamedTuple):
    """Which package scores what, at one moment of a state.

    packages : (n_lanes, n_timeframes) numbers in ``hashes``; -1: none.
    n_series : of instruments and timeframes; the lanes of challengers repeat them.
    """

    packages: I64
    hashes: tuple[str, ...]
    n_series: int

    @classmethod
    def of(cls, state: State) -> _Lanes:
        """Return the lanes of a state as they are now."""
        n_series = state.packages.shape[1] * state.setup.n_instruments
        return cls(state.packages.copy(), tuple(state.package_hashes), n_series)


@dataclass(frozen=True, slots=True)
class Fold:
    """A copy of the feature half, of the lanes of one half: those of challengers are the same."""

    intervals: Intervals
    bar_series: BarSeries
    features: FeatureRows

    @classmethod
    def of(cls, state: State) -> Fold:
        """Return the copy of a state's feature half as it is now."""
        n, m = state.setup.n_instruments, len(state.setup.timeframes)
        due = np.zeros((n, m), np.bool_)
        return cls(
            state.intervals._replace(base_ms=state.intervals.base_ms[:n]),
            BarSeries(*(array[: n * m].copy() for array in state.bar_series)),
            FeatureRows(state.features[:n, :, :N_FEATURES].copy(), due, due.copy()),
        )

    def rows(self, feed: BarPanel, first: int, end: int) -> tuple[NDArray[np.float32], I64]:
        """Fold rows of the feed; return the warm rows of features, and of each the row of the feed
        from ``first`` on, instrument and timeframe.
        """
        n, m = self.features.due.shape
        capacity = 2 * (end - first) * n + m * n
        kept = KeptRows(
            np.empty((capacity, N_FEATURES), np.float32), np.empty((capacity, 3), np.int64)
        )
        block = slice(first, end)
        n_rows = scan_closes(
            feed.close_ms[block],
            ClosingBars(feed.present[block], feed.ohlcv[block], feed.flat[block]),
            self.intervals,
            self.bar_series,
            self.features,
            kept,
        )
        return kept.values[:n_rows], kept.origin[:n_rows]


NO_ROWS = np.zeros((0, N_FEATURES), np.float32)
NO_NUMBERS = np.zeros(0, np.int64)


@dataclass(slots=True)
class _Block:
    """The rows of the instants from ``first`` to ``end``, and their scores.

    rows    : (n_rows, n_features) warm rows, by instant.
    instant : (n_rows,) of each, from ``first`` on; series: number of instrument and timeframe.
    fold    : after the last instant; None where it does not make all columns.
    p       : (n_rows,) of each package, NaN where it has no score; scored: where it has one.
    scores  : (n_instants, n_lanes, n_timeframes), of the packages that the lanes had with them.
    """

    first: int
    end: int
    rows: NDArray[np.float32] = field(default_factory=lambda: NO_ROWS)
    instant: I64 = field(default_factory=lambda: NO_NUMBERS)
    series: I64 = field(default_factory=lambda: NO_NUMBERS)
    fold: Fold | None = None
    p: dict[str, tuple[F64, Bools]] = field(default_factory=dict)
    scores: F64 = field(default_factory=lambda: np.zeros((0, 0, 0)))
    _begins: I64 = field(init=False)
    _packages: bytes = b""
    _hashes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        instants = np.arange(self.end - self.first + 1)
        self._begins = np.searchsorted(self.instant, instants)

    def score(self, name: str, t: int, row: NDArray[np.float32]) -> float | None:
        """Return the score of a package for a row of instant ``t``; None: not known."""
        found = self.p.get(name)
        if found is None or not self.first <= t < self.end:
            return None
        wanted, (p, scored) = row.tobytes(), found
        for k in range(self._begins[t - self.first], self._begins[t - self.first + 1]):
            if scored[k] and self.rows[k].tobytes() == wanted:
                return float(p[k])
        return None

    def is_of(self, state: State) -> bool:
        """Return whether ``scores`` are of the packages in a state's lanes."""
        same = self._hashes == tuple(state.package_hashes)
        return same and self._packages == state.packages.tobytes()

    def score_lanes(self, lanes: _Lanes, models: Scorers) -> bool:
        """Score the rows of all packages in the lanes; return whether all are known."""
        packages, hashes, n_series = lanes
        lane_series = np.arange(packages.size).reshape(packages.shape) % n_series
        scores = np.full((self.end - self.first, *packages.shape), np.nan)
        used = np.unique(packages[packages >= 0]).tolist()
        if any(hashes[number] not in models for number in used):
            return False
        for number in used:
            name = hashes[number]
            p, scored = self._scored(name, models[name], lane_series[packages == number])
            for lane, j in np.argwhere(packages == number).tolist():
                here = scored & (self.series == lane_series[lane, j])
                scores[self.instant[here], lane, j] = p[here]
        self.scores, self._packages, self._hashes = scores, packages.tobytes(), hashes
        return True

    def _scored(self, name: str, model: Scorer, series: I64) -> tuple[F64, Bools]:
        """Return the scores of a package, these series included."""
        n = len(self.rows)
        p, scored = self.p.get(name, (np.full(n, np.nan), np.zeros(n, np.bool_)))
        wanted = np.isin(self.series, series) & ~scored
        if wanted.any():
            p[wanted] = model(self.rows[wanted])
            scored |= wanted
        self.p[name] = (p, scored)
        return p, scored
