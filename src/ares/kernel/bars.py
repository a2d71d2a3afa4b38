"""Bars as columns: the one shape in which candles travel between store, kernel and learner."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


class BarRow(NamedTuple):
    """One candle; fields as in ``Bars``."""

    ts_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    flat: bool


class BarColumns(NamedTuple):
    """The columns of ``Bars`` as compiled functions take them, all ``(n_bars,)``."""

    ts_ms: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    flat: Bools


@dataclass(frozen=True, slots=True)
class Bars:
    """Candles of one instrument and one interval, oldest first, all arrays ``(n_bars,)``.

    ts_ms  : open time, ms since the epoch, UTC, strictly rising.
    open, high, low, close : prices in quote currency.
    volume : in base currency.
    flat   : True where the bar fills a gap (no trade: all prices the last close).
    """

    ts_ms: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    flat: Bools

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.ts_ms)

    def __getitem__(self, rows: slice | Bools | I64) -> Bars:
        """Return the bars of a slice, a mask or an index array."""
        return Bars(
            self.ts_ms[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
            self.flat[rows],
        )

    @property
    def columns(self) -> BarColumns:
        """Return the columns as one argument for compiled functions."""
        return BarColumns(
            self.ts_ms, self.open, self.high, self.low, self.close, self.volume, self.flat
        )

    def between(self, from_ms: int | None, to_ms: int | None) -> Bars:
        """Return the bars that open at or after ``from_ms`` and before ``to_ms``."""
        first = 0 if from_ms is None else int(np.searchsorted(self.ts_ms, from_ms))
        last = len(self) if to_ms is None else int(np.searchsorted(self.ts_ms, to_ms))
        return self[first:last]

    @property
    def hash(self) -> str:
        """Return the SHA-256 of times, prices and volumes."""
        digest = hashlib.sha256()
        for column in self.columns[:-1]:
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()

    @staticmethod
    def make(
        ts_ms: I64,
        open: F64,
        high: F64,
        low: F64,
        close: F64,
        volume: F64,
        flat: Bools | None = None,
    ) -> Bars:
        """Return bars with contiguous columns of the right types; ``flat`` defaults to False."""
        flags = np.zeros(len(ts_ms), np.bool_) if flat is None else np.ascontiguousarray(flat)
        return Bars(
            np.ascontiguousarray(ts_ms, np.int64),
            np.ascontiguousarray(open, np.float64),
            np.ascontiguousarray(high, np.float64),
            np.ascontiguousarray(low, np.float64),
            np.ascontiguousarray(close, np.float64),
            np.ascontiguousarray(volume, np.float64),
            flags,
        )

    @staticmethod
    def empty() -> Bars:
        """Return no bars."""
        none = np.empty(0)
        return Bars.make(np.empty(0, np.int64), none, none, none, none, none)

    @staticmethod
    def concat(parts: Sequence[Bars]) -> Bars:
        """Return the parts one after the other."""
        if not parts:
            return Bars.empty()
        columns = zip(*(part.columns for part in parts), strict=True)
        return Bars(*(np.concatenate(column) for column in columns))
