"""Plausibility: results above all that returns at these costs have shown need a person's word.

The limits are far above what was measured (ADR 0032). A result beyond them is most often a leak
that the leak tests did not see, so it is refused until a person answers for it by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from ares.domain.timeframe import DAY_MS
from ares.learn.gate.account import DAYS_PER_YEAR
from ares.learn.gate.evidence import Evidence

BOUND_Z = 1.6448536269514722
"""The 95% quantile of the normal distribution: of the lower bound of a Sharpe ratio."""


class Attestation(msgspec.Struct, frozen=True):
    """A person's statement that results above the limits of plausibility are true.

    by : the person's name.     reason : why they are true.
    """

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plausibility:
    """The results beside the most that is plausible.

    share : the largest of them as a share of its limit, 0 where none is above zero; None: no result
            is known.
    note  : the results with their limits.
    """

    share: float | None
    note: str


def plausibility(
    evidence: Evidence, brier_skill_max: float | None, sharpe_max: float | None
) -> Plausibility:
    """Return the evidence beside the limits; a limit of None is not applied.

    >>> from ares.learn.gate.evidence import PerformanceMetrics
    >>> metrics = PerformanceMetrics(trades=400, brier_skill=0.3)
    >>> leaky = Evidence(subject="", hypothesis="beats_flat", metrics=metrics)
    >>> plausibility(leaky, brier_skill_max=0.25, sharpe_max=8.0)
    Plausibility(share=1.2, note='Brier skill 30.0% of at most 25%')
    """
    shares: list[float] = []
    notes: list[str] = []
    skill = _finite(evidence.metrics.brier_skill)
    if skill is not None and brier_skill_max is not None:
        shares.append(skill / brier_skill_max)
        notes.append(f"Brier skill {skill:.1%} of at most {brier_skill_max:.0%}")
    days = (evidence.to_ms - evidence.from_ms) / DAY_MS
    bound = sharpe_lower_bound(evidence.metrics.sharpe, days)
    if bound is not None and sharpe_max is not None:
        shares.append(bound / sharpe_max)
        notes.append(f"Sharpe ratio surely above {bound:.1f} of at most {sharpe_max:g}")
    return Plausibility(max(0.0, *shares) if shares else None, ", ".join(notes))


def sharpe_lower_bound(sharpe: float | None, days: float) -> float | None:
    """Return what an annualised Sharpe ratio of daily returns is above with 95% confidence.

    Its standard error is that of independent returns (Lo 2002): a short window shows high ratios
    by chance.

    >>> round(sharpe_lower_bound(5.0, 365.0), 2)
    3.33
    """
    known = _finite(sharpe)
    if known is None or not days > 1.0:
        return None
    variance = (1.0 + 0.5 * known * known / DAYS_PER_YEAR) / days
    return known - BOUND_Z * math.sqrt(variance * DAYS_PER_YEAR)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
