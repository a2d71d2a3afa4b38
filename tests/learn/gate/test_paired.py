"""Two ensembles on the same bars: the bound of a step follows the barriers that can be open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.ensemble import Scores
from ares.kernel.trade import Rules
from ares.learn.gate.account import AccountTerms, EvidenceAccount
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.paired import EXIT_BARS, step_bounds, trade_pair
from ares.learn.gate.verdict import GateLimits
from ares.learn.recipe import LabelRecipe

N = 400
HORIZON = 12
SPIKE = 120
WIDTH_MIN_BPS = 33.0
RULES = Rules(fee_bps=0.0, spread_bps=0.0, slippage_bps=0.0, position_max=0.5)
SPEC = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
TERMS = AccountTerms(SPEC, RULES, 10_000.0)
LABEL = LabelRecipe(HORIZON, WIDTH_MIN_BPS, 0.0, 1.0)
CLOSE_MS = (np.arange(N, dtype=np.int64) + 1) * HOUR_MS


def ensemble(name: str) -> Ensemble:
    member = Member(Timeframe.H1, name, "version", "hash", 1.0)
    return Ensemble(
        "binance:BTC/USDT", (member,), Timeframe.H1, 1.0, 0.0, HORIZON, 1.0, WIDTH_MIN_BPS,
        1.0, 1.0, 0.0, recipe_hash="recipe", features_hash="features",
    )  # fmt: skip


def path_bars() -> Bars:
    draw = np.random.default_rng(3)
    close = np.round(100.0 * np.exp(np.cumsum(0.004 * draw.standard_normal(N))), 4)
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return Bars.make(np.arange(N) * HOUR_MS, open_, high, low, close, np.full(N, 1e6))


def scores(name: str = "a", sigma: F64 | None = None, seed: int = 0) -> EnsembleScores:
    """Return an imported ensemble's scores: out of sample from the first bar on."""
    p = np.random.default_rng(seed).random(N)
    spread = np.full(N, 0.002) if sigma is None else sigma
    return EnsembleScores(
        ensemble(name), LABEL, {Timeframe.H1: Scores(CLOSE_MS, p, spread)}, (), 0, (),
        path_bars(), HOUR_MS,
    )  # fmt: skip


def hourly_account() -> EvidenceAccount:
    return EvidenceAccount(0, CLOSE_MS, np.ones(N), np.empty(0), np.empty(0, np.int64))


def spiked() -> F64:
    sigma = np.full(N, 0.002)
    sigma[SPIKE] = 0.03
    return sigma


def test_the_bound_follows_the_barriers_that_can_be_open() -> None:
    wide = scores(sigma=spiked())
    bound = step_bounds(wide, hourly_account(), TERMS)
    _, width = wide.barrier_widths()
    assert bound[0] == RULES.position_max * WIDTH_MIN_BPS / 1e4  # no barrier is known before it
    assert (bound[1:] >= RULES.position_max * width[:-1]).all()
    quiet, wild = RULES.position_max * width[0], RULES.position_max * width[SPIKE]
    held = slice(SPIKE + 1, SPIKE + 1 + HORIZON + EXIT_BARS)  # a step starts at the last close
    assert bound[1 : held.start] == pytest.approx(quiet)
    assert bound[held] == pytest.approx(wild)  # as long as a trade entered there may be open
    assert bound[held.stop :] == pytest.approx(quiet)


def test_the_bound_uses_the_past_only() -> None:
    wide = step_bounds(scores(sigma=spiked()), hourly_account(), TERMS)
    narrow = step_bounds(scores(), hourly_account(), TERMS)
    assert np.array_equal(wide[: SPIKE + 1], narrow[: SPIKE + 1])
    assert wide[SPIKE + 1] > narrow[SPIKE + 1]


def test_without_stops_the_position_is_the_bound() -> None:
    free = replace(TERMS, rules=replace(RULES, stop_enabled=False))
    bound = step_bounds(scores(sigma=spiked()), hourly_account(), free)
    assert (bound == RULES.position_max).all()


def test_the_difference_is_the_same_seen_from_the_other_side() -> None:
    limits = GateLimits()
    first, second = scores("a", seed=1), scores("b", seed=2)
    there = trade_pair(first, second, TERMS).difference(limits)
    back = trade_pair(second, first, TERMS).difference(limits)
    assert there.steps == back.steps > 300
    assert there.mean_bps == pytest.approx(-back.mean_bps)
    assert there.sd_bps == pytest.approx(back.sd_bps)
    assert (there.e_first_better, there.e_second_better) == (
        back.e_second_better,
        back.e_first_better,
    )
    assert there.e_value_min == limits.e_value_min("better")


def test_ensembles_without_common_bars_cannot_be_paired() -> None:
    later = replace(scores("b"), train_end_ms=int(CLOSE_MS[-1]))
    with pytest.raises(ValueError, match="no bars on which it is out of sample"):
        trade_pair(scores("a"), later, TERMS)
    with pytest.raises(ValueError, match="two ensembles"):
        trade_pair(scores("a"), None, TERMS).difference(GateLimits())
