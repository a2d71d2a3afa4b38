"""What sentiment adds: an ensemble beside its price-only twin, on the same bars, out of sample.

The twin is what the same rows, walked in the same way, give without the columns of sentiment.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ares.learn.gate.account import AccountTerms, EvidenceAccount, annual_sharpe
from ares.learn.gate.evidence import Figures
from ares.learn.gate.evidence_builder import figures, judged_bars, paired, window
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.verdict import GateLimits


class AblationResult(msgspec.Struct, frozen=True):
    """The paired result; nothing of it is a limit of the gate.

    own, twin  : figures with sentiment, and by prices alone.
    steps, mean_bps : hours, and the mean difference of an hour's return.
    sharpe_of_difference : annualised, of the daily difference.
    e_better, e_worse : of the anytime-valid test that sentiment is better, worse; ``e_enough``
                 would do.
    decisions, brier_gain : decisions that both made, and the share of the twin's Brier score that
                 sentiment takes away (negative: it adds).
    """

    from_ms: int
    to_ms: int
    own: Figures
    twin: Figures
    steps: int
    mean_bps: float
    sharpe_of_difference: float | None
    e_better: float
    e_worse: float
    e_enough: float
    decisions: int
    brier_gain: float | None

    @property
    def sentence(self) -> str:
        """Return what sentiment added."""
        gain = "" if self.brier_gain is None else f", {self.brier_gain:+.2%} of the Brier score"
        told = f"{self.mean_bps:+.3f} bps an hour{gain}, over {self.steps:,} hours"
        if self.e_better >= self.e_enough:
            return f"sentiment adds to prices: {told}"
        if self.e_worse >= self.e_enough:
            return f"sentiment takes away from prices: {told}"
        return f"sentiment is not shown to add anything to prices: {told}"


def beside(
    own: EnsembleScores, twin: EnsembleScores, terms: AccountTerms, limits: GateLimits
) -> AblationResult:
    """Return what both made of the bars on which both were out of sample, and walked.

    Raises ValueError where there are no such bars.
    """
    from_ms, to_ms = window(own, twin)
    to_ms = min(to_ms, own.train_end_ms, twin.train_end_ms)
    if from_ms >= to_ms:
        raise ValueError("there are no bars on which both were walked")
    terms = terms.judging()
    bars, before = judged_bars(own, from_ms, to_ms)
    pair = [one.account(bars, own.watched_ms, terms) for one in (own, twin)]

    def e_value(
        mine: EnsembleScores, other: EnsembleScores, a: EvidenceAccount, b: EvidenceAccount
    ) -> float:
        return paired(mine, other, a, b, before, terms, limits, "better")[0].e_value

    rows, p = own.decisions(from_ms, to_ms)
    other_rows, other_p = twin.decisions(from_ms, to_ms)
    _, here, there = np.intersect1d(
        rows.decided_ms, other_rows.decided_ms, assume_unique=True, return_indices=True
    )
    won = rows.won[here].astype(np.float64)
    brier, theirs = (float(np.mean((q - won) ** 2)) if len(won) else 0.0
                     for q in (p[here], other_p[there]))  # fmt: skip
    apart = 1e4 * (pair[0].steps() - pair[1].steps())
    return AblationResult(
        from_ms=from_ms,
        to_ms=to_ms,
        own=figures(pair[0], rows, p),
        twin=figures(pair[1], other_rows, other_p),
        steps=len(apart),
        mean_bps=float(apart.mean()) if len(apart) else 0.0,
        sharpe_of_difference=annual_sharpe(pair[0].daily - pair[1].daily),
        e_better=e_value(own, twin, pair[0], pair[1]),
        e_worse=e_value(twin, own, pair[1], pair[0]),
        e_enough=limits.e_value_min("better"),
        decisions=len(won),
        brier_gain=1.0 - brier / theirs if theirs > 0.0 else None,
    )
