"""Evaluation: numbers that a person can check by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.learn.evaluate import area_under_curve, evaluate, non_overlapping, sentence
from ares.learn.rows import Rows
from ares.learn.walk_forward import OutOfSample

MakeRows = Callable[..., Rows]
HOUR = 3_600_000


def seen_of(rows: Rows, p: np.ndarray, edge: np.ndarray) -> OutOfSample:
    return OutOfSample(rows, p, edge)


def test_metrics_by_hand(rows: MakeRows) -> None:
    table = rows(4)
    table = replace(
        table,
        net=np.array([0.01, -0.02, 0.03, -0.01]),
        ends_ms=table.decided_ms + np.array([1, 1, 3, 1]) * HOUR,
    )
    seen = seen_of(table, np.array([0.7, 0.4, 0.6, 0.6]), np.array([10.0, 6.0, -3.0, 8.0]))
    metrics = evaluate(seen, edge_bps_min=5.0, interval_ms=HOUR, seed=0, buy_hold_bps=12.0)
    assert metrics.base_rate == 0.5
    assert metrics.accuracy == 0.75
    assert metrics.brier == pytest.approx((0.09 + 0.16 + 0.16 + 0.36) / 4)
    assert metrics.brier_skill == pytest.approx(1 - metrics.brier / 0.25)
    assert metrics.auc == pytest.approx(3.5 / 4)
    assert metrics.overlap == 2
    assert metrics.trades == 3
    assert metrics.hit_rate == pytest.approx(1 / 3)
    assert metrics.net_bps == pytest.approx(-200 / 3)
    assert metrics.net_total_bps == pytest.approx(-200)
    assert metrics.validation.trades == 3
    above_none = next(t for t in metrics.thresholds if t.kind == "edge_bps" and t.value == 40)
    assert (above_none.signals, above_none.net_bps, above_none.hit_rate) == (0, None, None)


def test_without_trades_numbers_are_missing_not_zero(rows: MakeRows) -> None:
    table = rows(300)
    seen = seen_of(table, np.full(300, 0.5), np.full(300, -1.0))
    metrics = evaluate(seen, edge_bps_min=0.0, interval_ms=HOUR, seed=0)
    assert (metrics.trades, metrics.net_bps, metrics.hit_rate, metrics.net_sd_bps) == (
        0,
        None,
        None,
        None,
    )
    assert metrics.auc == 0.5
    assert "no trades" in sentence(metrics)
    assert metrics.validation.trades == 0


def test_one_outcome_only_has_no_skill(rows: MakeRows) -> None:
    table = replace(rows(50), net=np.full(50, 0.01))
    metrics = evaluate(
        seen_of(table, np.full(50, 0.9), np.full(50, 9.0)),
        edge_bps_min=0.0,
        interval_ms=HOUR,
        seed=0,
    )
    assert metrics.brier_skill is None
    assert metrics.auc is None


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans(), st.integers(0, 2)),
        min_size=1,
        max_size=60,
    )
)
def test_entered_trades_never_overlap_and_none_is_skipped(
    drawn: list[tuple[int, int, bool, int]],
) -> None:
    decided = np.cumsum([step for step, *_ in drawn]).astype(np.int64)
    ends = decided + np.array([length for _, length, *_ in drawn])
    wanted = np.array([want for *_, want, _ in drawn])
    lane = np.array([lane for *_, lane in drawn], np.int32)
    n = len(drawn)
    table = Rows(np.zeros((n, 1), np.float32), decided, ends, np.zeros(n), np.ones(n), lane)
    taken = non_overlapping(table, wanted)
    assert wanted[taken].all()
    for one in range(3):
        own = taken[lane[taken] == one]
        assert np.all(decided[own[1:]] >= ends[own[:-1]])
        for place in np.flatnonzero(wanted & (lane == one)):
            busy = any(decided[k] <= decided[place] < ends[k] for k in own)
            assert busy or place in own


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_area_under_the_curve_counts_pairs(drawn: list[tuple[int, bool]]) -> None:
    p = np.array([value for value, _ in drawn], np.float64)
    won = np.array([outcome for _, outcome in drawn])
    pairs = [(a > b) + 0.5 * (a == b) for a in p[won] for b in p[~won]]
    expected = float(np.mean(pairs)) if pairs else None
    assert area_under_curve(p, won) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mean", "trades", "starts"),
    [
        (-20.0, 100, "No edge after costs"),
        (5.0, 100, "No evidence of an edge"),
        (60.0, 5, "No evidence of an edge"),
        (60.0, 400, "Evidence of an edge"),
    ],
)
def test_the_sentence_claims_no_more_than_the_numbers(
    rows: MakeRows, mean: float, trades: int, starts: str
) -> None:
    table = rows(300, skill=1.0)
    p = np.where(table.won, 0.6, 0.4)
    base = evaluate(
        seen_of(table, p, np.full(300, 9.0)), edge_bps_min=0.0, interval_ms=HOUR, seed=0
    )
    metrics = msgspec.structs.replace(base, trades=trades, net_bps=mean, net_sd_bps=100.0)
    assert sentence(metrics).startswith(starts)
