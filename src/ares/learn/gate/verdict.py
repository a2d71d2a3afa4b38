"""The verdict: evidence against limits, one line each; what is not known does not pass."""

from __future__ import annotations

import hashlib
import math
from typing import Literal

import msgspec

from ares.learn.gate.evidence import FLAT, Baseline, Evidence, Question

Rule = Literal["evidence", "simple"]

Sense = Literal["at most", "at least", "above", "reported"]

Metric = Literal["sharpe", "net_bps", "accuracy", "brier_skill"]

QUESTIONS: dict[Question, str] = {
    "beats_flat": "against staying flat",
    "better": "better than the champion",
    "not_worse": "not worse than the champion",
}

INTEGRITY = ("reproduced", "leaks", "parity")
"""Lines that no rule goes without: a model that fails them is not the model that was judged."""


class GateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence must come to.

    beaten        : baselines whose Sharpe ratio must be beaten.
    alpha_flat, alpha_better, alpha_not_worse : chance allowed of a false yes, by question.
    margin_sds    : by how much a refit may be worse than the champion, in standard deviations that
                    the price of a full position moves in an hour.
    drawdown_max, pbo_max : None: reported only.
    simple_metric : what must be higher than the champion's under the rule ``simple``.
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
    simple_metric: Metric = "sharpe"

    def e_value_min(self, question: Question) -> float:
        """Return 1 / alpha of the question."""
        alphas: dict[Question, float] = {
            "beats_flat": self.alpha_flat,
            "better": self.alpha_better,
            "not_worse": self.alpha_not_worse,
        }
        return 1.0 / alphas[question]


class VerdictLine(msgspec.Struct, frozen=True):
    """One line of the verdict.

    number : what was seen, None: not known.
    limit  : what it must be ``sense``; None where it is only reported, or not known.
    passed : None where the line is not judged.
    """

    name: str
    number: float | None
    limit: float | None
    passed: bool | None
    note: str = ""
    sense: Sense = "reported"


class Verdict(msgspec.Struct, frozen=True):
    """What the judge says of an ensemble; passed where a line was judged and none failed."""

    subject: str
    rule: Rule
    passed: bool
    lines: tuple[VerdictLine, ...]
    evidence_hash: str

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON: what the history of the model refers to."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def failed(self) -> tuple[VerdictLine, ...]:
        """Return the lines that say no."""
        return tuple(line for line in self.lines if line.passed is False)


def judge(evidence: Evidence, limits: GateLimits, rule: Rule = "evidence") -> Verdict:
    """Return the verdict on the evidence; the same numbers give the same hash.

    ``evidence`` judges every line. ``simple`` judges the lines of INTEGRITY and one metric against
    the champion's (flat's where there is none); the others are shown without being judged.
    """
    lines = _evidence_lines(evidence, limits)
    if rule == "simple":
        lines = [
            line if line.name in INTEGRITY else msgspec.structs.replace(line, passed=None)
            for line in lines
        ]
        lines.append(_simple_line(evidence, limits.simple_metric))
    judged = [line.passed for line in lines if line.passed is not None]
    return Verdict(
        evidence.subject, rule, bool(judged) and all(judged), tuple(lines), evidence.hash
    )


