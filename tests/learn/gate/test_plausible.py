"""Plausibility: what is too good to be true needs a person's word, whatever the other lines say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ares.domain.timeframe import DAY_MS, HOUR_MS, Timeframe
from ares.kernel.bars import F64
from ares.learn.gate.account import AccountTerms
from ares.learn.gate.evidence import Evidence, PerformanceMetrics
from ares.learn.gate.evidence_builder import MemberChecks, build_evidence
from ares.learn.gate.leaks import Leaks
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.plausible import Attestation, plausibility, sharpe_lower_bound
from ares.learn.gate.verdict import PLAUSIBLE, GateLimits, Verdict, VerdictLine, judge
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.rows import F32
from ares.learn.walk_forward import fit_walk_forward

LIMITS = GateLimits()
WORD = Attestation("Ada Quant", "the file holds a signal that was published before each bar")
N = 3_000


def evidence(
    brier_skill: float | None, sharpe: float | None = None, days: float = 365.0
) -> Evidence:
    metrics = PerformanceMetrics(trades=400, brier_skill=brier_skill, sharpe=sharpe)
    return Evidence(subject="a", hypothesis="beats_flat", metrics=metrics, to_ms=int(days * DAY_MS))


def plausible_line(verdict: Verdict) -> VerdictLine:
    return next(line for line in verdict.lines if line.name == PLAUSIBLE)


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (evidence(0.049), True),  # the most that the real candles show
        (evidence(0.166, 4.9, 141.0), True),  # a synthetic market with an edge
        (evidence(0.25), True),  # the limit itself passes
        (evidence(0.26), False),
        (evidence(0.02, 10.0), False),
        (evidence(0.02, 10.0, 60.0), True),  # so few days show that by chance
        (evidence(-3.0, -2.0), True),
    ],
)
def test_the_limits_lie_above_what_was_measured(found: Evidence, passed: bool) -> None:
    line = plausible_line(judge(found, LIMITS))
    assert line.passed is passed
    assert line.limit == 1.0
    assert line.value is not None
    assert (line.value <= 1.0) is passed
    assert ("--plausible-by" in line.note) is not passed


def test_a_longer_window_bounds_a_ratio_closer() -> None:
    bounds = [sharpe_lower_bound(5.0, days) for days in (30.0, 141.0, 862.0, 1e9)]
    assert bounds == sorted(bounds, key=lambda bound: bound or 0.0)
    assert bounds[-1] == pytest.approx(5.0, abs=1e-2)
    assert sharpe_lower_bound(5.0, 1.0) is None
    assert sharpe_lower_bound(None, 100.0) is sharpe_lower_bound(np.inf, 100.0) is None


def test_without_a_result_or_a_limit_nothing_is_judged() -> None:
    line = plausible_line(judge(evidence(None), LIMITS))
    assert (line.value, line.passed, line.comparison) == (None, None, "reported")
    assert plausibility(evidence(0.9, 20.0), None, None).share is None
    before = msgspec.structs.replace(
        LIMITS, plausible_brier_skill_max=None, plausible_sharpe_max=None
    )
    assert plausible_line(judge(evidence(0.9, 20.0), before)).passed is None


@pytest.mark.parametrize("rule", ["evidence", "simple"])
def test_a_persons_word_passes_the_line_and_is_in_the_verdict(rule: str) -> None:
    found = evidence(0.6, 12.0)
    alone = judge(found, LIMITS, rule)  # type: ignore[arg-type]  # of the parameters above
    named = judge(found, LIMITS, rule, WORD)  # type: ignore[arg-type]
    assert PLAUSIBLE in [line.name for line in alone.failed]
    assert PLAUSIBLE not in [line.name for line in named.failed]
    note = plausible_line(named).note
    assert f"true by the word of {WORD.by}: {WORD.reason}" in note
    assert plausible_line(named).value == plausible_line(alone).value
    assert named.hash != alone.hash
    fine = evidence(0.02, 2.0)
    assert judge(fine, LIMITS, attestation=WORD) == judge(fine, LIMITS)  # nothing to answer for


def test_a_feature_that_looks_its_value_up_by_time_in_a_file_is_refused(
    scores: Callable[..., EnsembleScores], terms: AccountTerms, tmp_path: Path
) -> None:
    """The file knows what the next 12 hours bring; its value at a time is the same whatever is cut
    off or replaced after it, so a test that does so finds no leak. Prices are noise.
    """
    p = learned(known_to_the_file(scores, tmp_path), scores)
    checks = MemberChecks((), Leaks(500_000, ()), 1_000, 1e-7, 10.0)
    candidate = scores("a", p=p, n=N, train_end_ms=0)
    found = build_evidence(candidate, None, checks, terms, LIMITS, []).evidence
    assert found.metrics.accuracy is not None
    assert found.metrics.accuracy > 0.9
    verdict = judge(found, LIMITS)
    lines = {line.name: line for line in verdict.lines}
    for name in ("lookahead_leakage", "trades", "net_bps", "sharpe_vs_sma_cross", "e_value"):
        assert lines[name].passed, name
    assert lines[PLAUSIBLE].passed is False
    assert not verdict.passed
    assert plausible_line(judge(found, LIMITS, attestation=WORD)).passed


def known_to_the_file(scores: Callable[..., EnsembleScores], folder: Path) -> Path:
    """Return a file with a number for each hour: how a trade entered then ends, one in 20 wrong."""
    rows, _ = scores("a", p=np.full(N, 0.6), n=N).decisions(0, N * HOUR_MS)
    draw = np.random.default_rng(9)
    knows = np.where(rows.won, 1.0, -1.0) * np.where(draw.random(len(rows)) < 0.05, -1.0, 1.0)
    table = dict(zip(rows.decided_ms.tolist(), knows.tolist(), strict=True))
    path = folder / "signal.json"
    path.write_text(json.dumps(table))
    return path


def learned(path: Path, scores: Callable[..., EnsembleScores]) -> F64:
    """Return (N,) probabilities out of sample of a model whose feature is the value in the file."""
    rows, _ = scores("a", p=np.full(N, 0.6), n=N).decisions(0, N * HOUR_MS)
    table = {int(time): value for time, value in json.loads(path.read_text()).items()}
    draw = np.random.default_rng(2)
    x: F32 = np.column_stack(
        [[table[time] for time in rows.decided_ms.tolist()], draw.standard_normal(len(rows))]
    ).astype(np.float32)
    label = LabelRecipe(12, 33.0, 0.0, 1.0)
    recipe = Recipe(Timeframe.H1, ("from_file", "noise"), "features", label)
    out = fit_walk_forward(x, rows, recipe).out_of_sample
    p = np.full(N, np.nan)
    p[out.rows.decided_ms // HOUR_MS - 1] = out.p
    return p
