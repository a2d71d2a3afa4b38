"""The columns of a series of values: the last known one, its change and its age."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.series import ValueSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.features.last_value import CHANGE, N_VALUE, VALUE, VALUE_AGE_HOURS
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.series import (
    apply_observation,
    series_columns,
    series_state,
    series_step,
    weights_of,
)

START_MS = 1_704_067_200_000
SPEC = ValueSpec("funding", stale_ms=24 * HOUR_MS)


def at(*rows: tuple[int, int, float]) -> Observations:
    """Return values of (published, known) hours."""
    return Observations.of(
        (START_MS + known * HOUR_MS, START_MS + published * HOUR_MS, value, ALL_INSTRUMENTS)
        for published, known, value in rows
    )


def by_hand(rows: list[tuple[int, int, float]], now: int) -> list[float]:
    known = sorted((published, value) for published, when, value in rows if when <= now)
    if not known or now - known[-1][0] > 24:
        return [math.nan] * N_VALUE
    change = known[-1][1] - known[-2][1] if len(known) > 1 else math.nan
    return [known[-1][1], change, float(now - known[-1][0])]


def test_a_value_is_used_from_the_instant_on_at_which_it_is_known() -> None:
    values = at((0, 2, 5.0), (3, 4, 7.0))
    columns = series_columns(values, SPEC, START_MS + np.arange(6) * HOUR_MS)
    assert np.isnan(columns[:2]).all()
    assert columns[2, VALUE] == 5.0
    assert np.isnan(columns[2, CHANGE])
    assert columns[2:, VALUE_AGE_HOURS].tolist() == [2.0, 3.0, 1.0, 2.0]
    assert columns[4, [VALUE, CHANGE]].tolist() == [7.0, 2.0]


def test_a_stale_value_is_missing_and_comes_back() -> None:
    values = at((0, 0, 5.0), (40, 40, 7.0))
    columns = series_columns(values, SPEC, START_MS + np.array([24, 25, 40]) * HOUR_MS)
    assert columns[0, VALUE] == 5.0
    assert np.isnan(columns[1]).all()
    assert columns[2].tolist() == [7.0, 2.0, 0.0]


ROWS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 30), st.integers(-9, 9)),
    max_size=20,
    unique_by=lambda row: row[0],
)


@given(ROWS)
def test_the_columns_are_their_formulas_however_late_a_value_is_known(
    rows: list[tuple[int, int, int]],
) -> None:
    late = [(published, published + lag, float(value)) for published, lag, value in rows]
    hours = np.arange(0, 100)
    columns = series_columns(at(*late), SPEC, START_MS + hours * HOUR_MS)
    wanted = np.array([by_hand(late, int(hour)) for hour in hours], np.float32)
    np.testing.assert_array_equal(columns, wanted)


def test_step_equals_scan_to_the_bit() -> None:
    draw = np.random.default_rng(3)
    published = START_MS + np.sort(draw.integers(0, 300 * HOUR_MS, 80))
    known = published + draw.integers(0, 9 * HOUR_MS, 80)
    rows = zip(known, published, draw.standard_normal(80), [ALL_INSTRUMENTS] * 80, strict=True)
    values = Observations.of(rows)
    now_ms = START_MS + np.arange(0, 320 * HOUR_MS, HOUR_MS // 2)
    scanned = series_columns(values, SPEC, now_ms)
    state, weights, row = series_state(SPEC, 2), weights_of(SPEC), 0
    out = np.empty(N_VALUE, np.float32)
    for t, now in enumerate(now_ms.tolist()):
        while row < len(values) and values.known_ms[row] <= now:
            known_ms, published_ms = int(values.known_ms[row]), int(values.published_ms[row])
            apply_observation(state, 1, known_ms, published_ms, float(values.values[row]), weights)
            row += 1
        series_step(state, 1, now, weights, SPEC.stale_ms, out)
        assert out.tobytes() == scanned[t].tobytes()
    assert state[0]["newest_ms"] == 0
