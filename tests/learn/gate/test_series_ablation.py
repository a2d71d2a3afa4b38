"""What a series adds: nothing where the twin is as good, and the gain is of shared decisions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ares.domain.timeframe import HOUR_MS
from ares.learn.calibration import Payoff, Platt
from ares.learn.ensemble import EnsembleCalibration
from ares.learn.gate.account import AccountTerms
from ares.learn.gate.evidence import PerformanceMetrics
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.paired import PairedDifference
from ares.learn.gate.series_ablation import AblationResult, ablation
from ares.learn.gate.verdict import GateLimits

MakeScores = Callable[..., EnsembleScores]
N = 400
LIMITS = GateLimits()
TO_MS = 300 * HOUR_MS


def twin(scores: MakeScores, p: object = None, **changes: object) -> EnsembleScores:
    """Return scores of a walk-forward that begins with the first bar and ends at hour 300."""
    step = EnsembleCalibration(HOUR_MS, Platt(1.0, 0.0), Payoff(1.0, 1.0))
    return scores(p=p, steps=(step,), train_end_ms=TO_MS, **changes)


def test_a_twin_that_scores_the_same_shows_no_difference(
    scores: MakeScores, terms: AccountTerms
) -> None:
    found = ablation("rate", twin(scores), twin(scores), terms, LIMITS)
    assert found.with_series == found.without_series
    assert (found.difference.mean_bps, found.brier_gain) == (0.0, 0.0)
    assert found.to_ms == TO_MS  # the walk-forward's bars only
    assert found.sentence.startswith("rate is not shown to add anything: +0.000 bps an hour")


def test_the_gain_is_the_share_of_the_twins_brier_score(
    scores: MakeScores, terms: AccountTerms
) -> None:
    known = twin(scores, np.full(N, 0.5))
    rows, _ = known.decisions(HOUR_MS, TO_MS)
    better = np.full(N, 0.5)
    better[rows.decided_ms // HOUR_MS - 1] = np.where(rows.won, 0.75, 0.25)
    found = ablation("rate", twin(scores, better), known, terms, LIMITS)
    assert found.decisions == len(rows)
    assert found.brier_gain == pytest.approx(0.75)  # 0.0625 for 0.25
    back = ablation("rate", known, twin(scores, better), terms, LIMITS)
    assert back.brier_gain == pytest.approx(-3.0)


def test_only_decisions_that_both_made_are_compared(
    scores: MakeScores, terms: AccountTerms
) -> None:
    p = np.full(N, 0.5)
    p[::2] = np.nan
    found = ablation("rate", twin(scores), twin(scores, p), terms, LIMITS)
    rows, _ = twin(scores).decisions(HOUR_MS, TO_MS)
    assert found.decisions == np.count_nonzero(rows.decided_ms // HOUR_MS % 2 == 0)


def test_without_shared_bars_there_is_no_ablation(scores: MakeScores, terms: AccountTerms) -> None:
    with pytest.raises(ValueError, match="no bars on which it is out of sample"):
        ablation("rate", twin(scores), scores(train_end_ms=TO_MS), terms, LIMITS)


@pytest.mark.parametrize(
    ("better", "worse", "sentence"),
    [
        (20.0, 0.1, "rate improves the ensemble: +1.500 bps an hour, Brier score -2.00%, over"),
        (0.1, 20.0, "rate makes the ensemble worse: +1.500 bps an hour"),
        (19.9, 19.9, "rate is not shown to add anything: +1.500 bps an hour"),
    ],
)
def test_the_sentence_follows_from_the_e_values(better: float, worse: float, sentence: str) -> None:
    metrics = PerformanceMetrics(trades=1)
    difference = PairedDifference(1_234, 1.5, 2.0, None, better, worse, 20.0)
    found = AblationResult("rate", 0, 1, metrics, metrics, difference, 10, 0.02)
    assert found.sentence.startswith(sentence)
    assert found.sentence.endswith("over 1,234 hours.")
