"""Scores of many bars in one batch per model, handed out again bar by bar: history at speed.

The engine asks for a score with a row of features and gets it from a table that knows the row's
bytes; a row that is not in the table is scored on the spot. So nothing but speed depends on it
(a batch's scores equal single rows' to the bit on one thread). Rows with a user's own features are
all scored on the spot: those features are made bar by bar, by the engine itself.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ares.core.state import Scorer, Scorers, State
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

    models  : the real scorers, by package hash; more may come and go.
    history : of each external series, what becomes known while the feed goes on.
    scorers : what to hand to the engine in their place.
    """

    def __init__(
        self,
        models: Scorers,
        feed: Feed,
        block: int = BLOCK_INSTANTS,
        history: SeriesHistory = NO_HISTORY,
    ) -> None:
        self._models: Scorers = {}
        self._feed = feed.instruments()
        self._block = block
        self._history = history
        self._first, self._end = 0, -1
        self._tables: dict[str, dict[bytes, F64]] = {}
        self.missed = 0
        self.scorers: Scorers = {}
        self.take(models)

    def take(self, models: Scorers) -> None:
        """Serve these as well: row by row, and from the next block on out of the tables."""
        for name, model in models.items():
            if name not in self._models:
                self._models[name] = model
                self._tables[name] = {}
                self.scorers[name] = self._scorer(name)

    def keep(self, names: Collection[str]) -> list[Scorer]:
        """Serve only these any more; return the others, to be let go when there is time."""
        gone = [name for name in self._models if name not in names]
        for name in gone:
            del self._tables[name], self.scorers[name]
        return [self._models.pop(name) for name in gone]

    def _scorer(self, name: str) -> Scorer:
        model, table = self._models[name], self._tables[name]

        def score(rows: NDArray[np.float32]) -> F64:
            try:
                if len(rows) == 1:
                    return table[rows.tobytes()]
                return np.concatenate([table[row.tobytes()] for row in rows])
            except KeyError:
                self.missed += 1
                return model(rows)

        return score

    def reach(self, state: State, t: int) -> None:
        """Score the next block when row ``t`` of the feed is its first; ``state`` is untouched."""
        if t < self._end or not self._models or state.windows is not None:
            return
        first = self._first = t
        self._end = min(t + self._block, len(self._feed))
        feed, n, m = self._feed, self._feed.n_instruments, len(state.setup.timeframes)
        room = 2 * (self._end - first) * n + m * n
        into = KeptRows(np.empty((room, N_FEATURES), np.float32), np.empty((room, 3), np.int64))
        span = slice(first, self._end)
        # Both lanes of an instrument see the same rows: the first half stands for all.
        intervals, due = state.intervals, np.zeros((n, m), np.bool_)
        kept = scan_closes(
            feed.close_ms[span],
            ClosingBars(feed.present[span], feed.ohlcv[span], feed.flat[span]),
            intervals._replace(base_ms=intervals.base_ms[:n]),
            BarSeries(*(array[: n * m].copy() for array in state.bar_series)),
            FeatureRows(state.features[:n, :, :N_FEATURES].copy(), due, due.copy()),
            into,
        )
        places = into.origin
        rows = self._with_series(state, into.values[:kept], places[:kept])
        where = places[:kept, 1] * m + places[:kept, 2]
        for number, name in enumerate(state.package_hashes):
            wanted = np.flatnonzero(state.packages.reshape(-1) == number) % (n * m)
            batch = rows[np.isin(where, wanted)]
            table = self._tables[name]
            table.clear()
            if len(batch):
                scores = self._models[name](batch)[:, None]
                table.update(zip(map(np.ndarray.tobytes, batch), scores, strict=True))

    def _with_series(
        self, state: State, rows: NDArray[np.float32], places: I64
    ) -> NDArray[np.float32]:
        """Return the rows with the columns of the run's external series, where it has any."""
        if not state.series:
            return rows
        until_ms = known_until_ms(state)
        later = tuple(part[part.known_ms > until_ms] for part in self._history)
        closed_ms = self._feed.close_ms
        columns = np.empty((len(rows), state.features.shape[2] - rows.shape[1]), np.float32)
        for i in range(self._feed.n_instruments):
            own = np.flatnonzero(places[:, 1] == i)
            columns[own] = run_columns(state, later, i, closed_ms[self._first + places[own, 0]])
        return np.hstack([rows, columns])
