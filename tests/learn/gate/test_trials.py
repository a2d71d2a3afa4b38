"""Counting what was tried: every recipe once, refits never, and each with its own result."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.model import Validation
from ares.domain.timeframe import DAY_MS
from ares.domain.trial import Trial
from ares.kernel.bars import F64
from ares.learn.gate.account import EvidenceAccount
from ares.learn.gate.trials import recipes_tried, trial_statistics

BTC, ETH = "binance:BTC/USDT", "binance:ETH/USDT"
DAYS = 200


def returns(seed: int, mean: float = 0.0, days: int = DAYS) -> F64:
    made: F64 = mean + 0.01 * np.random.default_rng(seed).standard_normal(days)
    return made


def trial(
    recipe: str,
    *,
    kind: str = "ensemble",
    scope: str = BTC,
    at: str = "t1",
    timeframe: str = "1h",
    seed: int | None = None,
    first_day: int = 0,
) -> Trial:
    daily = b"" if seed is None else returns(seed).astype("<f8").tobytes()
    return Trial(
        kind, scope, timeframe, recipe, "subject", "data", 0, 1, Validation(), at, first_day, daily
    )  # fmt: skip


def account(seed: int = 99, mean: float = 0.003) -> EvidenceAccount:
    daily = returns(seed, mean)
    equity: F64 = np.cumprod(1.0 + daily).astype(np.float64)
    close_ms = (np.arange(DAYS, dtype=np.int64) + 1) * DAY_MS
    return EvidenceAccount(0, close_ms, equity, np.empty(0), np.empty(0, np.int64))


def test_distinct_recipes_of_the_instrument_count_and_refits_do_not() -> None:
    trials = [trial("a"), trial("a", at="t2"), trial("b"), trial("c", scope=ETH), trial("a")]
    assert recipes_tried(trials, BTC, "a", single_package=False) == 2
    assert recipes_tried(trials, BTC, "new", single_package=False) == 3
    assert recipes_tried([], BTC, "new", single_package=False) == 1
    assert recipes_tried([trial("u", scope="universe")], BTC, "a", single_package=False) == 2


def test_members_are_no_tries_of_their_own_unless_one_of_them_is_picked() -> None:
    trials = [
        trial("m1", kind="package"),
        trial("m2", kind="package"),
        trial("a"),
        trial("loose", kind="package", at="t9"),  # its training made no ensemble
    ]
    assert recipes_tried(trials, BTC, "a", single_package=False) == 2
    assert recipes_tried(trials, BTC, "m1", single_package=True) == 4


def test_who_leaves_timeframes_out_has_picked_among_the_packages() -> None:
    """Trained on three, looked at, and trained again on the one that did best."""
    wide = [
        trial("m15", kind="package", timeframe="15m"),
        trial("m1h", kind="package"),
        trial("m4h", kind="package", timeframe="4h"),
        trial("all"),
    ]
    narrow = [trial("m1h", kind="package", at="t2"), trial("one", at="t2")]
    other = [
        trial("p15", kind="package", at="t3", timeframe="15m"),
        trial("p1h", kind="package", at="t3"),
        trial("two", at="t3"),
    ]
    assert recipes_tried(wide, BTC, "all", single_package=False) == 1
    assert recipes_tried(wide + narrow, BTC, "one", single_package=False) == 5
    assert recipes_tried(wide + narrow, BTC, "all", single_package=False) == 2
    assert recipes_tried(wide + narrow + other, BTC, "two", single_package=False) == 6
    assert recipes_tried(wide + narrow + other, BTC, "one", single_package=False) == 8
    assert recipes_tried(other + narrow, BTC, "all", single_package=False) == 3


def test_the_spread_is_that_of_the_results_and_of_luck_where_none_are_known() -> None:
    alone = trial_statistics([], BTC, "a", account(), single_package=False)
    assert (alone.recipes, alone.pbo) == (1, None)
    unknown = trial_statistics([trial("b")], BTC, "a", account(), single_package=False)
    assert (unknown.recipes, unknown.known) == (2, 1)
    assert unknown.variance == pytest.approx(1.0 / DAYS)
    known = trial_statistics(
        [trial("b", seed=1), trial("c", seed=2)], BTC, "a", account(), single_package=False
    )
    ratios = [r.mean() / r.std(ddof=1) for r in (returns(99, 0.003), returns(1), returns(2))]
    assert known.variance == pytest.approx(np.var(ratios, ddof=1), rel=1e-6)
    assert (known.recipes, known.known) == (3, 3)


def test_overfitting_is_estimated_over_shared_days_only() -> None:
    near = [trial(str(k), seed=k, first_day=5) for k in range(8)]
    found = trial_statistics(near, BTC, "a", account(mean=0.01), single_package=False)
    assert found.pbo is not None
    assert found.pbo < 0.2  # the best of the past is the best of the rest
    noise = trial_statistics(near, BTC, "a", account(seed=50, mean=0.0), single_package=False)
    assert noise.pbo is not None
    assert noise.pbo > 0.2
    far = [trial(str(k), seed=k, first_day=10_000) for k in range(8)]
    assert trial_statistics(far, BTC, "a", account(), single_package=False).pbo is None


def test_of_a_recipe_tried_twice_the_newest_result_counts() -> None:
    twice = [trial("b", seed=1), trial("b", seed=2)]
    once = [trial("b", seed=2)]
    found = [trial_statistics(t, BTC, "a", account(), single_package=False) for t in (twice, once)]
    assert found[0] == found[1]
