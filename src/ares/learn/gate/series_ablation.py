"""What an external series adds: an ensemble against its twin without it, on the same bars.

The twin is the same walk-forward over the same rows without the columns of the series.
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

    series     : name of the series that the twin does not have.
    with_series, without_series : metrics of the two on the same bars.
    difference : with the series less without.
    decisions, brier_gain : decisions that both made, and the share by which the series lowers the
                 twin's Brier score (negative: it raises it).
    """

    series: str
    from_ms: int
    to_ms: int
    with_series: PerformanceMetrics
    without_series: PerformanceMetrics
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
            return f"{self.series} improves the ensemble: {numbers}."
        if found.e_second_better >= found.e_value_min:
            return f"{self.series} makes the ensemble worse: {numbers}."
        return f"{self.series} is not shown to add anything: {numbers}."


def ablation(
    series: str,
    with_series: EnsembleScores,
    without_series: EnsembleScores,
    terms: AccountTerms,
    limits: GateLimits,
) -> AblationResult:
    """Compare an ensemble with its twin without a series, on the bars that both walked over.

    Raises ValueError where there are no such bars.
    """
    trained_ms = min(with_series.train_end_ms, without_series.train_end_ms)
    pair = trade_pair(with_series, without_series, terms, to_ms=trained_ms)
    if pair.second_account is None:
        raise AssertionError("the twin was traded")
    rows, p = with_series.decisions(pair.from_ms, pair.to_ms)
    twin_rows, twin_p = without_series.decisions(pair.from_ms, pair.to_ms)
    _, own_row, twin_row = np.intersect1d(
        rows.decided_ms, twin_rows.decided_ms, assume_unique=True, return_indices=True
    )
    won = rows.won[own_row].astype(np.float64)
    brier, twin_brier = (
        float(np.mean((q - won) ** 2)) if len(won) else 0.0 for q in (p[own_row], twin_p[twin_row])
    )
    return AblationResult(
        series=series,
        from_ms=pair.from_ms,
        to_ms=pair.to_ms,
        with_series=performance(pair.first_account, rows, p),
        without_series=performance(pair.second_account, twin_rows, twin_p),
        difference=pair.difference(limits),
        decisions=len(won),
        brier_gain=1.0 - brier / twin_brier if twin_brier > 0.0 else None,
    )