def _evidence_lines(seen: Evidence, limits: GateLimits) -> list[VerdictLine]:
    """Return the lines of the rule ``evidence``, in the order in which they are shown."""
    figures = seen.figures
    return [
        _at_least("reproduced", seen.members - len(seen.unlike), seen.members, _unlike_note(seen)),
        _at_most("leaks", len(seen.leaking) if seen.leak_values else None, 0, _leak_note(seen)),
        _at_most(
            "parity",
            seen.parity_difference if seen.parity_rows else None,
            limits.parity_difference_max,
            f"largest difference in probability over {seen.parity_rows} rows",
        ),
        _at_least("trades", figures.trades, limits.trades_min, "out of sample"),
        _above("net_bps", figures.net_bps, limits.net_bps_min, "mean of a trade after costs"),
        *(_baseline_line(name, seen) for name in limits.beaten),
        _optional("max_drawdown", figures.max_drawdown, limits.drawdown_max, "share of the peak"),
        _reported("accuracy", figures.accuracy, _base_note(seen.accuracy_base)),
        _reported("precision", figures.precision, "won trades among those named so"),
        _reported("f1", figures.f1, ""),
        _reported("brier", figures.brier, "mean squared error of the probability"),
        _above("brier_skill", figures.brier_skill, limits.brier_skill_min, "against the base rate"),
        _at_most(
            "calibration_error",
            seen.calibration_error,
            seen.calibration_limit,
            "limit: the 95% quantile of a perfectly calibrated model on as many rows",
        ),
        _at_most(
            "constant_share",
            seen.constant_share,
            limits.constant_share_max,
            "rows of folds whose output does not vary",
        ),
        _at_least(
            "deflated_sharpe",
            seen.dsr,
            limits.dsr_min,
            f"probability of being more than the best of {seen.trials} trials by luck"
            + ("" if seen.dsr_hurdle is None else f" (its Sharpe ratio: {seen.dsr_hurdle:.2f})"),
        ),
        _optional("pbo", seen.pbo, limits.pbo_max, "probability of backtest overfitting (CSCV)"),
        _at_least(
            "e_value",
            seen.e_value,
            limits.e_value_min(seen.question),
            f"{QUESTIONS[seen.question]}, anytime-valid, {seen.steps} steps"
            + (f", {seen.breaches} of them beyond its bound" if seen.breaches else ""),
        ),
        _at_most("inference_us", seen.inference_us, limits.inference_us_max, "a row"),
    ]


def _baseline_line(name: str, seen: Evidence) -> VerdictLine:
    """Return the line of a baseline that must be beaten; one that was not run is not beaten."""
    known = (Baseline(FLAT, 0.0), *seen.baselines)
    found = next((each for each in known if each.name == name), None)
    if found is None:
        note = f"{name} was not run on these bars"
        return VerdictLine(
            f"sharpe_{name}", _finite(seen.figures.sharpe), None, False, note, "above"
        )
    return _above(
        f"sharpe_{name}", seen.figures.sharpe, found.sharpe or 0.0, f"Sharpe ratio of {name}"
    )


def _simple_line(seen: Evidence, metric: Metric) -> VerdictLine:
    """Return the one comparison of the rule ``simple``."""
    number = getattr(seen.figures, metric)
    if seen.champion is not None:
        note = f"{metric} higher than the champion's"
        return _above("simple", number, getattr(seen.champion, metric), note)
    least = seen.accuracy_base if metric == "accuracy" else 0.0
    return _above("simple", number, least, f"{metric} higher than staying flat (no champion)")


def _unlike_note(seen: Evidence) -> str:
    if not seen.unlike:
        return "packages that training again gives to the byte"
    names = ", ".join(seen.unlike)
    return f"candles or libraries have changed since {names} was trained: train again"


def _leak_note(seen: Evidence) -> str:
    if not seen.leak_values:
        return "the leak test compared nothing"
    if seen.leaking:
        return "these know the future: " + ", ".join(seen.leaking)
    return f"columns that know the future, in {seen.leak_values} values compared"


def _base_note(base: float | None) -> str:
    return "" if base is None else f"{base:.3f} by always naming the more frequent outcome"


def _at_most(name: str, number: float | None, limit: float | None, note: str) -> VerdictLine:
    return _line(name, number, limit, note, "at most")


def _at_least(name: str, number: float | None, limit: float | None, note: str) -> VerdictLine:
    return _line(name, number, limit, note, "at least")


def _above(name: str, number: float | None, limit: float | None, note: str) -> VerdictLine:
    return _line(name, number, limit, note, "above")


def _optional(name: str, number: float | None, limit: float | None, note: str) -> VerdictLine:
    """Return a line that is judged only where a limit is set."""
    if limit is None:
        return _reported(name, number, note)
    return _at_most(name, number, limit, note)


def _reported(name: str, number: float | None, note: str) -> VerdictLine:
    return VerdictLine(name, _finite(number), None, None, note)


def _line(
    name: str, number: float | None, limit: float | None, note: str, sense: Sense
) -> VerdictLine:
    """Return a judged line; a number or limit that is not known, or not finite, fails it."""
    value, bound = _finite(number), _finite(limit)
    if value is None or bound is None:
        missing = "not known" if value is None else "its limit is not known"
        return VerdictLine(name, value, bound, False, f"{missing}: {note}", sense)
    passed = {
        "at most": value <= bound,
        "at least": value >= bound,
        "above": value > bound,
    }[sense]
    return VerdictLine(name, value, bound, passed, note, sense)


def _finite(number: float | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None
