"""The walk finds what is there, finds nothing where nothing is, and never looks ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.trade.rules import round_trip_bps
from ares.learn.fit import LearningCurve, fit
from ares.learn.recipe import HORIZON_BARS, Recipe, default_label
from ares.learn.rows import Rows, blanked, pooled
from ares.learn.walk_forward import TooFewRowsError, walk

MakeRows = Callable[..., Rows]


def test_a_planted_skill_is_found_and_said_truly(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(6000, skill=0.8)
    walked = walk(table.x, table, recipe)
    seen = walked.out_of_sample
    lean = np.corrcoef(seen.p, seen.rows.x[:, 0])[0, 1]
    assert lean > 0.8
    high = seen.p > np.quantile(seen.p, 0.8)
    assert seen.rows.won[high].mean() == pytest.approx(seen.p[high].mean(), abs=0.05)
    assert seen.rows.net[seen.edge_bps > 5].mean() > 0 > seen.rows.net[seen.edge_bps < -5].mean()


def test_noise_is_called_the_base_rate(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(4000, skill=0.0)
    seen = walk(table.x, table, recipe).out_of_sample
    assert seen.p.std() < 0.03
    assert seen.p.mean() == pytest.approx(0.5, abs=0.05)


def test_what_comes_later_changes_nothing_before_it(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(2500)
    draw = np.random.default_rng(9)
    late = table.decided_ms >= table.decided_ms[1750]  # the first row of the third test fold
    x, net = table.x.copy(), table.net.copy()
    x[late] = draw.normal(size=(int(late.sum()), x.shape[1]))
    net[late] = -net[late]
    other = replace(table, x=x, net=net)
    before, after = walk(table.x, table, recipe), walk(other.x, other, recipe)
    early = before.out_of_sample.rows.decided_ms < table.decided_ms[1750]
    assert early.sum() > 200
    assert np.array_equal(before.out_of_sample.p[early], after.out_of_sample.p[early])
    assert np.array_equal(before.out_of_sample.edge_bps[early], after.out_of_sample.edge_bps[early])
    assert not np.array_equal(before.out_of_sample.p[~early], after.out_of_sample.p[~early])


def test_first_fold_only_calibrates(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(2500)
    seen = walk(table.x, table, recipe).out_of_sample
    assert seen.rows.decided_ms[0] == table.decided_ms[1000]
    assert len(seen.rows) == 1500


def test_too_little_is_said(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(20)
    with pytest.raises(TooFewRowsError, match="20 rows are too few"):
        walk(table.x, table, recipe)
    lost = replace(table, net=-np.abs(table.net))
    with pytest.raises(TooFewRowsError):
        walk(lost.x, lost, recipe)


def test_fitting_the_same_rows_gives_the_same_trees(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(1500)
    first, second = fit(table.x, table, recipe), fit(table.x.copy(), table, recipe)
    assert first.trees == second.trees
    assert first.curve == second.curve


def test_fitting_stops_by_itself_and_keeps_the_best_epoch(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(4000, skill=0.3)
    curve = fit(table.x, table, recipe).curve
    assert curve.epochs == int(np.argmin(curve.stopping)) + 1
    assert len(curve.stopping) <= curve.epochs + recipe.boost.patience
    assert curve.stopping_base is not None
    assert min(curve.stopping) < curve.stopping_base


def test_a_skill_good_enough_has_no_patience_left(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(4000, skill=0.3)

    def curve_at(target: float) -> LearningCurve:
        boost = msgspec.structs.replace(recipe.boost, target_confidence=target)
        return fit(table.x, table, msgspec.structs.replace(recipe, boost=boost)).curve

    reached, never = curve_at(0.0), curve_at(1.0)
    assert len(reached.stopping) == reached.epochs + 1
    assert len(never.stopping) == never.epochs + recipe.boost.patience


def test_scores_of_a_short_and_a_long_fit_have_one_scale(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(4000, skill=0.8)
    deviations = []
    for epochs in (1, 20):
        boost = msgspec.structs.replace(recipe.boost, epochs_max=epochs)
        fitted = fit(table.x, table, msgspec.structs.replace(recipe, boost=boost))
        deviations.append((fitted.raw(table.x).std(), fitted.score(table.x).std()))
    (short_raw, short_score), (long_raw, long_score) = deviations
    assert long_raw > 1.5 * short_raw
    assert short_score == pytest.approx(1.0, abs=0.05)
    assert long_score == pytest.approx(1.0, abs=0.05)


def test_blanked_columns_are_never_split_on(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(3000)
    learned = recipe.features[1:]
    x = blanked(table.x, recipe.features, learned)
    assert x.shape == table.x.shape
    assert fit(x, table, recipe).trees["feature_importances"].get("Column_0", 0) == 0
    assert table.x[:, 0].any()


def test_a_recipe_is_its_parts_but_not_its_data(recipe: Recipe) -> None:
    assert recipe.hash == msgspec.structs.replace(recipe).hash
    for change in ({"price_only": True}, {"folds": 4}, {"features": ("a",)}, {"scope": "universe"}):
        other = msgspec.structs.replace(recipe, **change)
        assert other.hash != recipe.hash
        assert 0 <= other.seed < 2**31
    assert recipe.embargo_ms == 12 * 3_600_000
    assert msgspec.structs.replace(recipe, embargo_bars=5).embargo_ms == 5 * 3_600_000


def test_default_labels_have_barriers_that_can_be_won() -> None:
    cost = round_trip_bps(10, 2, 1)
    for timeframe in Timeframe:
        label = default_label(timeframe, cost, "triple_barrier")
        assert label.horizon_bars == HORIZON_BARS[timeframe]
        assert label.width_min_bps == pytest.approx(1.5 * cost)


def test_rows_share_luck_while_a_trade_lasts_and_across_instruments(rows: MakeRows) -> None:
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
