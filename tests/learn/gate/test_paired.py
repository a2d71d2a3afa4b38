"""Two ensembles on the same bars: the bound of a step follows the barriers that can be open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import F64
from ares.learn.gate.account import AccountTerms, EvidenceAccount
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.paired import EXIT_BARS, step_bounds, trade_pair
from ares.learn.gate.verdict import GateLimits

N = 400
HORIZON = 12
SPIKE = 120
WIDTH_MIN_BPS = 33.0
CLOSE_MS = (np.arange(N, dtype=np.int64) + 1) * HOUR_MS
MakeScores = Callable[..., EnsembleScores]


def hourly_account() -> EvidenceAccount:
    return EvidenceAccount(0, CLOSE_MS, np.ones(N), np.empty(0), np.empty(0, np.int64))


def spiked() -> F64:
    sigma = np.full(N, 0.002)
    sigma[SPIKE] = 0.03
    return sigma


def test_the_bound_follows_the_barriers_that_can_be_open(
    scores: MakeScores, terms: AccountTerms
) -> None:
    wide = scores(sigma=spiked())
    bound = step_bounds(wide, hourly_account(), terms)
    _, width = wide.barrier_widths()
    least = terms.rules.position_max * WIDTH_MIN_BPS / 1e4
    assert bound[0] == least  # no barrier is known before it
    assert (bound[1:] >= terms.rules.position_max * width[:-1]).all()
    quiet, wild = terms.rules.position_max * width[0], terms.rules.position_max * width[SPIKE]
    held = slice(SPIKE + 1, SPIKE + 1 + HORIZON + EXIT_BARS)  # a step starts at the last close
    assert bound[1 : held.start] == pytest.approx(quiet)
    assert bound[held] == pytest.approx(wild)  # as long as a trade entered there may be open
    assert bound[held.stop :] == pytest.approx(quiet)


def test_the_bound_uses_the_past_only(scores: MakeScores, terms: AccountTerms) -> None:
    wide = step_bounds(scores(sigma=spiked()), hourly_account(), terms)
    narrow = step_bounds(scores(), hourly_account(), terms)
    assert np.array_equal(wide[: SPIKE + 1], narrow[: SPIKE + 1])
    assert wide[SPIKE + 1] > narrow[SPIKE + 1]


def test_without_stops_the_position_is_the_bound(scores: MakeScores, terms: AccountTerms) -> None:
    free = replace(terms, rules=replace(terms.rules, stop_enabled=False))
    bound = step_bounds(scores(sigma=spiked()), hourly_account(), free)
    assert (bound == terms.rules.position_max).all()


def test_the_difference_is_the_same_seen_from_the_other_side(
    scores: MakeScores, terms: AccountTerms
) -> None:
    limits = GateLimits()
    first, second = scores("a", seed=1), scores("b", seed=2)
    there = trade_pair(first, second, terms).difference(limits)
    back = trade_pair(second, first, terms).difference(limits)
    assert there.steps == back.steps > 300
    assert there.mean_bps == pytest.approx(-back.mean_bps)
    assert there.sd_bps == pytest.approx(back.sd_bps)
    assert (there.e_first_better, there.e_second_better) == (
        back.e_second_better,
        back.e_first_better,
    )
    assert there.e_value_min == limits.e_value_min("better")


def test_ensembles_without_common_bars_cannot_be_paired(
    scores: MakeScores, terms: AccountTerms
) -> None:
    later = replace(scores("b"), train_end_ms=int(CLOSE_MS[-1]))
    with pytest.raises(ValueError, match="no bars on which it is out of sample"):
        trade_pair(scores("a"), later, terms)
    with pytest.raises(ValueError, match="two ensembles"):
        trade_pair(scores("a"), None, terms).difference(GateLimits())
