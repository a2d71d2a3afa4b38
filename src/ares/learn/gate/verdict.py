"""The verdict: evidence against limits, one line each; an unknown value does not pass."""

from __future__ import annotations

import hashlib
import math
from typing import Literal

import msgspec

from ares.learn.gate.evidence import FLAT, Baseline, Evidence, Hypothesis
from ares.learn.gate.plausible import Attestation, plausibility
from ares.learn.gate.sufficiency import what_suffices

Rule = Literal["evidence", "simple"]

Comparison = Literal["at most", "at least", "above", "reported"]

Metric = Literal["sharpe", "net_bps", "accuracy", "brier_skill"]

HYPOTHESES: dict[Hypothesis, str] = {
    "beats_flat": "beats staying flat",
    "better": "better than the champion",
    "not_worse": "not worse than the champion",
}

PLAUSIBLE = "plausible"
"""The line that no promotion by force waives."""

INTEGRITY = ("reproducible", "lookahead_leakage", "parity", PLAUSIBLE)
"""Lines that every rule requires: a model that fails them is not the model that was evaluated, or
its results are too good to be true.
"""


class GateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that the evidence must keep.

    beaten        : baselines whose Sharpe ratio must be beaten.
    alpha_flat, alpha_better, alpha_not_worse : probability allowed of a false pass, by hypothesis.
    margin_sds    : by how much a refit may be worse than the champion, in standard deviations of
                    an hour's return of a full position.
    drawdown_max, pbo_max : None: reported only.
    plausible_brier_skill_max, plausible_sharpe_max : above one of them a person must answer for
                    the results; None: not judged (verdicts before there was this line).
    simple_metric : must be higher than the champion's under the rule ``simple``.
    """

    parity_difference_max: float = 1e-5
    trades_min: int = 30
    net_bps_min: float = 0.0
    drawdown_max: float | None = None
    beaten: tuple[str, ...] = ("flat", "buy_and_hold", "sma_cross")
    brier_skill_min: float = 0.0
    constant_share_max: float = 0.5
    dsr_min: float = 0.95
    pbo_max: float | None = None
    alpha_flat: float = 0.01
    alpha_better: float = 0.05
    alpha_not_worse: float = 0.05
    margin_sds: float = 0.02
    inference_us_max: float = 1_000.0
    plausible_brier_skill_max: float | None = 0.25
    plausible_sharpe_max: float | None = 8.0
    simple_metric: Metric = "sharpe"

    def e_value_min(self, hypothesis: Hypothesis) -> float:
        """Return 1 / alpha of the hypothesis."""
        alphas: dict[Hypothesis, float] = {
            "beats_flat": self.alpha_flat,
            "better": self.alpha_better,
            "not_worse": self.alpha_not_worse,
        }
        return 1.0 / alphas[hypothesis]


class VerdictLine(msgspec.Struct, frozen=True):
    """One line of the verdict.

    value  : from the evidence; None: unknown.
    limit  : what the value must be ``comparison``; None where it is only reported, or unknown.
    passed : None where the line has no limit.
    """

    name: str
    value: float | None
    limit: float | None
    passed: bool | None
    note: str = ""
    comparison: Comparison = "reported"


class Verdict(msgspec.Struct, frozen=True):
    """The gate's decision on an ensemble: passed where a line has a limit and none fails."""

    subject: str
    rule: Rule
    passed: bool
    lines: tuple[VerdictLine, ...]
    evidence_hash: str

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON, to which the models' journal refers."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def failed(self) -> tuple[VerdictLine, ...]:
        """Return the lines that failed."""
        return tuple(line for line in self.lines if line.passed is False)


def judge(
    evidence: Evidence,
    limits: GateLimits,
    rule: Rule = "evidence",
    attestation: Attestation | None = None,
) -> Verdict:
    """Return the verdict on the evidence; the same numbers give the same hash.

    attestation : a person's word for results above the limits of plausibility.

    ``evidence`` applies every limit. ``simple`` applies those of INTEGRITY and compares one metric
    with the champion's (with flat where there is none); the other lines are only reported.
    """
    found = _evidence_lines(evidence, limits, attestation)
    lines = [_with_what_suffices(line, evidence) for line in found]
    if rule == "simple":
        lines = [
            line if line.name in INTEGRITY else msgspec.structs.replace(line, passed=None)
            for line in lines
        ]
        lines.append(_simple_line(evidence, limits.simple_metric))
    results = [line.passed for line in lines if line.passed is not None]
    return Verdict(
        evidence.subject, rule, bool(results) and all(results), tuple(lines), evidence.hash
    )


