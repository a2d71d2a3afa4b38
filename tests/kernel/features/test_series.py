"""Several external series: applied by name, written side by side, noticed when stale."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.series import SentimentSpec, ValueSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.features.columns import column_names, columns_hash, require_same_columns
from ares.kernel.features.last_value import N_VALUE, value_names
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.sentiment import N_SENTIMENT
from ares.kernel.features.series import (
    OBSERVATION,
    all_columns,
    apply_rows,
    column_names_of,
    formulas_hashes,
    series_state,
    stale_changes,
    weights_of,
    width_of,
    write_due,
)

START_MS = 1_704_067_200_000
SPEC = ValueSpec("funding", stale_ms=24 * HOUR_MS)


def at(*rows: tuple[int, int, float]) -> Observations:
    """Return values of (published, known) hours."""
    return Observations.of(
        (START_MS + known * HOUR_MS, START_MS + published * HOUR_MS, value, ALL_INSTRUMENTS)
        for published, known, value in rows
    )


def test_an_event_is_applied_into_the_instruments_and_the_series_that_it_names() -> None:
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


def test_names_widths_and_formulas_are_of_the_same_columns() -> None:
    specs = (SentimentSpec(), SPEC, ValueSpec("index"))
    names = [name for spec in specs for name in column_names_of(spec)]
    assert len(names) == len(set(names)) == width_of(specs) == N_SENTIMENT + 2 * N_VALUE
    assert len(formulas_hashes(specs)) == 2  # one for each family
    assert width_of(()) == len(formulas_hashes(())) == 0


def test_a_series_is_stale_until_it_speaks_and_again_when_it_stops() -> None:
    state, changed = series_state(SPEC, 2), np.empty(2, np.bool_)

    def seen(hours: int) -> tuple[bool, list[bool], list[int]]:
        now_ms = START_MS + hours * HOUR_MS
        some = stale_changes(state, now_ms, SPEC.stale_ms, changed)
        return some, changed.tolist(), state["stale"].tolist()

    assert seen(0) == (True, [True, True], [1, 1])  # nothing is known of either
    rows = np.array([(START_MS, START_MS, 5.0, 0, 1)], OBSERVATION)
    apply_rows(state, rows, 0, weights_of(SPEC), START_MS)
    assert seen(0) == (True, [False, True], [1, 0])
    assert seen(24) == (False, [False, False], [1, 0])  # as old as it may be
    assert seen(25) == (True, [False, True], [1, 1])


def test_the_columns_of_bars_that_closed_are_written_behind_their_other_features() -> None:
    """Of two lanes of an instrument, each has the instrument's own series."""
    state = series_state(SPEC, 2)
    rows = np.array([(START_MS, START_MS, 5.0 + k, 0, k) for k in range(2)], OBSERVATION)
    apply_rows(state, rows, 0, weights_of(SPEC), START_MS)
    features = np.full((4, 2, 2 + N_VALUE), -1.0, np.float32)
    due = np.array([[True, True], [False, True], [False, False], [True, False]])
    now_ms = START_MS + HOUR_MS
    write_due(state, now_ms, due, weights_of(SPEC), SPEC.stale_ms, features, 2, 2 + N_VALUE)
    assert (features[:, :, :2] == -1.0).all()
    assert features[due, 2].tolist() == [5.0, 5.0, 6.0, 6.0]
    assert (features[~due] == -1.0).all()


def test_a_history_goes_on_from_the_state_before_it() -> None:
    state = series_state(SPEC, 2)
    rows = np.array([(START_MS, START_MS, 5.0, 0, 1)], OBSERVATION)
    apply_rows(state, rows, 0, weights_of(SPEC), START_MS)
    before = state.tobytes()
    later = at((2, 2, 8.0))
    now_ms = START_MS + np.array([1, 2]) * HOUR_MS
    columns = [all_columns((later,), (SPEC,), lane, now_ms, [state]) for lane in (0, 1)]
    assert columns[1][:, :2].tolist()[1] == [8.0, 3.0]
    assert columns[1][0, 0] == 5.0
    assert np.isnan(columns[0][0]).all()
    assert state.tobytes() == before
