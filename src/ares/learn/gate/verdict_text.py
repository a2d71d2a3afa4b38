"""A verdict as text: the name, value and limit of each line, and a sentence that sums it up."""

from __future__ import annotations

from ares.learn.gate.evidence import Evidence
from ares.learn.gate.sufficiency import NEVER, more_share, what_suffices
from ares.learn.gate.verdict import HYPOTHESES, Verdict, VerdictLine

NAMES = {
    "reproducible": "reproducible",
    "lookahead_leakage": "look-ahead leakage",
    "parity": "ONNX parity",
    "plausible": "plausible",
    "trades": "trades",
    "net_bps": "net bps per trade",
    "sharpe_vs_flat": "Sharpe vs flat",
    "sharpe_vs_buy_and_hold": "Sharpe vs buy & hold",
    "sharpe_vs_sma_cross": "Sharpe vs SMA cross",
    "max_drawdown": "max drawdown",
    "accuracy": "accuracy",
    "precision": "precision",
    "f1": "F1",
    "brier_score": "Brier score",
    "brier_skill_score": "Brier skill score",
    "calibration_error": "calibration error",
    "constant_output": "constant output",
    "deflated_sharpe": "Deflated Sharpe ratio",
    "pbo": "PBO",
    "e_value": "e-value of the e-process",
    "inference_latency_us": "inference latency (µs)",
    "simple": "simple rule",
}

SIGNS = {"at most": "≤", "at least": "≥", "above": ">", "reported": ""}

SHARES = (
    "plausible",
    "max_drawdown",
    "accuracy",
    "precision",
    "f1",
    "brier_skill_score",
    "constant_output",
)
COUNTS = ("reproducible", "lookahead_leakage", "trades")


def name_of(line: VerdictLine) -> str:
    """Return the display name of a line.

    >>> name_of(VerdictLine("pbo", 0.2, None, None))
    'PBO'
    """
    return NAMES.get(line.name, line.name)


def number_of(line: VerdictLine, number: float | None) -> str:
    """Return a line's value, or its limit, formatted."""
    if number is None:
        return "–"
    if line.name in SHARES:
        return f"{number:.1%}"
    if line.name == "parity":
        return f"{number:.1e}"
    if line.name in COUNTS:
        return f"{number:,.0f}"
    if abs(number) >= 1e4:
        return f"{number:.2e}"
    return f"{number:,.3f}" if abs(number) < 10 else f"{number:,.1f}"


def limit_of(line: VerdictLine) -> str:
    """Return the condition that a line's value must meet; empty where it is only reported.

    >>> limit_of(VerdictLine("trades", 12, 30, False, "", "at least"))
    '≥ 30'
    """
    if line.comparison == "reported":
        return ""
    return f"{SIGNS[line.comparison]} {number_of(line, line.limit)}"


def sentence_of(verdict: Verdict, evidence: Evidence) -> str:
    """Return the verdict as one sentence."""
    lines = sum(line.passed is not None for line in verdict.lines)
    if verdict.passed:
        tested = HYPOTHESES[evidence.hypothesis]
        return f"Passed: all {lines} lines (rule {verdict.rule}; {tested})."
    failed = [name_of(line) for line in verdict.failed]
    named = ", ".join(failed[:4]) + (f" and {len(failed) - 4} more" if len(failed) > 4 else "")
    refused = f"Refused: {len(failed)} of {lines} lines failed ({named})"
    texts = [what_suffices(line.name, evidence, line.limit) for line in verdict.failed]
    if NEVER in texts or not all(texts):
        return f"{refused}."
    longest = max(verdict.failed, key=lambda line: more_share(line.name, evidence, line.limit))
    return f"{refused}: {what_suffices(longest.name, evidence, longest.limit)}."
