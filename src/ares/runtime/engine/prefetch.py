"""Scores of many bars in one batch per model, returned bar by bar: history at speed.

The engine looks up the score of a feature row and gets it from a table with the row's bytes as the
key; a row that is not in the table is scored on the spot. The tables therefore change nothing but
the speed (a batch's scores equal single rows' to the bit on one thread). Rows with features of the
user's own are all scored on the spot, because the engine computes those features bar by bar.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ares.core.models import Scorer, Scorers
from ares.core.state import State
from ares.kernel.bar_aggregation import BarSeries, ClosingBars, FeatureRows
from ares.kernel.bars import F64, I64
from ares.kernel.features import N_FEATURES
from ares.kernel.features.observations import NO_HISTORY, SeriesHistory
from ares.kernel.live import KeptRows, scan_closes
from ares.runtime.engine.feed import Feed
from ares.runtime.engine.series import known_until_ms, run_columns

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
        self._feed = feed.for_instruments()
        self._block = block
        self._history = history
        self._first, self._end = 0, -1
        self._tables: dict[str, dict[bytes, F64]] = {}
        self.misses = 0
        self.scorers: Scorers = {}
        self.add(models)

    def add(self, models: Scorers) -> None:
        """Serve these models as well: on the spot, and from the next block on out of the tables."""
        for name, model in models.items():
            if name not in self._models:
                self._models[name] = model
                self._tables[name] = {}
                self.scorers[name] = self._scorer(name)

    def retain(self, names: Collection[str]) -> list[Scorer]:
        """Serve only these models from now on; return the others, whose release may wait."""
        unused = [name for name in self._models if name not in names]
        for name in unused:
            del self._tables[name], self.scorers[name]
        return [self._models.pop(name) for name in unused]

    def _scorer(self, name: str) -> Scorer:
        model, table = self._models[name], self._tables[name]

        def score(rows: NDArray[np.float32]) -> F64:
            try:
                if len(rows) == 1:
                    return table[rows.tobytes()]
                return np.concatenate([table[row.tobytes()] for row in rows])
            except KeyError:
                self.misses += 1
                return model(rows)

        return score

    def advance(self, state: State, t: int) -> None:
        """Score the next block where row ``t`` of the feed is its first; ``state`` is unchanged."""
        if t < self._end or not self._models or state.bar_windows is not None:
            return
        first = self._first = t
        self._end = min(t + self._block, len(self._feed))
        feed, n, m = self._feed, self._feed.n_instruments, len(state.setup.timeframes)
        capacity = 2 * (self._end - first) * n + m * n
        kept = KeptRows(
            np.empty((capacity, N_FEATURES), np.float32), np.empty((capacity, 3), np.int64)
        )
        block = slice(first, self._end)
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
        rows = self._with_series(state, kept.values[:n_rows], origin)
        series = origin[:, 1] * m + origin[:, 2]
        for number, name in enumerate(state.package_hashes):
            scored = np.flatnonzero(state.packages.reshape(-1) == number) % (n * m)
            batch = rows[np.isin(series, scored)]
            table = self._tables[name]
            table.clear()
            if len(batch):
                scores = self._models[name](batch)[:, None]
                table.update(zip(map(np.ndarray.tobytes, batch), scores, strict=True))

    def _with_series(
        self, state: State, rows: NDArray[np.float32], origin: I64
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
            columns[of_i] = run_columns(state, later, i, closed_ms[self._first + origin[of_i, 0]])
        return np.hstack([rows, columns])
