"""Tables for a model of one's own, against what Ares trains on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH, VOLATILITY_20, features_of
from ares.learn.recipe import Recipe, default_label
from ares.learn.rows import rows_of
from ares.research.dataset import features_table, labels_table
from ares.research.market import Candles

Walk = Callable[..., Candles]


def test_the_joined_tables_are_the_rows_of_a_training(walk: Walk) -> None:
    candles = walk(n=1_500, seed=3, timeframe=Timeframe.H1, step=0.006)
    table = features_of(candles.bars, Timeframe.H1, candles.bars)
    label = default_label(Timeframe.H1, 22.0, "triple_barrier", 0.5, 1.5)
    recipe = Recipe(Timeframe.H1, FEATURE_NAMES, FEATURES_HASH, label)
    expected = rows_of(
        candles.bars, table.values, table.warm, table.values[:, VOLATILITY_20], recipe
    )
    labels = labels_table(candles, cost_bps=22.0, horizon=0.5, width=1.5)
    rows = features_table(candles).filter("warm").join(labels, on="close_time")
    assert len(rows) == len(expected) > 1_000
    assert rows["close_time"].dt.epoch("ms").to_list() == expected.decided_ms.tolist()
    assert rows["end_time"].dt.epoch("ms").to_list() == expected.ends_ms.tolist()
    np.testing.assert_array_equal(rows["net"].to_numpy(), expected.net)
    np.testing.assert_array_equal(rows["won"].to_numpy(), expected.won)
    np.testing.assert_array_equal(rows.select(FEATURE_NAMES).to_numpy(), expected.x)


def test_a_reference_of_another_length_is_refused(walk: Walk) -> None:
    candles = walk(n=300, timeframe=Timeframe.H1)
    other = replace(walk(n=300, seed=2, timeframe=Timeframe.H1), timeframe=Timeframe.H4)
    with pytest.raises(UserError, match="load both with one interval"):
        features_table(candles, other)
    moved = features_table(candles, walk(n=300, seed=2, timeframe=Timeframe.H1))
    assert not moved.equals(features_table(candles))
