"""Scores of several timeframes become one output: against the formulas written out in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.domain.model import Ensemble, Member
from ares.domain.timeframe import HOUR_MS, MINUTE_MS, Timeframe
from ares.kernel.ensemble import Scores, aggregate_history, slot_records

START_MS = 1_700_006_400_000
FRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1)
COST_NOW = 25.0


def ensemble(
    weights: dict[Timeframe, float], anchor: Timeframe = Timeframe.M5, **changes: Any
) -> Ensemble:
    """Return an ensemble with these weights."""
    members = tuple(Member(t, f"m{t}", "1", f"h{t}", weight) for t, weight in weights.items())
    values: dict[str, Any] = {
        "platt_a": 1.5, "platt_b": -0.2, "horizon_bars": 16, "width_sigmas": 1.2,
        "width_min_bps": 30.0, "gain": 0.9, "loss": 0.7, "cost_bps": 22.0,
    }  # fmt: skip
    return Ensemble(
        instrument="test:A/B", members=members, anchor=anchor, recipe_hash="r", features_hash="f",
        **(values | changes),
    )  # fmt: skip


def scores(timeframe: Timeframe, n: int, seed: int, holes: float = 0.0) -> Scores:
    """Return random scores of bars that close on the timeframe's grid."""
    draw = np.random.default_rng(seed)
    close_ms = START_MS // timeframe.ms * timeframe.ms + timeframe.ms * np.arange(1, n + 1)
    keep = draw.random(n) >= holes
    p = np.where(draw.random(n) < holes, np.nan, draw.random(n))
    sigma = np.where(draw.random(n) < holes / 4, np.nan, draw.uniform(1e-4, 5e-3, n))
    return Scores(close_ms[keep].astype(np.int64), p[keep], sigma[keep])


def outputs_by_hand(
    now_ms: int, combined: Ensemble, series: dict[Timeframe, Scores]
) -> tuple[float, float, float]:
    """Return (p, edge, width) at ``now_ms`` as the ensemble's docstring reads."""
    weights, votes, sigma = [], [], math.nan
    for member in combined.members:
        known = series[member.timeframe]
        newest = int(np.searchsorted(known.close_ms, now_ms, side="right")) - 1
        if newest < 0:
            continue
        if member.timeframe == combined.anchor:
            sigma = float(known.sigma[newest])
        stale = now_ms - known.close_ms[newest] >= 2 * member.timeframe.ms
        if not stale and not np.isnan(known.p[newest]):
            weights.append(member.weight)
            votes.append(float(known.p[newest]))
    if sum(weights) < 0.5 or math.isnan(sigma):
        return (math.nan,) * 3
    mean = float(np.clip(np.average(votes, weights=weights), 1e-6, 1 - 1e-6))
    p = 1 / (1 + math.exp(-(combined.platt_a * math.log(mean / (1 - mean)) + combined.platt_b)))
    width = max(
        combined.width_sigmas * sigma * math.sqrt(combined.horizon_bars) * 1e4,
        combined.width_min_bps,
    )
    edge = width * (p * combined.gain - (1 - p) * combined.loss) - (COST_NOW - combined.cost_bps)
    return p, edge, width


def aggregated(
    close_ms: np.ndarray, ensembles: list[Ensemble | None], series: list[dict[Timeframe, Scores]]
) -> np.ndarray:
    """Return (3, n_bars, n_instruments)."""
    table = [[row.get(t) for t in FRAMES] for row in series]
    outputs = aggregate_history(close_ms, table, slot_records(ensembles, FRAMES), FRAMES, COST_NOW)
    return np.stack(outputs)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.6]), st.sampled_from(FRAMES))
