"""Scores of many bars in one batch per model, handed out again bar by bar: history at speed.

The engine asks for a score with a row of features and gets it from a table that knows the row's
bytes; a row that is not in the table is scored on the spot. So nothing but speed depends on it
(a batch's scores equal single rows' to the bit on one thread). Rows with a user's own features are
all scored on the spot: those features are made bar by bar, by the engine itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.core.state import Scorer, Scorers, State
from ares.kernel.bars import F64
from ares.kernel.features import N_FEATURES
from ares.kernel.live import scan_closes
from ares.runtime.feed import Feed

BLOCK_INSTANTS = 4_096


class Prefetch:
    """Scorers over a feed that is known in advance.

    models : the real scorers, by package hash.
    """

    def __init__(self, models: Scorers, feed: Feed, block: int = BLOCK_INSTANTS) -> None:
        self._models = models
        self._feed = feed
        self._block = block
        self._end = -1
        self._tables: dict[str, dict[bytes, float]] = {name: {} for name in models}
        self.missed = 0
        self.scorers: Scorers = {name: self._scorer(name) for name in models}

    def _scorer(self, name: str) -> Scorer:
        model, table = self._models[name], self._tables[name]

        def score(rows: NDArray[np.float32]) -> F64:
            try:
                if len(rows) == 1:
                    return np.array([table[rows.tobytes()]])
                return np.array([table[row.tobytes()] for row in rows])
            except KeyError:
                self.missed += 1
                return model(rows)

        return score

    def reach(self, state: State, t: int) -> None:
        """Score the next block when row ``t`` of the feed is its first; ``state`` is untouched."""
        if t < self._end or not self._models or state.windows is not None:
            return
        first, self._end = t, min(t + self._block, len(self._feed))
        feed, n = self._feed, len(state.base_ms)
        room = 2 * (self._end - first) * n + len(state.tf_ms) * n
        rows = np.empty((room, N_FEATURES), np.float32)
        places = np.empty((room, 3), np.int64)
        span = slice(first, self._end)
        kept = scan_closes(
            state.fold.copy(), state.feats.copy(), feed.close_ms[span], feed.present[span],
            state.base_ms, feed.ohlcv[span], feed.flat[span], state.tf_ms, state.setup.reference,
            state.features.copy(), state.scratch.due.copy(), state.scratch.warm.copy(),
            rows, places,
        )  # fmt: skip
        where = places[:kept, 1] * len(state.tf_ms) + places[:kept, 2]
        for number, name in enumerate(state.package_hashes):
            wanted = np.flatnonzero(state.packages.reshape(-1) == number)
            batch = rows[:kept][np.isin(where, wanted)]
            table = self._tables[name]
            table.clear()
            if len(batch):
                scores = self._models[name](batch).tolist()
                table.update(zip(map(np.ndarray.tobytes, batch), scores, strict=True))
