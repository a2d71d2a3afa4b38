from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ares.domain.timeframe import DAY_MS
from ares.learn.gate.evidence import Evidence, PerformanceMetrics
from ares.learn.gate.sharpe import moments, probabilistic_sharpe
from ares.learn.gate.sufficiency import NEVER, what_suffices
from ares.learn.gate.verdict import GateLimits, judge
from ares.learn.gate.verdict_text import sentence_of


def evidence(days: int = 100, trades: int = 100, **more: Any) -> Evidence:
    return Evidence(
        subject="e",
        hypothesis="beats_flat",
        metrics=PerformanceMetrics(trades=trades),
        from_ms=0,
        to_ms=days * DAY_MS,
        **more,
    )


@pytest.mark.parametrize(
    ("name", "found", "limit", "text"),
    [
        ("trades", evidence(trades=25, days=50), 30, "about 5 more trades, 10 days at"),
        ("trades", evidence(trades=29, days=29), 30, "about 1 more trade, 1 day at"),
        ("trades", evidence(trades=0), 30, ""),
        ("trades", Evidence(subject="", hypothesis="better",
                            metrics=PerformanceMetrics(trades=3)), 30, ""),
        ("e_value", evidence(e_value=10.0), 100.0, "about 100 more trades, 4 months at"),
        ("e_value", evidence(e_value=0.9), 100.0, NEVER),
        ("e_value", evidence(e_value=1.000001), 100.0, NEVER),
        ("e_value", evidence(trades=0, e_value=10.0), 100.0, "4 months more at"),
        ("deflated_sharpe", evidence(deflated_sharpe=0.4), 0.95, NEVER),
        ("deflated_sharpe", evidence(), 0.95, ""),
        ("net_bps", evidence(), 0.0, ""),
    ],
)  # fmt: skip
def test_what_suffices(name: str, found: Evidence, limit: float, text: str) -> None:
    text_found = what_suffices(name, found, limit)
    assert text_found.startswith(text)
    assert bool(text_found) == bool(text)


def test_as_many_days_as_are_named_reach_the_limit() -> None:
    """With the same moments over so many days, the probability is the limit."""
    found = moments(np.random.default_rng(2).normal(0.05, 1.0, 400))
    assert found is not None
    p = probabilistic_sharpe(found.sharpe, 400, found.skew, found.kurtosis)
    assert p is not None
    assert 0.5 < p < 0.95
    text = what_suffices("deflated_sharpe", evidence(400, 400, deflated_sharpe=p), 0.95)
    more = int(text.split()[1].replace(",", ""))
    reached = probabilistic_sharpe(found.sharpe, 400 + more, found.skew, found.kurtosis)
    assert reached == pytest.approx(0.95, abs=0.002)
    assert math.isclose(2.0 * math.log(10.0), math.log(100.0))


def test_a_refusal_for_want_of_trades_or_power_names_what_would_suffice() -> None:
    found = evidence(days=200, trades=20, e_value=4.0, deflated_sharpe=0.8)
    lines = {line.name: line for line in judge(found, GateLimits()).lines}
    for name in ("trades", "e_value", "deflated_sharpe"):
        assert "would suffice" in lines[name].note, name
    assert "suffice" not in lines["net_bps"].note
    assert "suffice" not in sentence_of(judge(found, GateLimits()), found), "other lines failed too"
