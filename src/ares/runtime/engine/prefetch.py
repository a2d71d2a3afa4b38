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
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ares.core.models import Scorer, Scorers
from ares.core.series import known_until_ms
from ares.core.state import State
from ares.kernel.bar_aggregation import BarSeries, ClosingBars, FeatureRows
from ares.kernel.bars import F64, I64, Bools
from ares.kernel.features import N_FEATURES
from ares.kernel.features.observations import NO_HISTORY, SeriesHistory
from ares.kernel.live import KeptRows, scan_closes
from ares.kernel.stretch import KnownBars
from ares.runtime.engine.feed import Feed
from ares.runtime.engine.series import run_columns

BLOCK_INSTANTS = 4_096


class Prefetch:
    """Scorers over a feed that is known in advance.

    history : of each external series, what becomes known during the feed.
    scorers : to hand to the engine in place of the models' own.
    misses  : rows that were scored on the spot.
    """

    def __init__(
        self,
        models: Scorers,
        feed: Feed,
        block: int = BLOCK_INSTANTS,
        history: SeriesHistory = NO_HISTORY,
    ) -> None:
        self._models: Scorers = {}
        self._lanes = feed
        self._feed = feed.for_instruments()
        self._lows = np.ascontiguousarray(feed.ticks[:, :, 2])
        self._size = block
        self._history = history
        self._block = _Block(0, 0)
        self._t = 0
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
        self._block = _Block(0, 0)

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
        self._block = self._rows(state, t)
        self._block.score_lanes(state, self._models)

    def known(self, state: State) -> KnownBars | None:
        """Return the feed with the scores of the block that ``advance`` went on to; None where
        they are not certain.
        """
        block = self._block
        if state.bar_windows is not None or not block.first <= self._t < block.end:
            return None
        if not block.is_of(state) and not block.score_lanes(state, self._models):
            return None
        feed = self._lanes
        bars = ClosingBars(feed.present, feed.ohlcv, feed.flat)
        return KnownBars(feed.close_ms, bars, self._lows, block.scores, block.first)

    def _rows(self, state: State, t: int) -> _Block:
        """Return the rows from ``t`` to the end of its block: blocks end at the same instants,
        wherever a run began.
        """
        first, end = t, min((t // self._size + 1) * self._size, len(self._feed))
        feed, n, m = self._feed, self._feed.n_instruments, len(state.setup.timeframes)
        if not self._models:
            return _Block(first, end)
        capacity = 2 * (end - first) * n + m * n
        kept = KeptRows(
            np.empty((capacity, N_FEATURES), np.float32), np.empty((capacity, 3), np.int64)
        )
        block = slice(first, end)
        # Both lanes of an instrument have the same rows: the first half is scored for all.
        intervals, due = state.intervals, np.zeros((n, m), np.bool_)
        n_rows = scan_closes(
            feed.close_ms[block],
            ClosingBars(feed.present[block], feed.ohlcv[block], feed.flat[block]),
            intervals._replace(base_ms=intervals.base_ms[:n]),
            BarSeries(*(array[: n * m].copy() for array in state.bar_series)),
            FeatureRows(state.features[:n, :, :N_FEATURES].copy(), due, due.copy()),
            kept,
        )
        origin = kept.origin[:n_rows]  # row of the feed, instrument, timeframe
        rows = self._with_series(state, kept.values[:n_rows], origin, first)
        return _Block(first, end, rows, origin[:, 0].copy(), origin[:, 1] * m + origin[:, 2])

    def _with_series(
        self, state: State, rows: NDArray[np.float32], origin: I64, first: int
    ) -> NDArray[np.float32]:
        """Return the rows with the columns of the run's external series, where it has any."""
        if not state.series:
            return rows
        until_ms = known_until_ms(state)
        later = tuple(part[part.known_ms > until_ms] for part in self._history)
        closed_ms = self._feed.close_ms
        columns = np.empty((len(rows), state.features.shape[2] - rows.shape[1]), np.float32)
        for i in range(self._feed.n_instruments):
            of_i = np.flatnonzero(origin[:, 1] == i)
            columns[of_i] = run_columns(state, later, i, closed_ms[first + origin[of_i, 0]])
        return np.hstack([rows, columns])


NO_ROWS = np.zeros((0, N_FEATURES), np.float32)
NO_NUMBERS = np.zeros(0, np.int64)


@dataclass(slots=True)
class _Block:
    """The rows of the instants from ``first`` to ``end``, and their scores.

    rows    : (n_rows, n_features) warm rows, by instant.
    instant : (n_rows,) of each, from ``first`` on; series: number of instrument and timeframe.
    p       : (n_rows,) of each package, NaN where it has no score; scored: where it has one.
    scores  : (n_instants, n_lanes, n_timeframes), of the packages that the lanes had with them.
    """

    first: int
    end: int
    rows: NDArray[np.float32] = field(default_factory=lambda: NO_ROWS)
    instant: I64 = field(default_factory=lambda: NO_NUMBERS)
    series: I64 = field(default_factory=lambda: NO_NUMBERS)
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

    def score_lanes(self, state: State, models: Scorers) -> bool:
        """Score the rows of all packages in a state's lanes; return whether all are known."""
        hashes, packages = state.package_hashes, state.packages
        n_series = packages.size if not state.setup.challenger_lanes else packages.size // 2
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
        self.scores, self._packages, self._hashes = scores, packages.tobytes(), tuple(hashes)
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
