"""The columns of a series of values: the last known one, its change and its age."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.series import SentimentSpec, ValueSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.features.columns import column_names, columns_hash, require_same_columns
from ares.kernel.features.last_value import CHANGE, N_VALUE, VALUE, VALUE_AGE_HOURS, value_names
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.series import (
    OBSERVATION,
    all_columns,
    apply_observation,
    apply_rows,
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


def test_an_event_is_folded_into_the_instruments_and_the_series_that_it_names() -> None:
    rows = np.array([(1, 1, 5.0, 1, 0), (2, 2, 6.0, 0, 1), (3, 3, 7.0, 1, -1)], OBSERVATION)
    state = series_state(SPEC, 2)
    apply_rows(state, rows, 1, weights_of(SPEC), 9)
    assert state["value"].tolist() == [7.0, 7.0]
    assert state["previous_ms"].tolist() == [1, 0]
    assert state["until_ms"].tolist() == [9, 9]


def test_series_are_side_by_side_in_the_order_of_their_specs() -> None:
    specs = (SentimentSpec(), SPEC, ValueSpec("index"))
    now_ms = np.array([START_MS + HOUR_MS])
    columns = all_columns((at((0, 0, 0.5)), at((0, 0, 3.0)), at((1, 1, 4.0))), specs, 0, now_ms)
    assert columns.shape == (1, 6 + 3 + 3)
    assert columns[0, 6] == 3.0
    assert columns[0, 9] == 4.0
    names = column_names(None, specs)
    assert names[-6:] == (*value_names("funding"), *value_names("index"))


def test_the_hash_names_families_and_a_model_goes_with_the_same_columns_only() -> None:
    one, both = columns_hash(None, [SPEC]), columns_hash(None, [SentimentSpec(), SPEC])
    assert columns_hash(None, [SPEC, ValueSpec("index")]) == one
    assert len({one, both, columns_hash(None), columns_hash(None, [SentimentSpec()])}) == 4
    for hash_ in (one, both):
        require_same_columns("m", (), hash_, None)
    names = column_names(None, [SPEC])
    with pytest.raises(Exception, match="other features than this version"):
        require_same_columns("m", names, "of another version", None, [SPEC])
