"""When to train again: what happened as reasons, held back by rest, budget and back-off.

Pure and small: everything comes in with its time, nothing is asked for. A reason that comes while
training is not allowed is dropped, not queued: what caused it will show again if it lasts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from ares.domain.model import Validation
from ares.domain.model_events import DriftMeasured, Trigger
from ares.domain.timeframe import DAY_MS, HOUR_MS

PERFORMANCE_TRADES = 30
"""The newest so many trades are compared with what the validation promised."""

PERFORMANCE_TRADES_MIN = 10
PERFORMANCE_ALPHA = 0.05
"""Chance that as many trades of a model as good as promised fall below the range."""

BACKOFF_HOURS_MIN = 1.0
"""What the back-off doubles from where no rest is set."""


class RetrainPolicy(msgspec.Struct, frozen=True):
    """When training is wanted, and how often it may be.

    interval_ms    : rest after a training before the next one.
    budget_per_day : trainings begun in any 24 hours, at most.
    backoff_ms_max : the longest that the rest grows to after refusals in a row.
    schedule_ms    : train when the last training began so long ago; None: never for that.
    check_ms       : drift is measured so often.
    """

    on_loss: bool = True
    drift_threshold: float = 0.70
    interval_ms: int = 6 * HOUR_MS
    budget_per_day: int = 4
    backoff_ms_max: int = 168 * HOUR_MS
    schedule_ms: int | None = None
    check_ms: int = DAY_MS


class RetrainTrigger(msgspec.Struct, frozen=True):
    """A training that was triggered at ``at_ms``; ``reason`` says by what, for a person."""

    trigger: Trigger
    at_ms: int
    reason: str


@dataclass(slots=True)
class RetrainThrottle:
    """Keeps one instrument's trainings apart: the rest, the day's budget, the back-off.

    begun_ms : when trainings of the last 24 hours began, oldest first.
    failures : refused, unchanged or failed ones in a row.
    """

    policy: RetrainPolicy
    begun_ms: deque[int] = field(default_factory=deque)
    ended_ms: int | None = None
    failures: int = 0

    def begin(self, at_ms: int) -> None:
        """Note that a training began."""
        self.begun_ms.append(at_ms)
        while self.begun_ms[0] <= at_ms - DAY_MS:
            self.begun_ms.popleft()

    def end(self, at_ms: int, published: bool) -> None:
        """Note how a training ended."""
        self.ended_ms = at_ms
        self.failures = 0 if published else self.failures + 1

    def forgive(self) -> None:
        """Forget what failed: another model is in the slot."""
        self.failures = 0

    @property
    def rest_ms(self) -> int:
        """Return the rest after the last training: doubled by each failure in a row."""
        policy = self.policy
        if self.failures == 0:
            return policy.interval_ms
        first = max(policy.interval_ms, round(BACKOFF_HOURS_MIN * HOUR_MS))
        grown = min(first << min(self.failures, 40), policy.backoff_ms_max)
        return max(policy.interval_ms, grown)

    def budget_left(self, at_ms: int) -> int:
        """Return how many trainings may still begin in the 24 hours that end at ``at_ms``."""
        recent = sum(begun > at_ms - DAY_MS for begun in self.begun_ms)
        return max(0, self.policy.budget_per_day - recent)

    def allows(self, at_ms: int, *, asked: bool = False) -> bool:
        """Return whether a training may begin; one that a person ``asked`` for needs no rest."""
        rested = self.ended_ms is None or at_ms - self.ended_ms >= self.rest_ms
        return (asked or rested) and self.budget_left(at_ms) > 0


def after_trade(
    policy: RetrainPolicy, at_ms: int, net_bps: Sequence[float], promised: Validation
) -> RetrainTrigger | None:
    """Return what a closed trade asks for.

    net_bps : of the model's trades since it has its place, real and virtual, the newest last.
    """
    recent = net_bps[-PERFORMANCE_TRADES:]
    mean, least = sum(recent) / len(recent), promised_least(promised, len(recent))
    if least is not None and len(recent) >= PERFORMANCE_TRADES_MIN and mean < least:
        reason = (
            f"{len(recent)} trades average {mean:+.1f} bps net, and its validation promised "
            f"{least:+.1f} or more"
        )
        return RetrainTrigger("performance", at_ms, reason)
    if policy.on_loss and net_bps[-1] < 0.0:
        return RetrainTrigger(
            "loss_immediate", at_ms, f"a trade closed at {net_bps[-1]:+.1f} bps net"
        )
    return None


def after_drift(policy: RetrainPolicy, seen: DriftMeasured) -> RetrainTrigger | None:
    """Return what a measured drift asks for."""
    if seen.score > policy.drift_threshold:
        reason = (
            f"drift score {seen.score:.2f} is above {policy.drift_threshold:.2f}, most of all in "
            f"{seen.feature}"
        )
        return RetrainTrigger("drift", seen.ts_ms, reason)
    if seen.changed and seen.error_after > seen.error_before:
        reason = f"its squared error went from {seen.error_before:.3f} to {seen.error_after:.3f}"
        return RetrainTrigger("drift", seen.ts_ms, reason)
    return None


def after_time(policy: RetrainPolicy, at_ms: int, since_ms: int) -> RetrainTrigger | None:
    """Return what the schedule asks for; ``since_ms``: when the last training began."""
    if policy.schedule_ms is None or at_ms - since_ms < policy.schedule_ms:
        return None
    return RetrainTrigger(
        "schedule", at_ms, f"{(at_ms - since_ms) / HOUR_MS:.1f} hours since the last"
    )


def promised_least(promised: Validation, trades: int) -> float | None:
    """Return the mean net bps that so many new trades exceed with probability 0.95 if the model is
    what its validation showed; None where that showed too little.

    The one-sided prediction bound for the mean of new draws from the same normal distribution
    (Hahn & Meeker 1991, "Statistical Intervals", section 4.8): m - t(0.95, n - 1) * s *
    sqrt(1/n + 1/trades), n, m and s the validation's trades, mean and standard deviation.

    >>> round(promised_least(Validation(100, 20.0, 60.0), 25), 2)
    -2.28
    """
    if promised.trades < 2 or promised.sd_bps <= 0.0 or trades < 1:
        return None
    from scipy.stats import t

    quantile = float(t.ppf(1.0 - PERFORMANCE_ALPHA, promised.trades - 1))
    spread: float = (1.0 / promised.trades + 1.0 / trades) ** 0.5
    return promised.mean_bps - quantile * promised.sd_bps * spread
