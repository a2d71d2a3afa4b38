"""Joining timeframes: as the engine aggregates, judged on what calibrated nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.ensemble import Scores
from ares.learn.ensemble import (
    CALIBRATED_SHARE,
    anchor_of,
    calibrate_aggregate,
    ensemble_recipe_hash,
    normalised_weights,
)
from ares.learn.recipe import LabelRecipe
from ares.learn.walk_forward import TooFewRowsError

M15, H1 = Timeframe.M15, Timeframe.H1
LABEL = LabelRecipe(horizon_bars=6, width_min_bps=33.0, cost_bps=10.0)
WEIGHTS = {M15: 0.4, H1: 0.6}


def world(
    hours: int = 1200, skill: float = 0.3, seed: int = 1
) -> tuple[Bars, dict[Timeframe, Scores]]:
    """Return quarter-hour bars that drift with a sign for six hours, and members that see it."""
    draw = np.random.default_rng(seed)
    n = hours * 4
    sign = np.repeat(draw.choice([-1.0, 1.0], hours // 6 + 1), 24)[:n]
    steps = 0.004 * draw.normal(size=n) + 0.0012 * skill / 0.3 * sign
    close = 100 * np.exp(np.cumsum(steps))
    open_ = np.concatenate([[100.0], close[:-1]])
    ts = np.arange(n, dtype=np.int64) * M15.ms
    high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999
    bars = Bars.make(ts, open_, high, low, close, np.ones(n))
    ahead = np.concatenate([sign[1:], [0.0]])
    quarter = Scores(ts + M15.ms, 0.5 + 0.15 * ahead, np.full(n, 0.004))
    hour = Scores(
        (np.arange(hours, dtype=np.int64) + 1) * H1.ms,
        0.5 + 0.15 * ahead[3::4],
        np.full(hours, 0.008),
    )
    return bars, {M15: quarter, H1: hour}


def test_a_skill_that_the_members_have_is_kept() -> None:
    bars, scores = world()
    joined = calibrate_aggregate(scores, WEIGHTS, LABEL, bars, M15.ms)
    seen = joined.out_of_sample
    high, low = seen.p > 0.5, seen.p < 0.5
    assert seen.rows.net[high].mean() > 0.002 > -0.002 > seen.rows.net[low].mean()
    assert joined.platt.a > 0.5
    assert seen.rows.won[high].mean() == pytest.approx(seen.p[high].mean(), abs=0.1)


def test_evaluated_rows_come_after_the_rows_that_calibrate() -> None:
    bars, scores = world()
    seen = calibrate_aggregate(scores, WEIGHTS, LABEL, bars, M15.ms).out_of_sample
    first = seen.rows.decided_ms[0]
    assert first >= CALIBRATED_SHARE * bars.ts_ms[-1] * 0.99
    late = bars.ts_ms > first + 50 * H1.ms
    names = ("open", "high", "low", "close")
    turned = {n: np.where(late, getattr(bars, n)[::-1], getattr(bars, n)) for n in names}
    other = replace(bars, **turned)
    again = calibrate_aggregate(scores, WEIGHTS, LABEL, other, M15.ms).out_of_sample
    same = seen.rows.decided_ms < first + 10 * H1.ms
    assert same.sum() > 20
    assert np.array_equal(seen.p[same], again.p[: same.sum()])


def test_the_weight_of_a_missing_member_is_shared_and_half_must_be_present() -> None:
    bars, scores = world()
    mute = Scores(scores[M15].close_ms, np.full(len(bars), np.nan), scores[M15].sigma)
    one = calibrate_aggregate({M15: mute, H1: scores[H1]}, WEIGHTS, LABEL, bars, M15.ms)
    assert len(one.out_of_sample.rows) > 1000
    silent = Scores(scores[H1].close_ms, np.full(len(scores[H1].p), np.nan), scores[H1].sigma)
    with pytest.raises(TooFewRowsError, match="share no out-of-sample time"):
        calibrate_aggregate({M15: scores[M15], H1: silent}, WEIGHTS, LABEL, bars, M15.ms)


def test_too_short_a_common_time_raises() -> None:
    bars, scores = world(hours=60)
    p = scores[M15].p.copy()
    p[:-12] = np.nan
    short = {M15: Scores(scores[M15].close_ms, p, scores[M15].sigma)}
    with pytest.raises(TooFewRowsError, match="too short to"):
        calibrate_aggregate(short, {M15: 1.0}, LABEL, bars, M15.ms)


def test_weights_of_the_members_present_sum_to_one() -> None:
    weights = {M15: 0.1, H1: 0.25, Timeframe.D1: 0.65}
    assert normalised_weights(weights, [M15, H1]) == pytest.approx(
        {M15: 0.1 / 0.35, H1: 0.25 / 0.35}
    )
    assert anchor_of({M15: 0.5, H1: 0.5}) is M15
    assert anchor_of({M15: 0.4, H1: 0.6}) is H1


def test_an_ensembles_recipe_covers_members_and_aggregation() -> None:
    one = ensemble_recipe_hash({M15: "a", H1: "b"}, WEIGHTS, LABEL)
    assert one == ensemble_recipe_hash({H1: "b", M15: "a"}, {H1: 0.6, M15: 0.4}, LABEL)
    assert one != ensemble_recipe_hash({M15: "a", H1: "c"}, WEIGHTS, LABEL)
    assert one != ensemble_recipe_hash({M15: "a", H1: "b"}, {M15: 0.5, H1: 0.5}, LABEL)
