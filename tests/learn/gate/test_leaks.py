"""The gate's leak test: nothing shipped is accused, everything planted is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, features_of
from ares.learn.calibration import sigmoid
from ares.learn.gate.leaks import Leaks, feature_leaks, label_leaks, walk_leaks
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.rows import F32, Rows
from ares.learn.walk_forward import WalkForwardResult, fit_walk_forward

MakeRows = Callable[..., Rows]
LABEL = LabelRecipe(horizon_bars=12, width_min_bps=33.0, cost_bps=22.0)


def bars(seed: int, n: int = 700) -> Bars:
    draw = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.004 * draw.standard_normal(n)))
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) / 1.001
    return Bars.make(HOUR_MS * np.arange(n), open_, high, low, close, 1.0 + draw.random(n))


def shipped(own: Bars, other: Bars | None) -> F32:
    return features_of(own, Timeframe.H1, other).values


def test_the_shipped_features_are_clean_with_every_kind_of_reference() -> None:
    own, other = bars(1), bars(2)
    for reference in (own, other, None):
        found = feature_leaks(own, reference, shipped, FEATURE_NAMES, HOUR_MS)
        assert found.leaking == ()
        assert found.values > 50_000


def test_a_feature_that_looks_ahead_is_named() -> None:
    own, other = bars(1), bars(2)

    def ahead(first: Bars, _other: Bars | None) -> F32:
        nxt = np.append(first.close[1:], first.close[-1:])
        return np.column_stack([first.close, nxt]).astype(np.float32)

    assert feature_leaks(own, None, ahead, ("close", "next"), HOUR_MS).leaking == ("next",)

    def reference_ahead(first: Bars, reference_bars: Bars | None) -> F32:
        assert reference_bars is not None
        place = np.searchsorted(reference_bars.ts_ms, first.ts_ms + HOUR_MS)
        place = np.clip(place, 0, len(reference_bars) - 1)
        return reference_bars.close[place].astype(np.float32)[:, None]

    found = feature_leaks(own, other, reference_ahead, ("lead",), HOUR_MS)
    assert found.leaking == ("lead (of the reference)",)


def test_labels_have_the_time_at_which_they_are_known() -> None:
    found = label_leaks(bars(3), HOUR_MS, LABEL)
    assert found.leaking == ()
    assert found.values > 1_000
    assert label_leaks(bars(3)[:1], HOUR_MS, LABEL) == Leaks(0, ())


def test_the_walk_knows_nothing_too_early(rows: MakeRows, recipe: Recipe) -> None:
    made = rows(1200)
    found = walk_leaks(made.x, made, recipe)
    assert found.leaking == ()
    assert found.values > 500
    assert walk_leaks(made.x[:20], made[:20], recipe).values == 0


@pytest.mark.parametrize("kind", ["scaler", "calibration", "labels"])
def test_a_walk_that_learns_from_later_is_found(rows: MakeRows, recipe: Recipe, kind: str) -> None:
    """Planted: scaled by everything, calibrated on everything, fitted on what is judged."""

    def leaky(x: F32, made: Rows, how: Recipe) -> WalkForwardResult:
        honest = fit_walk_forward(x, made, how)
        seen = honest.out_of_sample
        if kind == "scaler":
            p = sigmoid((seen.p - seen.p.mean()) / seen.p.std())
        elif kind == "calibration":
            p = honest.platt.probability(np.log(seen.p / (1.0 - seen.p)))
        else:
            p = np.clip(seen.p + 0.01 * seen.rows.won, 0.0, 1.0)
        return replace(honest, out_of_sample=replace(seen, p=p))

    made = rows(1200)
    assert "calibrated score" in walk_leaks(made.x, made, recipe, walk_forward_fn=leaky).leaking


def test_findings_add_up() -> None:
    assert Leaks(3, ("a",)) + Leaks(4, ("b", "a")) == Leaks(7, ("a", "b"))
