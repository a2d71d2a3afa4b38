"""Checks of a member: outputs must be probabilities, and must not depend on the batch."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ares.kernel.bars import F64
from ares.learn.parity import LIMIT, Scorer
from ares.learn.rows import F32
from ares.runtime.validation.member_checks import imported_parity, latency_us

ROWS = np.random.default_rng(1).standard_normal((50, 3)).astype(np.float32)


def sigmoid(x: F32) -> F64:
    with np.errstate(invalid="ignore", over="ignore"):
        p: F64 = 1.0 / (1.0 + np.exp(-x[:, 0].astype(np.float64)))
    return p


def in_batch(x: F32) -> F64:
    """Score a row by its batch: as a graph with a norm over the rows does."""
    return sigmoid(x) + (1e-3 if len(x) > 1 else 0.0)


def above_one(x: F32) -> F64:
    return np.where(x[:, 0] == ROWS[7, 0], 1.25, sigmoid(x))


def unknown(x: F32) -> F64:
    return np.where(x[:, 0] == ROWS[7, 0], np.nan, sigmoid(x))


def test_a_graph_that_scores_each_row_by_itself_passes() -> None:
    found = imported_parity(sigmoid, ROWS)
    assert found.passed
    assert (found.rows, found.difference_max, found.limit) == (57, 0.0, LIMIT)  # 7 extreme rows


@pytest.mark.parametrize("graph", [above_one, unknown])
def test_outputs_that_are_no_probabilities_are_infinitely_wrong(graph: Scorer) -> None:
    found = imported_parity(graph, ROWS)
    assert not found.passed
    assert found.difference_max == math.inf


def test_a_score_that_depends_on_the_other_rows_is_caught() -> None:
    found = imported_parity(in_batch, ROWS)
    assert not found.passed
    assert found.difference_max == pytest.approx(1e-3)


def test_the_latency_is_of_single_rows_and_unknown_without_any() -> None:
    sizes: list[int] = []

    def graph(x: F32) -> F64:
        sizes.append(len(x))
        return sigmoid(x)

    assert latency_us(graph, ROWS) > 0.0
    assert sizes == [1] * 50
    assert math.isnan(latency_us(graph, ROWS[:0]))
