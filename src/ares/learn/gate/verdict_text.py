"""A verdict in words: what each line asks, and the sentence that a person reads first."""

from __future__ import annotations

from ares.learn.gate.evidence import Evidence
from ares.learn.gate.verdict import QUESTIONS, Verdict, VerdictLine

NAMES = {
    "reproduced": "trained again, the same",
    "leaks": "columns that know the future",
    "parity": "graph against model",
    "trades": "trades",
    "net_bps": "net of a trade, bps",
    "sharpe_flat": "Sharpe against flat",
    "sharpe_buy_and_hold": "Sharpe against buy & hold",
    "sharpe_sma_cross": "Sharpe against SMA cross",
    "max_drawdown": "deepest drawdown",
    "accuracy": "accuracy",
    "precision": "precision",
    "f1": "F1",
    "brier": "Brier score",
    "brier_skill": "Brier skill",
    "calibration_error": "calibration error",
    "constant_share": "constant output",
    "deflated_sharpe": "Deflated Sharpe",
    "pbo": "PBO",
    "e_value": "anytime-valid test, e",
    "inference_us": "time of a row, µs",
    "simple": "one metric",
}

SIGNS = {"at most": "≤", "at least": "≥", "above": ">", "reported": ""}

SHARES = ("max_drawdown", "accuracy", "precision", "f1", "brier_skill", "constant_share")


def name_of(line: VerdictLine) -> str:
    """Return what a line is called.

    >>> name_of(Line("pbo", 0.2, None, None))
    'PBO'
    """
    return NAMES.get(line.name, line.name)


def number_of(line: VerdictLine, number: float | None) -> str:
    """Return a line's number, or its limit, as a person reads it."""
    if number is None:
        return "–"
    if line.name in SHARES:
        return f"{number:.1%}"
    if line.name in {"parity"}:
        return f"{number:.1e}"
    if line.name in {"reproduced", "leaks", "trades"}:
        return f"{number:,.0f}"
    if abs(number) >= 1e4:
        return f"{number:.2e}"
    return f"{number:,.3f}" if abs(number) < 10 else f"{number:,.1f}"


def limit_of(line: VerdictLine) -> str:
    """Return what a line's number must be; empty where it is only reported.

    >>> limit_of(Line("trades", 12, 30, False, "", "at least"))
    '≥ 30'
    """
    if line.sense == "reported":
        return ""
    return f"{SIGNS[line.sense]} {number_of(line, line.limit)}"


def sentence_of(verdict: Verdict, evidence: Evidence) -> str:
    """Return the verdict as one sentence."""
    asked = QUESTIONS[evidence.question]
    judged = sum(line.passed is not None for line in verdict.lines)
    if verdict.passed:
        return f"Passed: all {judged} lines say yes (rule {verdict.rule}; {asked})."
    failed = [name_of(line) for line in verdict.failed]
    named = ", ".join(failed[:4]) + (f" and {len(failed) - 4} more" if len(failed) > 4 else "")
    return f"Refused: {len(failed)} of {judged} lines say no ({named})."
