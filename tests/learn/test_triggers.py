"""Triggers and throttle: which facts trigger a training, and how often one may start."""

from __future__ import annotations

import numpy as np

from ares.core.initial_state import LEARNER_PREFIX
from ares.core.rule_changes import LIMITS
from ares.domain.model import Validation
from ares.domain.model_events import DriftMeasured
from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.learn.triggers import (
    POLICY_RULES,
    RetrainPolicy,
    RetrainThrottle,
    after_drift,
    after_time,
    after_trade,
    changed_policy,
    expected_bps_min,
    policy_rules,
)

VALIDATION = Validation(100, 20.0, 60.0)
MINUTE = 60_000


def test_a_loss_triggers_a_training_and_a_gain_does_not() -> None:
    policy = RetrainPolicy()
    wanted = after_trade(policy, 5, [3.0, -0.1], VALIDATION)
    assert wanted is not None
    assert (wanted.trigger, wanted.at_ms) == ("loss_immediate", 5)
    assert after_trade(policy, 5, [-3.0, 0.1], VALIDATION) is None
    assert after_trade(policy, 5, [-3.0, 0.0], VALIDATION) is None, "below zero"
    assert after_trade(RetrainPolicy(on_loss=False), 5, [-3.0], VALIDATION) is None


def test_trades_below_the_bound_of_validation_trigger_by_performance() -> None:
    bound = expected_bps_min(VALIDATION, 10)
    assert bound is not None
    below, above = [bound - 0.1] * 10, [bound + 0.1] * 10
    wanted = after_trade(RetrainPolicy(on_loss=False), 5, below, VALIDATION)
    assert wanted is not None
    assert wanted.trigger == "performance"
    assert after_trade(RetrainPolicy(on_loss=False), 5, [-1e6] * 9, VALIDATION) is None, "too few"
    assert after_trade(RetrainPolicy(on_loss=False), 5, above, VALIDATION) is None
    recovered = [-1e6] * 20 + [30.0] * 30
    assert after_trade(RetrainPolicy(on_loss=False), 5, recovered, VALIDATION) is None


def test_the_bound_holds_for_a_model_that_is_as_good_as_its_validation() -> None:
    draw = np.random.default_rng(3)
    below = 0
    for _ in range(2_000):
        before, after = draw.normal(8.0, 50.0, 60), draw.normal(8.0, 50.0, 30)
        validation = Validation(60, float(before.mean()), float(before.std(ddof=1)))
        bound = expected_bps_min(validation, 30)
        assert bound is not None
        below += bool(after.mean() < bound)
    assert 0.035 < below / 2_000 < 0.065


def test_too_little_validation_gives_no_bound() -> None:
    assert expected_bps_min(Validation(), 10) is None
    assert expected_bps_min(Validation(1, 5.0, 0.0), 10) is None
    assert after_trade(RetrainPolicy(on_loss=False), 5, [-50.0] * 30, Validation()) is None


def test_drift_triggers_by_its_score_or_by_a_worse_error() -> None:
    def measured(score: float, before: float, after: float, *, changed: bool) -> DriftMeasured:
        return DriftMeasured(7, 0, score, "rsi_14 1h", before, after, changed)

    high = after_drift(RetrainPolicy(), measured(0.71, 0.2, 0.2, changed=False))
    assert high is not None
    assert "rsi_14 1h" in high.reason
    assert after_drift(RetrainPolicy(), measured(0.70, 0.2, 0.2, changed=False)) is None
    assert after_drift(RetrainPolicy(), measured(0.1, 0.2, 0.25, changed=True)) is not None
    assert after_drift(RetrainPolicy(), measured(0.1, 0.25, 0.2, changed=True)) is None
    assert after_drift(RetrainPolicy(), measured(0.1, 0.2, 0.25, changed=False)) is None


def test_the_schedule_counts_from_the_last_start() -> None:
    policy = RetrainPolicy(schedule_ms=HOUR_MS)
    assert after_time(policy, HOUR_MS - 1, 0) is None
    assert after_time(policy, HOUR_MS, 0) is not None
    assert after_time(RetrainPolicy(), 10**12, 0) is None


def test_a_requested_training_needs_no_rest_but_keeps_to_the_budget() -> None:
    throttle = RetrainThrottle(RetrainPolicy(interval_ms=6 * HOUR_MS, budget_per_day=2))
    throttle.record_start(0)
    throttle.record_end(MINUTE, published=True)
    assert not throttle.allows(HOUR_MS)
    assert throttle.allows(HOUR_MS, requested=True)
    assert not throttle.allows(6 * HOUR_MS), "the rest begins with the end"
    assert throttle.allows(6 * HOUR_MS + MINUTE)
    throttle.record_start(HOUR_MS)
    assert not throttle.allows(2 * HOUR_MS, requested=True)
    assert throttle.allows(DAY_MS, requested=True), "24 hours later the first one no longer counts"


def test_a_policy_as_rules_gives_the_policy_again() -> None:
    policy = RetrainPolicy(False, 0.5, 3 * HOUR_MS, 2, 24 * HOUR_MS, None, 6 * HOUR_MS)
    assert changed_policy(RetrainPolicy(), policy_rules(policy)) == policy
    assert changed_policy(policy, {"edge_bps_min": 1.0}) is policy
    assert POLICY_RULES.keys() == {name for name in LIMITS if name.startswith(LEARNER_PREFIX)}
