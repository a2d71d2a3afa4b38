"""The external series of a run: as the events it takes in, and as columns computed as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ares.core.series import known_until_ms, series_fact
from ares.core.state import State
from ares.domain.events import Effect, SeriesPublished
from ares.kernel.bars import I64
from ares.kernel.features.observations import NO_OBSERVATIONS, Observations, SeriesHistory
from ares.kernel.features.series import OBSERVATION, all_columns


def series_event(history: SeriesHistory, after_ms: int, until_ms: int) -> SeriesPublished | None:
    """Return what becomes known after an instant, up to another: of the bars that may use it."""
    tables = []
    for s, observations in enumerate(history):
        first, end = np.searchsorted(
            observations.known_ms, [after_ms, until_ms], side="right"
        ).tolist()
        if first < end:
            part = observations[first:end]
            table = np.empty(end - first, OBSERVATION)
            table["known_ms"], table["published_ms"] = part.known_ms, part.published_ms
            table["value"], table["series"], table["instrument"] = part.values, s, part.lane
            tables.append(table.tobytes())
    return SeriesPublished(until_ms, b"".join(tables)) if tables else None


def is_folded(state: State, event: SeriesPublished) -> bool:
    """Return whether a state has taken an event in: a restart may come between it and its bars."""
    return known_until_ms(state) >= event.ts_ms


def history_of_events(events: Sequence[SeriesPublished], n_series: int) -> SeriesHistory:
    """Return the observations of each series that a run was given."""
    rows = np.frombuffer(b"".join(event.rows for event in events), OBSERVATION)
    parts = [rows[rows["series"] == s] for s in range(n_series)]
    names = ("known_ms", "published_ms", "value", "instrument")
    return tuple(
        Observations.of(zip(*(part[name].tolist() for name in names), strict=True))
        if len(part)
        else NO_OBSERVATIONS
        for part in parts
    )


def run_columns(
    first: State, history: SeriesHistory, lane: int, now_ms: I64
) -> NDArray[np.float32] | None:
    """Return (n, n_columns) the series' columns of a lane at instants; None: the run has no series.

    first : a state before these observations, whose own come before them.
    """
    if not first.series:
        return None
    i = lane % first.setup.n_instruments
    return all_columns(history, first.setup.series, i, now_ms, first.series)


def series_facts_of(first: State, history: SeriesHistory, now_ms: I64) -> list[Effect]:
    """Return every time that a series became stale or had values again, at these decisions."""
    found: list[tuple[tuple[int, int, int], Effect]] = []
    for s, spec in enumerate(first.setup.series):
        for i, record in enumerate(first.series[s]):
            own = history[s].about(i)
            newest = np.maximum.accumulate(np.append(record["newest_ms"], own.published_ms))
            known = newest[np.searchsorted(own.known_ms, now_ms, side="right")]
            stale = (known == 0) | (now_ms - known > spec.stale_ms)
            before = np.append(record["stale"] == 1, stale[:-1])
            for t in np.flatnonzero(stale != before).tolist():
                fact = series_fact(spec.name, i, int(now_ms[t]), int(known[t]), bool(stale[t]))
                found.append(((t, s, i), fact))
    return [fact for _, fact in sorted(found, key=lambda row: row[0])]
