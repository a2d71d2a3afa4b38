"""External series in real time: what has become known since the last instant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import numpy as np

from ares.domain.events import SeriesPublished
from ares.kernel.features.observations import Observations, SeriesHistory
from ares.runtime.engine.series import series_event

POLL_S = 5.0
OVERLAP_MS = 6 * 3_600_000
"""Rows may be stored so long after the time that they are known since."""


class KnownSeries(Protocol):
    """External series of a run."""

    async def run(self) -> None:
        """Keep up with what becomes known, until cancelled."""

    def until(self, ts_ms: int) -> SeriesPublished | None:
        """Return what has become known since the last call, up to an instant."""


class _NoSeries:
    async def run(self) -> None:
        """Nothing is there to keep up with."""

    def until(self, ts_ms: int) -> SeriesPublished | None:
        """Return nothing."""
        del ts_ms
        return None


NO_SERIES: KnownSeries = _NoSeries()


class PolledSeries:
    """Rows of a store, read again every few seconds in a thread.

    load     : returns the rows of each series that are known since an instant or later.
    after_ms : until then everything was taken in.
    say      : called with one line where the store cannot be read.
    """

    def __init__(
        self,
        load: Callable[[int], SeriesHistory],
        after_ms: int,
        say: Callable[[str], None] = lambda _: None,
        poll_s: float = POLL_S,
    ) -> None:
        self._load, self._after_ms, self._say, self._poll_s = load, after_ms, say, poll_s
        self._history: SeriesHistory = ()
        self._given: dict[tuple[int, int, int, float], int] = {}
        self._failed = False

    async def run(self) -> None:
        """Read, wait, read again."""
        while True:
            try:
                self._take(await asyncio.to_thread(self._load, self._after_ms - OVERLAP_MS))
                self._failed = False
            except Exception as error:  # the engine goes on with what it knows
                if not self._failed:
                    self._say(f"external series cannot be read: {error}")
                self._failed = True
            await asyncio.sleep(self._poll_s)

    def _take(self, history: SeriesHistory) -> None:
        """Take what was read; of the first time, what was known before counts as given."""
        is_first = not self._history
        self._history = history
        for s, rows in enumerate(history if is_first else ()):
            self._fresh(s, rows.until(self._after_ms))

    def until(self, ts_ms: int) -> SeriesPublished | None:
        """Return what has become known since the last call, up to an instant.

        A row that was stored after its time counts from now on: it was not known before.
        """
        if ts_ms <= self._after_ms:
            return None
        fresh = tuple(self._fresh(s, rows.until(ts_ms)) for s, rows in enumerate(self._history))
        event = series_event(fresh, self._after_ms, ts_ms)
        self._after_ms = ts_ms
        oldest_ms = ts_ms - 2 * OVERLAP_MS
        self._given = {key: ms for key, ms in self._given.items() if ms > oldest_ms}
        return event

    def _fresh(self, s: int, rows: Observations) -> Observations:
        """Return the rows of a series that were not given yet, known after the last instant."""
        new = np.zeros(len(rows), np.bool_)
        for k in range(len(rows)):
            known_ms = int(rows.known_ms[k])
            key = (s, int(rows.lane[k]), int(rows.published_ms[k]), float(rows.values[k]))
            if key in self._given or known_ms <= self._after_ms - OVERLAP_MS:
                continue
            self._given[key], new[k] = known_ms, True
        part = rows[new]
        from_now_ms = np.maximum(part.known_ms, self._after_ms + 1)
        return Observations.of(
            zip(
                from_now_ms.tolist(), part.published_ms.tolist(), part.values.tolist(),
                part.lane.tolist(), strict=True,
            )
        )  # fmt: skip
