"""When to retrain: triggers, throttled by a rest, a daily budget and a back-off.

Pure: every fact comes in with its time. A trigger that comes while training is not allowed is
dropped, not queued: if its cause lasts, it triggers again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from ares.domain.model import Validation
from ares.domain.model_events import DriftMeasured, Trigger
from ares.domain.timeframe import DAY_MS, HOUR_MS

PERFORMANCE_TRADES = 30
"""So many of the newest trades are compared with the validation."""

PERFORMANCE_TRADES_MIN = 10
PERFORMANCE_ALPHA = 0.05
"""Probability that the trades of a model as good as its validation fall below the bound."""

BACKOFF_HOURS_MIN = 1.0
"""The rest that the back-off doubles where none is set."""


class RetrainPolicy(msgspec.Struct, frozen=True):
    """What triggers a training, and how often one may start.

    interval_ms    : rest after a training before the next one.
    budget_per_day : most trainings that start in any 24 hours.
    backoff_ms_max : the longest that the rest grows to after refusals in a row.
    schedule_ms    : time from the start of a training to the next by schedule; None: no schedule.
    check_ms       : time from one measurement of drift to the next.
    """

    on_loss: bool = True
    drift_threshold: float = 0.70
    interval_ms: int = 6 * HOUR_MS
    budget_per_day: int = 4
    backoff_ms_max: int = 168 * HOUR_MS
    schedule_ms: int | None = None
    check_ms: int = DAY_MS


def changed_policy(policy: RetrainPolicy, rules: Mapping[str, float]) -> RetrainPolicy:
    """Return the policy with the rules that a person changed in a run; others are not looked at.

    >>> changed_policy(RetrainPolicy(), {"retrain_interval_hours": 2.0}).interval_ms
    7200000
    """
    changes = {
        field: convert(rules[name])
        for name, (field, convert) in POLICY_RULES.items()
        if name in rules
    }
    return msgspec.structs.replace(policy, **changes) if changes else policy


def policy_rules(policy: RetrainPolicy) -> dict[str, float]:
    """Return a policy as rules of a run, by name.

    >>> policy_rules(RetrainPolicy())["retrain_budget_per_day"]
    4.0
    """
    return {
        name: getattr(policy, field) / (HOUR_MS if convert is _ms else 1.0)
        for name, (field, convert) in POLICY_RULES.items()
    }


def _ms(hours: float) -> int:
    return round(hours * HOUR_MS)


POLICY_RULES: dict[str, tuple[str, Callable[[float], float]]] = {
    "retrain_on_loss": ("on_loss", bool),
    "retrain_drift_threshold": ("drift_threshold", float),
    "retrain_interval_hours": ("interval_ms", _ms),
    "retrain_budget_per_day": ("budget_per_day", int),
    "retrain_backoff_hours_max": ("backoff_ms_max", _ms),
    "retrain_check_hours": ("check_ms", _ms),
}
"""Rule of a run -> the field of the policy that it is, and how its value is converted."""


class RetrainTrigger(msgspec.Struct, frozen=True):
    """A training that is triggered at ``at_ms``; ``reason`` explains it to a person."""

    trigger: Trigger
    at_ms: int
    reason: str


class RetrainThrottle(msgspec.Struct):
    """Limits one instrument's trainings: the rest, the day's budget, the back-off.

    started_ms : when the trainings of the last 24 hours started, oldest first.
    failures   : consecutive trainings that were refused, unchanged or failed.
    """

    policy: RetrainPolicy
    started_ms: list[int] = msgspec.field(default_factory=list)
    ended_ms: int | None = None
    failures: int = 0

    def record_start(self, at_ms: int) -> None:
        """Record that a training started."""
        self.started_ms.append(at_ms)
        self.started_ms = [start for start in self.started_ms if start > at_ms - DAY_MS]

    def record_end(self, at_ms: int, published: bool) -> None:
        """Record how a training ended."""
        self.ended_ms = at_ms
        self.failures = 0 if published else self.failures + 1

    def reset_failures(self) -> None:
        """Count failures from zero: another model is in the slot."""
        self.failures = 0

    @property
    def interval_ms(self) -> int:
        """Return the interval after the last training: doubled by each consecutive failure."""
        policy = self.policy
        if self.failures == 0:
            return policy.interval_ms
        doubled = max(policy.interval_ms, round(BACKOFF_HOURS_MIN * HOUR_MS))
        grown = min(doubled << min(self.failures, 40), policy.backoff_ms_max)
        return max(policy.interval_ms, grown)

    def budget_left(self, at_ms: int) -> int:
        """Return how many trainings may still start in the 24 hours that end at ``at_ms``."""
        recent = sum(start_ms > at_ms - DAY_MS for start_ms in self.started_ms)
        return max(0, self.policy.budget_per_day - recent)

    def allows(self, at_ms: int, *, requested: bool = False) -> bool:
        """Return whether a training may start; one that a person ``requested`` does not wait."""
        waited = self.ended_ms is None or at_ms - self.ended_ms >= self.interval_ms
        return (requested or waited) and self.budget_left(at_ms) > 0


def after_trade(
    policy: RetrainPolicy, at_ms: int, net_bps: Sequence[float], validation: Validation
) -> RetrainTrigger | None:
    """Return the training that a closed trade triggers.

    net_bps : of the model's trades since it took its slot, real and virtual, the newest last.
    """
    recent = net_bps[-PERFORMANCE_TRADES:]
    mean, bound = sum(recent) / len(recent), expected_bps_min(validation, len(recent))
    if bound is not None and len(recent) >= PERFORMANCE_TRADES_MIN and mean < bound:
        reason = (
            f"{len(recent)} trades average {mean:+.1f} bps net, below {bound:+.1f} bps, the 95% "
            "lower bound from validation"
        )
        return RetrainTrigger("performance", at_ms, reason)
    if policy.on_loss and net_bps[-1] < 0.0:
        return RetrainTrigger(
            "loss_immediate", at_ms, f"a trade closed at {net_bps[-1]:+.1f} bps net"
        )
    return None


def after_drift(policy: RetrainPolicy, drift: DriftMeasured) -> RetrainTrigger | None:
    """Return the training that a measured drift triggers."""
    if drift.score > policy.drift_threshold:
        reason = (
            f"drift score {drift.score:.2f} is above {policy.drift_threshold:.2f}; "
            f"{drift.feature} moved most"
        )
        return RetrainTrigger("drift", drift.ts_ms, reason)
    if drift.changed and drift.error_after > drift.error_before:
        reason = f"squared error rose from {drift.error_before:.3f} to {drift.error_after:.3f}"
        return RetrainTrigger("drift", drift.ts_ms, reason)
    return None


def after_time(policy: RetrainPolicy, at_ms: int, since_ms: int) -> RetrainTrigger | None:
    """Return the training that is due by schedule; ``since_ms``: when the last one started."""
    if policy.schedule_ms is None or at_ms - since_ms < policy.schedule_ms:
        return None
    return RetrainTrigger(
        "schedule", at_ms, f"{(at_ms - since_ms) / HOUR_MS:.1f} hours since the last training"
    )


def expected_bps_min(validation: Validation, trades: int) -> float | None:
    """Return the mean net bps that so many new trades exceed with probability 0.95 if the model is
    as good as its validation; None where the validation has too few trades.

    The one-sided prediction bound for the mean of new draws from the same normal distribution
    (Hahn & Meeker 1991, "Statistical Intervals", section 4.8): m - t(0.95, n - 1) * s *
    sqrt(1/n + 1/trades), n, m and s the validation's trades, mean and standard deviation.

    >>> round(expected_bps_min(Validation(100, 20.0, 60.0), 25), 2)
    -2.28
    """
    if validation.trades < 2 or validation.sd_bps <= 0.0 or trades < 1:
        return None
    from scipy.stats import t

    quantile = float(t.ppf(1.0 - PERFORMANCE_ALPHA, validation.trades - 1))
    spread: float = (1.0 / validation.trades + 1.0 / trades) ** 0.5
    return validation.mean_bps - quantile * validation.sd_bps * spread
