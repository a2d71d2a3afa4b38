"""How much more evidence like the present a refusal for want of it needs."""

from __future__ import annotations

import math

from ares.domain.timeframe import DAY_MS
from ares.learn.gate.evidence import Evidence

WEEK_DAYS, MONTH_DAYS, YEAR_DAYS = 7.0, 365.0 / 12.0, 365.0
YEARS_MAX = 50.0
NEVER = "more trades like these would not suffice"


def what_suffices(name: str, evidence: Evidence, limit: float | None) -> str:
    """Return what a failed line would need, all else as it is; empty where more is no answer.

    name  : ``trades``, ``deflated_sharpe`` or ``e_value``; of any other line: empty.
    limit : of the line.

    >>> week = 7 * DAY_MS
    >>> from ares.learn.gate.evidence import PerformanceMetrics
    >>> few = Evidence(subject="", hypothesis="beats_flat", metrics=PerformanceMetrics(trades=20),
    ...                from_ms=0, to_ms=4 * week)
    >>> what_suffices("trades", few, 30)
    'about 10 more trades, 2 weeks at the present rate, would suffice'
    """
    share = more_share(name, evidence, limit)
    if share < 0.0:
        return ""
    days = (evidence.to_ms - evidence.from_ms) / DAY_MS
    if math.isinf(share) or share * days > YEARS_MAX * YEAR_DAYS:
        return NEVER
    if evidence.metrics.trades == 0:
        return f"{duration(share * days)} more at the present rate would suffice"
    trades = math.ceil(share * evidence.metrics.trades - 1e-9)
    named = f"{trades:,} more trade{'' if trades == 1 else 's'}"
    return f"about {named}, {duration(share * days)} at the present rate, would suffice"


def more_share(name: str, evidence: Evidence, limit: float | None) -> float:
    """Return how much more time a failed line needs, as a share of the evaluated time.

    Infinite where no time suffices; -1 where more is no answer, or it is not known.
    """
    shares = {"trades": _of_trades, "deflated_sharpe": _of_sharpe, "e_value": _of_e_value}
    if name not in shares or limit is None or evidence.to_ms <= evidence.from_ms:
        return -1.0
    share = shares[name](evidence, limit)
    return -1.0 if share is None else max(share, 0.0)


def duration(days: float) -> str:
    """Return a time in the unit that fits it, rounded up.

    >>> duration(3.2), duration(45.0), duration(200.0), duration(900.0)
    ('4 days', '7 weeks', '7 months', '2.5 years')
    """
    if days <= 2.0 * WEEK_DAYS - 1.0:
        return _counted(math.ceil(days - 1e-9), "day")
    if days <= 3.0 * MONTH_DAYS:
        return _counted(math.ceil(days / WEEK_DAYS - 1e-9), "week")
    if days <= 2.0 * YEAR_DAYS:
        return _counted(math.ceil(days / MONTH_DAYS - 1e-9), "month")
    return f"{math.ceil(days / YEAR_DAYS * 10.0 - 1e-9) / 10.0:g} years"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _of_trades(evidence: Evidence, limit: float) -> float | None:
    """Return how much more of the time is needed, as a share of the present one."""
    trades = evidence.metrics.trades
    return limit / trades - 1.0 if trades else None


def _of_sharpe(evidence: Evidence, limit: float) -> float | None:
    """Return the share for the Deflated Sharpe ratio: its z-value grows with the root of days."""
    from scipy.special import ndtri

    probability = evidence.deflated_sharpe
    if probability is None or not 0.0 < probability < 1.0 or not 0.5 < limit < 1.0:
        return None
    z = float(ndtri(probability))
    return math.inf if z <= 0.0 else (float(ndtri(limit)) / z) ** 2 - 1.0


def _of_e_value(evidence: Evidence, limit: float) -> float | None:
    """Return the share for the e-value: its logarithm grows by as much in each step."""
    value = evidence.e_value
    if value is None or not math.isfinite(value) or limit <= 1.0:
        return None
    return math.inf if value <= 1.0 else math.log(limit) / math.log(value) - 1.0