def test_outputs_are_those_of_the_formulas(seed: int, holes: float, anchor: Timeframe) -> None:
    close_ms = START_MS + MINUTE_MS * np.arange(1, 301, dtype=np.int64)
    draw = np.random.default_rng(seed)
    ensembles, series = [], []
    for i in range(2):
        raw = draw.random(len(FRAMES)) + 0.01
        weights = dict(zip(FRAMES, (raw / raw.sum()).tolist(), strict=True))
        ensembles.append(ensemble(weights, anchor))
        series.append(
            {t: scores(t, 300 * MINUTE_MS // t.ms, seed + i + t.ms, holes) for t in FRAMES}
        )
    got = aggregated(close_ms, list(ensembles), series)
    wanted = np.array(
        [
            [
                outputs_by_hand(int(ms), combined, s)
                for combined, s in zip(ensembles, series, strict=True)
            ]
            for ms in close_ms
        ]
    ).transpose(2, 0, 1)
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    assert got == pytest.approx(wanted, rel=1e-12, abs=1e-9, nan_ok=True)


def test_no_score_is_used_before_its_bar_has_closed() -> None:
    weights = dict.fromkeys(FRAMES, 0.25)
    series = {t: scores(t, 300 * MINUTE_MS // t.ms, t.ms) for t in FRAMES}
    close_ms = START_MS + MINUTE_MS * np.arange(1, 301, dtype=np.int64)
    whole = aggregated(close_ms, [ensemble(weights)], [series])
    cut_ms = int(close_ms[123])
    past = {
        t: Scores(*(getattr(s, k)[s.close_ms <= cut_ms] for k in ("close_ms", "p", "sigma")))
        for t, s in series.items()
    }
    known = aggregated(close_ms[:124], [ensemble(weights)], [past])
    assert known.tobytes() == np.ascontiguousarray(whole[:, :124]).tobytes()


def test_a_score_is_fresh_for_less_than_two_intervals() -> None:
    combined = ensemble({Timeframe.M5: 1.0})
    only = Scores(np.array([START_MS]), np.array([0.6]), np.array([0.001]))
    close_ms = START_MS + np.array([0, MINUTE_MS, 10 * MINUTE_MS - 1, 10 * MINUTE_MS])
    p = aggregated(close_ms, [combined], [{Timeframe.M5: only}])[0, :, 0]
    assert np.isnan(p).tolist() == [False, False, False, True]
    assert p[0] == p[1] == p[2]


def test_half_of_the_weight_must_be_there() -> None:
    once = Scores(np.array([START_MS]), np.array([0.6]), np.array([0.001]))
    at = np.array([START_MS], np.int64)
    for weight, has_output in ((0.5, True), (0.4999, False)):
        combined = ensemble({Timeframe.M5: weight, Timeframe.H1: 1.0 - weight})
        p = aggregated(at, [combined], [{Timeframe.M5: once}])[0, 0, 0]
        assert np.isnan(p) != has_output


def test_what_is_missing_does_not_dilute_the_mean() -> None:
    at = np.array([START_MS], np.int64)
    once = Scores(at, np.array([0.6]), np.array([0.001]))
    combined = ensemble({Timeframe.M5: 0.7, Timeframe.H1: 0.3}, platt_a=1.0, platt_b=0.0)
    assert aggregated(at, [combined], [{Timeframe.M5: once}])[0, 0, 0] == pytest.approx(0.6)


def test_certainty_stays_finite() -> None:
    at = np.array([START_MS], np.int64)
    combined = ensemble({Timeframe.M5: 1.0})
    for p in (0.0, 1.0):
        once = Scores(at, np.array([p]), np.array([0.001]))
        assert np.isfinite(aggregated(at, [combined], [{Timeframe.M5: once}])).all()


def test_without_an_ensemble_or_scores_there_is_no_output() -> None:
    at = START_MS + HOUR_MS * np.arange(1, 4)
    outputs = aggregated(at, [None, ensemble({Timeframe.M5: 1.0})], [{}, {}])
    assert np.isnan(outputs).all()
    without_scores = Scores(at, np.full(3, np.nan), np.full(3, 0.001))
    outputs = aggregated(
        at, [ensemble({Timeframe.H1: 1.0}, Timeframe.H1)], [{Timeframe.H1: without_scores}]
    )
    assert np.isnan(outputs).all()


def test_dearer_trading_lowers_the_edge_by_the_difference() -> None:
    at = np.array([START_MS], np.int64)
    once = Scores(at, np.array([0.6]), np.array([0.001]))
    cheap, dear = (
        aggregated(at, [ensemble({Timeframe.M5: 1.0}, cost_bps=c)], [{Timeframe.M5: once}])[1, 0, 0]
        for c in (COST_NOW, COST_NOW - 7.5)
    )
    assert cheap - dear == pytest.approx(7.5)
