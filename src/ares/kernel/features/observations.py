"""Observations of an external series as columns, oldest known first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ares.kernel.bars import F64, I64, Bools

ALL_INSTRUMENTS = -1
"""The lane of what counts for every instrument."""


@dataclass(frozen=True, slots=True)
class Observations:
    """Values of one series, all arrays ``(n_rows,)``, by ``known_ms`` ascending.

    known_ms     : since when a value is known.
    published_ms : its publication; never after ``known_ms``.
    values       : of sentiment, scores from -1 to 1.
    lane         : number of the instrument that it is about, or ALL_INSTRUMENTS.
    """

    known_ms: I64
    published_ms: I64
    values: F64
    lane: I64

    @classmethod
    def of(cls, rows: Iterable[Sequence[float]]) -> Observations:
        """Return (known_ms, published_ms, value, lane) rows, whatever their order was.

        >>> Observations.of([(20, 15, 0.5, 0), (10, 5, -0.5, ALL_INSTRUMENTS)]).values.tolist()
        [-0.5, 0.5]
        """
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        known_ms, published_ms, lane = (np.array(columns[k], np.int64) for k in (0, 1, 3))
        values = np.array(columns[2], np.float64)
        order = np.lexsort((lane, values, published_ms, known_ms))
        return cls(known_ms[order], published_ms[order], values[order], lane[order])

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.known_ms)

    def __getitem__(self, rows: slice | Bools | I64) -> Observations:
        """Return the rows of a slice, a mask or an index array."""
        return Observations(
            self.known_ms[rows], self.published_ms[rows], self.values[rows], self.lane[rows]
        )

    def about(self, lane: int) -> Observations:
        """Return what counts for one instrument: its own rows and those about all."""
        return self[(self.lane == lane) | (self.lane == ALL_INSTRUMENTS)]

    def between(self, from_ms: int, to_ms: int) -> int:
        """Return how many rows become known in a window, both ends included."""
        return int(((self.known_ms >= from_ms) & (self.known_ms <= to_ms)).sum())

    def until(self, now_ms: int) -> Observations:
        """Return what is known at an instant."""
        return self[: int(np.searchsorted(self.known_ms, now_ms, side="right"))]


SeriesHistory = tuple[Observations, ...]
"""Observations of several series, in the order of their specs."""

NO_HISTORY: SeriesHistory = ()

NO_OBSERVATIONS = Observations.of([])
