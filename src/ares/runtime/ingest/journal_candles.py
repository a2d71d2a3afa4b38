"""Candles of a run in real time into the store: what was traded on is what is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.domain.events import BarsClosed
from ares.domain.run import RunSetup
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.store.candles import CandleStore

INTERVALS = {timeframe.ms: timeframe.value for timeframe in Timeframe}


class JournalCandles:
    """Stores the bars of journaled instants, in batches. Flat bars stand for no trade: left out.

    source : named in the store as the origin.
    """

    def __init__(self, store: CandleStore, setup: RunSetup, source: str) -> None:
        self._store, self._source = store, source
        self._lanes = setup.instruments[: setup.n_instruments]
        self._events: list[BarsClosed] = []

    def __len__(self) -> int:
        """Return the number of instants that are not stored yet."""
        return len(self._events)

    def add(self, event: BarsClosed) -> None:
        """Take the bars of one instant."""
        self._events.append(event)

    def flush(self) -> None:
        """Store what was taken. Raises ExternalError; nothing is lost then."""
        n, events = len(self._lanes), self._events
        if not events:
            return
        close_ms = np.array([event.ts_ms for event in events], np.int64)
        ohlcv = np.frombuffer(b"".join(e.ohlcv for e in events)).reshape(-1, n, 5)
        present = _flags([e.present for e in events], n) & ~_flags([e.flat for e in events], n)
        for i, lane in enumerate(self._lanes):
            rows = np.flatnonzero(present[:, i])
            order = rows[np.argsort(close_ms[rows], kind="stable")]
            if len(order):
                bars = Bars.make(close_ms[order] - lane.base_ms, *ohlcv[order, i].T)
                self._store.save(lane.spec, INTERVALS[lane.base_ms], bars, self._source)
        events.clear()


def _flags(parts: Sequence[bytes], n: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.frombuffer(b"".join(parts), np.bool_).reshape(-1, n)
