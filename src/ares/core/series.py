"""External series in the engine: applied as events, written for the models at each close.

A series that stops is a fact of its own, and so is its return.
"""

from __future__ import annotations

import numpy as np

from ares.core.state import State
from ares.domain.events import Effect, SeriesPublished, SeriesRestored, SeriesStale
from ares.domain.run import RunSetup
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import F64, Bools
from ares.kernel.features import N_FEATURES
from ares.kernel.features.series import (
    OBSERVATION,
    apply_rows,
    series_state,
    stale_changes,
    weights_of,
    width_of,
    write_due,
)
from ares.kernel.trade.layout import Records

NEVER_MS = 2**62


def first_series(setup: RunSetup) -> tuple[Records, ...]:
    """Return the state of each series of a run before any value is known."""
    return tuple(series_state(spec, setup.n_instruments) for spec in setup.series)


def series_weights(setup: RunSetup) -> tuple[F64, ...]:
    """Return the weights by age of each series of a run."""
    return tuple(weights_of(spec) for spec in setup.series)


def n_columns(setup: RunSetup) -> int:
    """Return how many columns a row of features has: the kernel's, the user's, then the series'."""
    return N_FEATURES + len(setup.user_features) + width_of(setup.series)


def on_series(state: State, event: SeriesPublished) -> None:
    """Apply what has become known."""
    rows = np.frombuffer(event.rows, OBSERVATION)
    for s, (records, weights) in enumerate(zip(state.series, state.weights, strict=True)):
        apply_rows(records, rows, s, weights, event.ts_ms)


def known_until_ms(state: State) -> int:
    """Return the instant of the last event of series that a state has taken in."""
    return int(max(records["until_ms"].max() for records in state.series))


def write_series(state: State, now_ms: int) -> None:
    """Write the series' columns, the last ones, of the bars that closed now."""
    _write(state, now_ms, state.scratch.rows.due)


def write_series_after(state: State, after_ms: int) -> None:
    """Write the series' columns of the newest bars that closed after an instant, each as of its
    close; nothing has become known since then.
    """
    close_ms = state.latest.close_ms
    for now_ms in np.unique(close_ms[close_ms > after_ms]).tolist():
        _write(state, now_ms, close_ms == now_ms)


def _write(state: State, now_ms: int, due: Bools) -> None:
    end = state.features.shape[2] - width_of(state.setup.series)
    for spec, records, weights in zip(state.setup.series, state.series, state.weights, strict=True):
        first, end = end, end + width_of([spec])
        write_due(
            records,
            now_ms,
            due,
            weights,
            spec.stale_ms,
            state.features,
            first,
            end,
        )


def series_facts(state: State, now_ms: int) -> list[Effect]:
    """Return a fact for each series and instrument that has become stale, or has values again."""
    facts: list[Effect] = []
    for spec, records in zip(state.setup.series, state.series, strict=True):
        changed = np.empty(len(records), np.bool_)
        if stale_changes(records, now_ms, spec.stale_ms, changed):
            facts += [
                series_fact(
                    spec.name, i, now_ms, int(records["newest_ms"][i]), bool(records["stale"][i])
                )
                for i in np.flatnonzero(changed).tolist()
            ]
    return facts


def series_quiet_until_ms(state: State, now_ms: int) -> int:
    """Return from which closing instant on ``series_facts`` has something to tell, as long as
    nothing becomes known; ``now_ms``: at once.
    """
    until_ms = NEVER_MS
    for spec, records in zip(state.setup.series, state.series, strict=True):
        for newest_ms, was_stale in records[["newest_ms", "stale"]].tolist():
            stale = newest_ms == 0 or now_ms - newest_ms > spec.stale_ms
            if stale != bool(was_stale):
                return now_ms
            if not stale:
                until_ms = min(until_ms, newest_ms + spec.stale_ms + 1)
    return until_ms


def series_fact(series: str, i: int, now_ms: int, newest_ms: int, stale: bool) -> Effect:
    """Return the fact that a series of instrument ``i`` is stale from now on, or has values."""
    age_hours = (now_ms - newest_ms) / HOUR_MS if newest_ms else float("nan")
    return (SeriesStale if stale else SeriesRestored)(series, i, now_ms, age_hours)
