"""Purged walk-forward: nothing that is tested was known while its model was fitted."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.learn.splits import known_before, stopping_slice, walk_forward

HOUR = 3_600_000


@st.composite
def decisions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw decision times (several instruments may share one) with labels of varied length."""
    steps = draw(st.lists(st.integers(0, 30), min_size=1, max_size=300))
    decided = np.cumsum(np.array(steps, np.int64)) * HOUR
    lengths = draw(st.lists(st.integers(1, 80), min_size=len(steps), max_size=len(steps)))
    return decided, decided + np.array(lengths, np.int64) * HOUR


@settings(deadline=None)
@given(decisions(), st.integers(1, 8), st.integers(0, 40))
def test_no_training_label_reaches_into_its_test_fold(
    rows: tuple[np.ndarray, np.ndarray], folds: int, embargo_bars: int
) -> None:
    decided, ends = rows
    for split in walk_forward(decided, ends, folds, embargo_bars * HOUR):
        first_tested = decided[split.test].min()
        assert ends[split.train].max() <= first_tested - embargo_bars * HOUR
        assert decided[split.train].max() < first_tested


@settings(deadline=None)
@given(decisions(), st.integers(1, 8), st.integers(0, 40))
def test_every_row_is_tested_at_most_once_and_folds_keep_their_order(
    rows: tuple[np.ndarray, np.ndarray], folds: int, embargo_bars: int
) -> None:
    decided, ends = rows
    splits = walk_forward(decided, ends, folds, embargo_bars * HOUR)
    tested = np.concatenate([split.test for split in splits]) if splits else np.empty(0)
    assert len(splits) <= folds
    assert len(np.unique(tested)) == len(tested)
    assert np.all(np.diff(tested) > 0)
    for split in splits:
        assert np.all((decided[split.test] >= split.from_ms) & (decided[split.test] < split.to_ms))


@settings(deadline=None)
@given(decisions(), st.integers(1, 8))
def test_rows_of_one_instant_are_never_parted(
    rows: tuple[np.ndarray, np.ndarray], folds: int
) -> None:
    decided, ends = rows
    for split in walk_forward(decided, ends, folds, 0):
        assert not np.isin(decided[split.train], decided[split.test]).any()
        inside = (decided >= split.from_ms) & (decided < split.to_ms)
        assert np.array_equal(np.flatnonzero(inside), split.test)


@settings(deadline=None)
@given(decisions(), st.integers(0, 40))
def test_stopping_slice_is_later_and_purged(
    rows: tuple[np.ndarray, np.ndarray], embargo_bars: int
) -> None:
    decided, ends = rows
    head, tail = stopping_slice(decided, ends, embargo_bars * HOUR)
    assert len(head) > 0
    assert not np.isin(head, tail).any()
    if len(tail):
        assert ends[head].max() <= decided[tail].min() - embargo_bars * HOUR


def test_a_plain_walk_expands_and_covers_all_but_the_first_share() -> None:
    decided = np.arange(1000, dtype=np.int64) * HOUR
    splits = walk_forward(decided, decided + 12 * HOUR, folds=5, embargo_ms=12 * HOUR)
    assert [len(split.test) for split in splits] == [150] * 5
    assert [len(split.train) for split in splits] == [227, 377, 527, 677, 827]
    assert splits[0].test[0] == 250
    assert splits[-1].test[-1] == 999


def test_known_before_counts_a_label_that_ends_at_the_instant() -> None:
    decided, ends = np.array([0, 1, 2, 3]), np.array([2, 3, 3, 9])
    assert known_before(decided, ends, 3).tolist() == [0, 1, 2]


def test_nothing_gives_no_splits() -> None:
    none = np.empty(0, np.int64)
    assert walk_forward(none, none, 5, 0) == []
    head, tail = stopping_slice(none, none, 0)
    assert len(head) == len(tail) == 0
