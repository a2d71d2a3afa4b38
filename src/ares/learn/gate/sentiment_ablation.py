"""What sentiment adds: an ensemble against its price-only twin, on the same out-of-sample bars.

The twin is the same walk-forward over the same rows without the columns of sentiment.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ares.learn.gate.account import AccountTerms
from ares.learn.gate.evidence import PerformanceMetrics
from ares.learn.gate.evidence_builder import performance
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.paired import PairedDifference, trade_pair
from ares.learn.gate.verdict import GateLimits


class AblationResult(msgspec.Struct, frozen=True):
    """The ablation's result; the gate sets no limit on it.

    with_sentiment, price_only : metrics of the two on the same bars.
    difference : with sentiment less price-only.
    decisions, brier_gain : decisions that both made, and the share by which sentiment lowers the
                 twin's Brier score (negative: it raises it).
    """

    from_ms: int
    to_ms: int
    with_sentiment: PerformanceMetrics
    price_only: PerformanceMetrics
    difference: PairedDifference
    decisions: int
    brier_gain: float | None

    @property
    def sentence(self) -> str:
        """Return the result as one sentence."""
        found = self.difference
        gain = "" if self.brier_gain is None else f", Brier score {-self.brier_gain:+.2%}"
        numbers = f"{found.mean_bps:+.3f} bps an hour{gain}, over {found.steps:,} hours"
        if found.e_first_better >= found.e_value_min:
            return f"Sentiment improves on prices alone: {numbers}."
        if found.e_second_better >= found.e_value_min:
            return f"Sentiment is worse than prices alone: {numbers}."
        return f"Sentiment is not shown to add anything to prices: {numbers}."


def ablation(
    with_sentiment: EnsembleScores,
    price_only: EnsembleScores,
    terms: AccountTerms,
    limits: GateLimits,
) -> AblationResult:
    """Compare an ensemble with its price-only twin on the bars that both walked forward over.

    Raises ValueError where there are no such bars.
    """
    trained_ms = min(with_sentiment.train_end_ms, price_only.train_end_ms)
    pair = trade_pair(with_sentiment, price_only, terms, to_ms=trained_ms)
    if pair.second_account is None:
        raise AssertionError("the twin was traded")
    rows, p = with_sentiment.decisions(pair.from_ms, pair.to_ms)
    twin_rows, twin_p = price_only.decisions(pair.from_ms, pair.to_ms)
    _, own_row, twin_row = np.intersect1d(
        rows.decided_ms, twin_rows.decided_ms, assume_unique=True, return_indices=True
    )
    won = rows.won[own_row].astype(np.float64)
    brier, twin_brier = (
        float(np.mean((q - won) ** 2)) if len(won) else 0.0 for q in (p[own_row], twin_p[twin_row])
    )
    return AblationResult(
        from_ms=pair.from_ms,
        to_ms=pair.to_ms,
        with_sentiment=performance(pair.first_account, rows, p),
        price_only=performance(pair.second_account, twin_rows, twin_p),
        difference=pair.difference(limits),
        decisions=len(won),
        brier_gain=1.0 - brier / twin_brier if twin_brier > 0.0 else None,
    )