def _with_what_suffices(line: VerdictLine, evidence: Evidence) -> VerdictLine:
    """Return a line that failed for want of trades or power with what would suffice."""
    if line.passed is not False:
        return line
    text = what_suffices(line.name, evidence, line.limit)
    return msgspec.structs.replace(line, note=f"{line.note}; {text}") if text else line


def _evidence_lines(
    evidence: Evidence, limits: GateLimits, attestation: Attestation | None
) -> list[VerdictLine]:
    """Return the lines of the rule ``evidence``, in the order in which they are shown."""
    return [
        *_integrity_lines(evidence, limits),
        _plausible_line(evidence, limits, attestation),
        *_result_lines(evidence, limits),
        *_probability_lines(evidence, limits),
        *_selection_lines(evidence, limits),
        _at_most(
            "inference_latency_us",
            evidence.inference_us,
            limits.inference_us_max,
            "median of one row through all graphs",
        ),
    ]


def _integrity_lines(evidence: Evidence, limits: GateLimits) -> list[VerdictLine]:
    """Return whether the evaluated model is the stored one, and sees the past only."""
    reproduced = evidence.members - len(evidence.not_reproduced)
    leaking = len(evidence.leaking) if evidence.leak_values else None
    return [
        _at_least("reproducible", reproduced, evidence.members, _reproducible_note(evidence)),
        _at_most("lookahead_leakage", leaking, 0, _leak_note(evidence)),
        _at_most(
            "parity",
            evidence.parity_difference if evidence.parity_rows else None,
            limits.parity_difference_max,
            "largest difference in probability between graph and trained model, "
            f"{evidence.parity_rows} rows",
        ),
    ]


def _plausible_line(
    evidence: Evidence, limits: GateLimits, attestation: Attestation | None
) -> VerdictLine:
    """Return whether the results are plausible, or a person answers for them.

    An unknown result does not fail here, but on the line of its own.
    """
    found = plausibility(evidence, limits.plausible_brier_skill_max, limits.plausible_sharpe_max)
    if found.share is None:
        return _reported(PLAUSIBLE, None, "no result to judge, or no limit")
    line = _at_most(PLAUSIBLE, found.share, 1.0, found.note)
    if line.passed:
        return line
    if attestation is None:
        note = f"{line.note}: look for a leak; if it is true, a person says so (--plausible-by)"
        return msgspec.structs.replace(line, note=note)
    note = f"{line.note}: true by the word of {attestation.by}: {attestation.reason}"
    return msgspec.structs.replace(line, note=note, passed=True)


def _result_lines(evidence: Evidence, limits: GateLimits) -> list[VerdictLine]:
    """Return the trading results after costs, against the baselines."""
    metrics = evidence.metrics
    return [
        _at_least("trades", metrics.trades, limits.trades_min, "out of sample"),
        _above("net_bps", metrics.net_bps, limits.net_bps_min, "mean per trade, after costs"),
        *(_baseline_line(name, evidence) for name in limits.beaten),
        _optional("max_drawdown", metrics.max_drawdown, limits.drawdown_max, "share of the peak"),
    ]


def _probability_lines(evidence: Evidence, limits: GateLimits) -> list[VerdictLine]:
    """Return the quality of the probabilities."""
    metrics = evidence.metrics
    return [
        _reported("accuracy", metrics.accuracy, _accuracy_note(evidence.majority_accuracy)),
        _reported("precision", metrics.precision, "won trades among those predicted to win"),
        _reported("f1", metrics.f1, ""),
        _reported("brier_score", metrics.brier, "mean squared error of the probability"),
        _above(
            "brier_skill_score",
            metrics.brier_skill,
            limits.brier_skill_min,
            "against predicting the base rate",
        ),
        _at_most(
            "calibration_error",
            evidence.calibration_error,
            evidence.calibration_limit,
            "limit: 95% quantile of a perfectly calibrated model on as many rows",
        ),
        _at_most(
            "constant_output",
            evidence.constant_share,
            limits.constant_share_max,
            "share of rows in folds whose output does not vary",
        ),
    ]


