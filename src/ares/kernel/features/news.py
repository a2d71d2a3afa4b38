"""Scored news as columns, oldest known first, and the sentiment that they make over history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.domain.sentiment import SentimentSpec
from ares.kernel.bars import I64, Bools
from ares.kernel.features.sentiment import (
    N_SENTIMENT,
    SCORE_UNIT,
    decay_weights,
    news_state,
    sentiment_scan,
)
from ares.kernel.features.state import States

EVERYWHERE = -1
"""The lane of news about the whole market: they count for every instrument."""


@dataclass(frozen=True, slots=True)
class News:
    """Rows of news, all arrays ``(n_rows,)``, by ``known_ms`` ascending.

    known_ms     : since when a row is known: publication and delay, or reception where that is
                   later.
    published_ms : its publication.
    scores       : in millionths, -1,000,000 to 1,000,000.
    lane         : number of the instrument that it is about; EVERYWHERE: the market.
    """

    known_ms: I64
    published_ms: I64
    scores: I64
    lane: I64

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> News:
        """Return (known_ms, published_ms, score, lane) rows in order, whatever theirs was."""
        table = np.array(list(rows), np.int64).reshape(-1, 4)
        table = table[np.lexsort(table.T[::-1])]
        return cls(*(np.ascontiguousarray(column) for column in table.T))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.known_ms)

    def __getitem__(self, rows: slice | Bools | I64) -> News:
        """Return the rows of a slice, a mask or an index array."""
        return News(
            self.known_ms[rows], self.published_ms[rows], self.scores[rows], self.lane[rows]
        )

    def about(self, lane: int) -> News:
        """Return what counts for one instrument: its own news and the market's."""
        return self[(self.lane == lane) | (self.lane == EVERYWHERE)]

    def until(self, now_ms: int) -> News:
        """Return what is known at an instant."""
        return self[: int(np.searchsorted(self.known_ms, now_ms, side="right"))]


def score_units(score: float) -> int:
    """Return a score of -1 to 1 in millionths.

    >>> score_units(-0.25)
    -250000
    """
    return round(score / SCORE_UNIT)


def sentiment_of(
    news: News, spec: SentimentSpec, now_ms: I64, first: States | None = None
) -> NDArray[np.float32]:
    """Return (n, N_SENTIMENT) the columns at instants, ascending, of what was known at each.

    news  : of one instrument, see ``News.about``.
    first : (1,) the series before these news; default: it knows none.
    """
    out = np.empty((len(now_ms), N_SENTIMENT), np.float32)
    sentiment_scan(
        news_state(1) if first is None else first.copy(),
        0,
        np.ascontiguousarray(news.known_ms),
        np.ascontiguousarray(news.published_ms),
        np.ascontiguousarray(news.scores),
        np.ascontiguousarray(now_ms, np.int64),
        decay_weights(spec),
        spec.stale_ms,
        out,
    )
    return out
