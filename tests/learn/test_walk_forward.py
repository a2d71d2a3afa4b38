"""The walk finds what is there, finds nothing where nothing is, and never looks ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares.learn.recipe import Recipe
from ares.learn.rows import Rows
from ares.learn.walk_forward import TooFewRowsError, fit_walk_forward

MakeRows = Callable[..., Rows]


def test_a_planted_skill_is_found_and_calibrated(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(6000, skill=0.8)
    walked = fit_walk_forward(table.x, table, recipe)
    seen = walked.out_of_sample
    correlation = np.corrcoef(seen.p, seen.rows.x[:, 0])[0, 1]
    assert correlation > 0.8
    high = seen.p > np.quantile(seen.p, 0.8)
    assert seen.rows.won[high].mean() == pytest.approx(seen.p[high].mean(), abs=0.05)
    assert seen.rows.net[seen.edge_bps > 5].mean() > 0 > seen.rows.net[seen.edge_bps < -5].mean()


def test_noise_gets_the_base_rate(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(4000, skill=0.0)
    seen = fit_walk_forward(table.x, table, recipe).out_of_sample
    assert seen.p.std() < 0.03
    assert seen.p.mean() == pytest.approx(0.5, abs=0.05)


def test_later_rows_change_no_earlier_prediction(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(2500)
    draw = np.random.default_rng(9)
    late = table.decided_ms >= table.decided_ms[1750]  # the first row of the third test fold
    x, net = table.x.copy(), table.net.copy()
    x[late] = draw.normal(size=(int(late.sum()), x.shape[1]))
    net[late] = -net[late]
    other = replace(table, x=x, net=net)
    before, after = (
        fit_walk_forward(table.x, table, recipe),
        fit_walk_forward(other.x, other, recipe),
    )
    early = before.out_of_sample.rows.decided_ms < table.decided_ms[1750]
    assert early.sum() > 200
    assert np.array_equal(before.out_of_sample.p[early], after.out_of_sample.p[early])
    assert np.array_equal(before.out_of_sample.edge_bps[early], after.out_of_sample.edge_bps[early])
    assert not np.array_equal(before.out_of_sample.p[~early], after.out_of_sample.p[~early])


def test_first_fold_only_calibrates(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(2500)
    seen = fit_walk_forward(table.x, table, recipe).out_of_sample
    assert seen.rows.decided_ms[0] == table.decided_ms[1000]
    assert len(seen.rows) == 1500


def test_too_few_rows_raise(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(20)
    with pytest.raises(TooFewRowsError, match="20 rows are too few"):
        fit_walk_forward(table.x, table, recipe)
    lost = replace(table, net=-np.abs(table.net))
    with pytest.raises(TooFewRowsError):
        fit_walk_forward(lost.x, lost, recipe)
