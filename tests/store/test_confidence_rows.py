"""A row of confidence where score, mode or mode confidence changes, in batches of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ares.domain.utc import utc_sql
from ares.store.confidence_rows import ConfidenceRows, sql_times

NAN = float("nan")


def outputs(*rows: tuple[float, float, float, float]) -> Any:
    """Return decisions of one lane: probability, edge, mode confidence, mode."""
    return np.array(
        [[[p], [edge], [0.0], [confidence], [mode]] for p, edge, confidence, mode in rows]
    )


STORY = outputs(
    (NAN, 0.0, 0.5, 0.0),
    (0.6, 5.0, 0.5, 0.0),
    (0.6, 6.0, 0.5, 0.0),  # only the edge
    (0.6, 6.0, 0.5, 1.0),  # mode
    (NAN, 6.0, 0.5, 0.0),  # no score: no row
    (0.6, 6.0, 0.5, 1.0),  # as before the silence
    (0.6, 6.0, 0.7, 1.0),  # mode confidence
    (0.4, -6.0, 0.7, 1.0),  # score
)
WANTED = [1, 3, 6, 7]


@pytest.mark.parametrize("batch", range(1, 9))
def test_a_row_where_something_changes(batch: int) -> None:
    made = ConfidenceRows("paper", ["BTC/USDT"])
    found: list[Any] = []
    for first in range(0, len(STORY), batch):
        part = STORY[first : first + batch]
        at = range(first, first + len(part))
        found += made.rows(list(at), [1_000 * k for k in at], part, ["champion"])
    assert [row[1] for row in found] == WANTED
    assert found[0] == (
        "paper", 1, "BTC/USDT", "1970-01-01 00:00:01", 0.6, 5.0, 0.5, "LEARNING", "champion",
    )  # fmt: skip
    assert [row[7] for row in found] == ["LEARNING", "TRADING", "TRADING", "TRADING"]


def test_lanes_are_compared_each_with_its_own() -> None:
    two = np.concatenate([STORY, STORY[::-1]], axis=2)
    made = ConfidenceRows("paper", ["A", "B"])
    found = made.rows(list(range(8)), [0] * 8, two, ["champion", "challenger"])
    assert [row[1] for row in found if row[2] == "A"] == WANTED
    assert [row[1] for row in found if row[2] == "B"] == [0, 1, 2, 5]
    assert {row[8] for row in found if row[2] == "B"} == {"challenger"}


def test_a_lane_that_holds_another_model_has_a_row_at_its_next_score() -> None:
    made = ConfidenceRows("paper", ["A", "B"])
    same = np.repeat(STORY[1:2], 2, axis=2)
    assert len(made.rows([1], [0], same, ["champion"] * 2)) == 2
    assert made.rows([2], [0], same, ["champion"] * 2) == []
    made.forget([1])
    assert [row[2] for row in made.rows([3], [0], same, ["champion"] * 2)] == ["B"]


def test_times_are_those_of_utc_sql() -> None:
    times_ms = np.array([0, 999, 59_000, 1_679_000_400_000, 4_102_444_799_999])
    assert sql_times(times_ms) == [utc_sql(ts_ms) for ts_ms in times_ms.tolist()]
    assert sql_times(np.array([], np.int64)) == []