def _selection_lines(evidence: Evidence, limits: GateLimits) -> list[VerdictLine]:
    """Return the tests that account for luck, selection among trials, and the champion."""
    expected, breaches = evidence.expected_max_sharpe, evidence.bound_breaches
    return [
        _at_least(
            "deflated_sharpe",
            evidence.deflated_sharpe,
            limits.dsr_min,
            f"probability of a Sharpe ratio above the best of {evidence.trials} trials without "
            "skill" + ("" if expected is None else f" (expected: {expected:.2f})"),
        ),
        _optional(
            "pbo", evidence.pbo, limits.pbo_max, "probability of backtest overfitting (CSCV)"
        ),
        _at_least(
            "e_value",
            evidence.e_value,
            limits.e_value_min(evidence.hypothesis),
            f"{HYPOTHESES[evidence.hypothesis]}, anytime-valid, {evidence.steps} steps"
            + (f", {breaches} beyond the bound" if breaches else ""),
        ),
    ]


def _baseline_line(name: str, evidence: Evidence) -> VerdictLine:
    """Return the line of a baseline that must be beaten; one that was not run fails."""
    known = (Baseline(FLAT, 0.0), *evidence.baselines)
    found = next((baseline for baseline in known if baseline.name == name), None)
    sharpe = evidence.metrics.sharpe
    if found is None:
        note = f"{name} was not run on these bars"
        return VerdictLine(f"sharpe_vs_{name}", _finite(sharpe), None, False, note, "above")
    return _above(f"sharpe_vs_{name}", sharpe, found.sharpe or 0.0, f"Sharpe ratio of {name}")


def _simple_line(evidence: Evidence, metric: Metric) -> VerdictLine:
    """Return the one comparison of the rule ``simple``."""
    value = getattr(evidence.metrics, metric)
    if evidence.champion is not None:
        note = f"{metric} higher than the champion's"
        return _above("simple", value, getattr(evidence.champion, metric), note)
    least = evidence.majority_accuracy if metric == "accuracy" else 0.0
    return _above("simple", value, least, f"{metric} higher than staying flat (no champion)")


def _reproducible_note(evidence: Evidence) -> str:
    if not evidence.not_reproduced:
        return "packages that training again reproduces byte for byte"
    names = ", ".join(evidence.not_reproduced)
    return f"candles or libraries have changed since {names} was trained: train again"


def _leak_note(evidence: Evidence) -> str:
    if not evidence.leak_values:
        return "the look-ahead test compared no values"
    if evidence.leaking:
        return "look-ahead leakage in: " + ", ".join(evidence.leaking)
    return f"leaking columns, {evidence.leak_values} values compared"


def _accuracy_note(majority: float | None) -> str:
    return "" if majority is None else f"{majority:.3f} by always predicting the majority outcome"


def _at_most(name: str, value: float | None, limit: float | None, note: str) -> VerdictLine:
    return _line(name, value, limit, note, "at most")


def _at_least(name: str, value: float | None, limit: float | None, note: str) -> VerdictLine:
    return _line(name, value, limit, note, "at least")


def _above(name: str, value: float | None, limit: float | None, note: str) -> VerdictLine:
    return _line(name, value, limit, note, "above")


def _optional(name: str, value: float | None, limit: float | None, note: str) -> VerdictLine:
    """Return a line that is only reported where no limit is set."""
    if limit is None:
        return _reported(name, value, note)
    return _at_most(name, value, limit, note)


def _reported(name: str, value: float | None, note: str) -> VerdictLine:
    return VerdictLine(name, _finite(value), None, None, note)


def _line(
    name: str, value: float | None, limit: float | None, note: str, comparison: Comparison
) -> VerdictLine:
    """Return a line with a limit; an unknown or infinite value or limit fails it."""
    known, bound = _finite(value), _finite(limit)
    if known is None or bound is None:
        missing = "unknown" if known is None else "limit unknown"
        return VerdictLine(name, known, bound, False, f"{missing}: {note}", comparison)
    passed = {
        "at most": known <= bound,
        "at least": known >= bound,
        "above": known > bound,
    }[comparison]
    return VerdictLine(name, known, bound, passed, note, comparison)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
