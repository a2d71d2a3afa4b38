"""Evidence from scores: the ensemble against its baselines, and against a champion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from ares.domain.model import Validation
from ares.domain.timeframe import HOUR_MS
from ares.domain.trial import Trial
from ares.learn.gate.account import AccountTerms, EvidenceAccount
from ares.learn.gate.evidence_builder import (
    MemberChecks,
    build_evidence,
    hypothesis_of,
    performance,
)
from ares.learn.gate.leaks import Leaks
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.verdict import GateLimits
from ares.learn.rows import Rows

MakeScores = Callable[..., EnsembleScores]
N = 400
LIMITS = GateLimits()


def of_recipe(scores: EnsembleScores, recipe_hash: str) -> EnsembleScores:
    return replace(
        scores, ensemble=msgspec.structs.replace(scores.ensemble, recipe_hash=recipe_hash)
    )


def rows_won(won: list[bool]) -> Rows:
    n = len(won)
    hours = np.arange(n, dtype=np.int64) * HOUR_MS
    net = np.where(won, 0.01, -0.01)
    width = np.full(n, 0.01)
    x, lane = np.empty((n, 0), np.float32), np.zeros(n, np.int32)
    return Rows(x, hours, hours + HOUR_MS, net, width, lane)


def account(*net_bps: float) -> EvidenceAccount:
    n = len(net_bps)
    times = np.arange(1, n + 1, dtype=np.int64) * HOUR_MS
    return EvidenceAccount(0, times, np.ones(n), np.array(net_bps), times)


def test_the_hypothesis_follows_from_the_champion(scores: MakeScores) -> None:
    candidate = scores("a")
    assert hypothesis_of(candidate, None) == "beats_flat"
    assert hypothesis_of(candidate, scores("b")) == "not_worse"  # the same recipe: a refit
    assert hypothesis_of(candidate, of_recipe(scores("b"), "another")) == "better"


def test_the_quality_of_probabilities_counted_by_hand() -> None:
    found = performance(
        account(10.0, -4.0), rows_won([True, False, False, True]), np.array([0.9, 0.6, 0.1, 0.5])
    )
    assert (found.trades, found.net_bps) == (2, 3.0)
    assert found.accuracy == 0.5  # 0.5 predicts no win
    assert found.precision == 0.5
    assert found.f1 == 0.5
    assert found.brier == pytest.approx((0.01 + 0.36 + 0.01 + 0.25) / 4)


def test_without_a_decision_or_a_trade_the_numbers_are_unknown_and_not_zero() -> None:
    nothing = performance(account(), rows_won([]), np.empty(0))
    assert (nothing.trades, nothing.net_return) == (0, 0.0)
    for name in ("net_bps", "sharpe", "accuracy", "precision", "f1", "brier", "brier_skill"):
        assert getattr(nothing, name) is None, name
    never = performance(account(), rows_won([True, False]), np.array([0.1, 0.2]))
    assert never.precision is None  # nothing was predicted to win
    assert never.f1 == 0.0


def test_a_first_ensemble_is_compared_with_flat_and_the_baselines(
    scores: MakeScores, terms: AccountTerms
) -> None:
    checks = MemberChecks(("x/1",), Leaks(500, ("rsi_14",)), 77, 1e-7, 12.5)
    candidate = scores("a")
    result = build_evidence(candidate, None, checks, terms, LIMITS, [])
    found = result.evidence
    assert (found.hypothesis, found.champion, found.champion_hash) == ("beats_flat", None, "")
    assert found.subject == candidate.ensemble.hash
    assert [baseline.name for baseline in found.baselines] == ["buy_and_hold", "sma_cross"]
    assert set(result.plots.accounts) == {"candidate", "buy_and_hold", "sma_cross"}
    assert (found.not_reproduced, found.leaking, found.leak_values) == (("x/1",), ("rsi_14",), 500)
    assert (found.parity_rows, found.parity_difference, found.inference_us) == (77, 1e-7, 12.5)
    rows, p = candidate.decisions(found.from_ms, found.to_ms)
    assert found.decisions == len(rows) > 300
    assert found.metrics.brier == pytest.approx(np.mean((p - rows.won) ** 2))
    assert found.majority_accuracy == max(rows.won.mean(), 1.0 - rows.won.mean())
    assert found.trials == 1
    assert found.steps == len(result.plots.step_ms) == len(result.plots.log_e) > 300
    assert result.plots.log_e_min == pytest.approx(np.log(LIMITS.e_value_min("beats_flat")))
    assert found.e_value == pytest.approx(np.exp(result.plots.log_e[-1]))


def test_both_ensembles_are_measured_on_the_bars_on_which_both_are_out_of_sample(
    scores: MakeScores, terms: AccountTerms
) -> None:
    later = scores("b", seed=1, train_end_ms=150 * HOUR_MS)
    candidate = scores("a")
    found = build_evidence(candidate, later, MemberChecks(), terms, LIMITS, []).evidence
    assert found.from_ms == 150 * HOUR_MS + 1
    assert found.champion_hash == later.ensemble.hash
    assert found.hypothesis == "not_worse"
    swapped = build_evidence(later, candidate, MemberChecks(), terms, LIMITS, []).evidence
    assert swapped.metrics == found.champion
    assert swapped.champion == found.metrics
    alone = build_evidence(candidate, None, MemberChecks(), terms, LIMITS, []).evidence
    assert alone.from_ms < found.from_ms
    assert alone.metrics != found.metrics


def test_every_recipe_that_was_tried_lowers_the_deflated_ratio(
    scores: MakeScores, terms: AccountTerms
) -> None:
    trials = [
        Trial("ensemble", "binance:BTC/USDT", "1h", f"r{k}", "s", "d", 0, 1, Validation(), "now")
        for k in range(20)
    ]
    candidate = scores("a", n=24 * 40)
    few, many = (
        build_evidence(candidate, None, MemberChecks(), terms, LIMITS, tried).evidence
        for tried in ([], trials)
    )
    assert (few.trials, many.trials) == (1, 21)
    assert few.deflated_sharpe is not None
    assert many.deflated_sharpe is not None
    assert many.deflated_sharpe < few.deflated_sharpe
    assert many.metrics == few.metrics


def test_without_common_bars_there_is_no_evidence(scores: MakeScores, terms: AccountTerms) -> None:
    later = scores("b", train_end_ms=N * HOUR_MS)
    with pytest.raises(ValueError, match="no bars on which it is out of sample"):
        build_evidence(scores("a"), later, MemberChecks(), terms, LIMITS, [])
