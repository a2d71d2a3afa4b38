"""The verdict: every line can say no by itself, and what is not known does not pass."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from ares.learn.gate.evidence import Baseline, Evidence, PerformanceMetrics
from ares.learn.gate.verdict import GateLimits, Verdict, VerdictLine, judge

GOOD_METRICS = PerformanceMetrics(
    trades=400,
    net_bps=12.0,
    net_return=0.4,
    sharpe=2.4,
    max_drawdown=0.08,
    accuracy=0.58,
    precision=0.6,
    f1=0.55,
    brier=0.24,
    brier_skill=0.02,
)
GOOD = Evidence(
    subject="a" * 64,
    hypothesis="beats_flat",
    metrics=GOOD_METRICS,
    baselines=(Baseline("buy_and_hold", 0.9), Baseline("sma_cross", None)),
    leak_values=100_000,
    parity_rows=1_205,
    parity_difference=1e-7,
    majority_accuracy=0.55,
    calibration_error=0.03,
    calibration_limit=0.05,
    constant_share=0.0,
    deflated_sharpe=0.98,
    trials=3,
    pbo=0.7,
    e_value=150.0,
    inference_us=20.0,
)
LIMITS = GateLimits()


def changed(**changes: Any) -> Evidence:
    """Return the good evidence with some of its numbers, or its metrics' numbers, changed."""
    inner = {name: changes.pop(name) for name in list(changes) if hasattr(GOOD_METRICS, name)}
    metrics = msgspec.structs.replace(GOOD_METRICS, **inner)
    return msgspec.structs.replace(GOOD, metrics=metrics, **changes)


def line(verdict: Verdict, name: str) -> VerdictLine:
    return next(one for one in verdict.lines if one.name == name)


def test_good_evidence_passes_and_every_line_has_its_number() -> None:
    verdict = judge(GOOD, LIMITS)
    assert verdict.passed
    assert verdict.failed == ()
    assert all(one.value is not None for one in verdict.lines)
    assert all((one.passed is None) == (one.comparison == "reported") for one in verdict.lines)
    assert verdict.subject == GOOD.subject


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("reproducible", {"not_reproduced": ("binance_BTC-USDT_1h/20230501_120000",)}),
        ("lookahead_leakage", {"leaking": ("rsi_14",)}),
        ("lookahead_leakage", {"leak_values": 0}),
        ("parity", {"parity_difference": 2e-5}),
        ("parity", {"parity_rows": 0}),
        ("trades", {"trades": 29}),
        ("net_bps", {"net_bps": 0.0}),
        ("sharpe_vs_flat", {"sharpe": -0.1, "baselines": (Baseline("buy_and_hold", -1.0),)}),
        ("sharpe_vs_buy_and_hold", {"sharpe": 0.9}),
        ("sharpe_vs_buy_and_hold", {"baselines": (Baseline("sma_cross", 0.1),)}),
        ("sharpe_vs_sma_cross", {"baselines": (Baseline("sma_cross", 2.5),)}),
        ("brier_skill_score", {"brier_skill": 0.0}),
        ("calibration_error", {"calibration_error": 0.06}),
        ("calibration_error", {"calibration_limit": None}),
        ("constant_output", {"constant_share": 0.8}),
        ("deflated_sharpe", {"deflated_sharpe": 0.94}),
        ("e_value", {"e_value": 99.0}),
        ("inference_latency_us", {"inference_us": 1_500.0}),
    ],
)
def test_each_line_alone_refuses(name: str, changes: dict[str, Any]) -> None:
    verdict = judge(changed(**changes), LIMITS)
    assert not verdict.passed
    assert name in [one.name for one in verdict.failed]


@pytest.mark.parametrize(
    "name",
    [
        "parity_difference",
        "net_bps",
        "sharpe",
        "brier_skill",
        "calibration_error",
        "constant_share",
        "deflated_sharpe",
        "e_value",
        "inference_us",
    ],
)
@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_what_is_not_known_does_not_pass(name: str, missing: float | None) -> None:
    verdict = judge(changed(**{name: missing}), LIMITS)
    assert not verdict.passed
    assert verdict.failed[0].value is None
    assert "unknown" in verdict.failed[0].note


def test_pbo_and_drawdown_are_reported_and_judged_only_with_a_limit() -> None:
    free = judge(GOOD, LIMITS)
    assert line(free, "pbo").passed is None
    assert line(free, "pbo").value == 0.7
    bound = judge(GOOD, GateLimits(pbo_max=0.5, drawdown_max=0.05))
    assert [one.name for one in bound.failed] == ["max_drawdown", "pbo"]
    assert not judge(changed(pbo=None), GateLimits(pbo_max=0.5)).passed
    assert judge(changed(pbo=None), LIMITS).passed


@pytest.mark.parametrize(
    ("hypothesis", "least"), [("beats_flat", 100.0), ("better", 20.0), ("not_worse", 20.0)]
)
def test_the_hypothesis_sets_the_required_evidence(hypothesis: str, least: float) -> None:
    seen = line(judge(changed(hypothesis=hypothesis, e_value=least), LIMITS), "e_value")
    assert seen.limit == pytest.approx(least)
    assert seen.passed
    assert not judge(changed(hypothesis=hypothesis, e_value=0.99 * least), LIMITS).passed


def test_simple_asks_one_metric_of_the_champion_and_integrity() -> None:
    weak = changed(
        deflated_sharpe=0.1, e_value=0.2, champion=PerformanceMetrics(trades=10, sharpe=2.0)
    )
    verdict = judge(weak, LIMITS, "simple")
    assert verdict.passed
    assert [one.name for one in verdict.lines if one.passed is not None] == [
        "reproducible",
        "lookahead_leakage",
        "parity",
        "plausible",
        "simple",
    ]
    assert line(verdict, "deflated_sharpe").value == 0.1  # shown all the same
    better = msgspec.structs.replace(weak, champion=PerformanceMetrics(trades=10, sharpe=2.4))
    assert not judge(better, LIMITS, "simple").passed
    unknown = msgspec.structs.replace(weak, champion=PerformanceMetrics(trades=0))
    assert not judge(unknown, LIMITS, "simple").passed
    leaking = msgspec.structs.replace(weak, leaking=("x",))
    assert not judge(leaking, LIMITS, "simple").passed


def test_simple_without_a_champion_asks_for_better_than_flat() -> None:
    assert judge(GOOD, LIMITS, "simple").passed
    assert not judge(changed(sharpe=0.0), LIMITS, "simple").passed
    by_accuracy = GateLimits(simple_metric="accuracy")
    assert judge(GOOD, by_accuracy, "simple").passed
    assert not judge(changed(accuracy=0.55), by_accuracy, "simple").passed


def test_equal_numbers_have_one_hash_and_others_another() -> None:
    verdict = judge(GOOD, LIMITS)
    again = msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict)
    assert again == verdict
    assert again.hash == verdict.hash == judge(GOOD, LIMITS).hash
    others = {
        judge(changed(deflated_sharpe=0.97), LIMITS).hash,
        judge(changed(subject="b" * 64), LIMITS).hash,
        judge(GOOD, LIMITS, "simple").hash,
        judge(GOOD, GateLimits(dsr_min=0.96)).hash,
        judge(changed(net_return=0.5), LIMITS).hash,  # evidence that no line shows
    }
    assert len(others) == 5
    assert verdict.hash not in others
