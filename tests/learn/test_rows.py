"""Rows: made from bars, pooled, and how many have correlated outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ares.kernel.bars import Bars
from ares.learn.recipe import Recipe
from ares.learn.rows import F32, Rows, pooled, rows_of

MakeRows = Callable[..., Rows]
HOUR = 3_600_000


def test_rows_are_correlated_while_a_trade_lasts_and_across_instruments(rows: MakeRows) -> None:
    one = rows(600)
    one = replace(one, ends_ms=one.decided_ms + 6 * 3_600_000)
    assert one.overlap(3_600_000) == 6
    both = pooled([one, replace(one, lane=np.ones(600, np.int32))])
    assert both.overlap(3_600_000) == 12
    assert one[slice(0, 0)].overlap(3_600_000) == 1


def test_pooled_rows_are_in_time_and_keep_their_lanes(rows: MakeRows) -> None:
    parts = [replace(rows(50, seed=k), lane=np.full(50, k, np.int32)) for k in range(3)]
    table = pooled(parts)
    assert np.all(np.diff(table.decided_ms) >= 0)
    assert table.lane[:6].tolist() == [0, 1, 2, 0, 1, 2]
    assert len(table.newest(10)) == 12  # the rows of one instant stay together
    assert len(table.newest(1000)) == 150


def test_rows_are_correlated_by_the_length_of_their_trades() -> None:
    """Half of the trades last 2 rows, half 10: a row shares with more than the mean of 6."""
    decided = np.arange(1000, dtype=np.int64) * HOUR
    ends = decided + np.where(np.arange(1000) % 2 == 0, 2, 10) * HOUR
    flat = np.zeros(1000)
    made = Rows(np.empty((1000, 0), np.float32), decided, ends, flat, flat, flat.astype(np.int32))
    assert made.overlap(HOUR) == round((2**2 + 10**2) / (2 + 10))
    assert made[:0].overlap(HOUR) == 1


def test_rows_use_nothing_outside_their_window(recipe: Recipe) -> None:
    draw = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(0.01 * draw.normal(size=400)))
    bars = Bars.make(np.arange(400) * HOUR, close, close, close, close, close)
    values: F32 = draw.normal(size=(400, 12)).astype(np.float32)
    warm = np.arange(400) >= 50
    sigma = np.full(400, 0.01)
    table = rows_of(bars, values, warm, sigma, recipe, 100 * HOUR, 300 * HOUR)
    assert table.decided_ms[0] == 101 * HOUR
    assert table.ends_ms.max() <= 300 * HOUR
    late = replace(bars, close=np.where(bars.ts_ms >= 300 * HOUR, 1.0, bars.close))
    assert rows_of(late, values, warm, sigma, recipe, 100 * HOUR, 300 * HOUR).hash == table.hash
    cold = rows_of(bars, values, warm, sigma, recipe)
    assert cold.decided_ms[0] == 51 * HOUR
