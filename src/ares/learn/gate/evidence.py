"""The evidence on an ensemble: every number that a verdict rests on."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

FLAT = "flat"
"""The baseline that needs no run: no position, a Sharpe ratio of 0."""

Hypothesis = Literal["beats_flat", "better", "not_worse"]
"""What the anytime-valid test must show: for a first champion that the ensemble beats staying flat,
for a new recipe that it is better than the champion, for a refit that it is not worse."""


class PerformanceMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Results out of sample, after costs. None: unknown, or a ratio with denominator 0.

    net_bps : mean net return of a trade.       sharpe : annualised, of daily returns.
    net_return, max_drawdown : as fractions.
    """

    trades: int
    net_bps: float | None = None
    net_return: float | None = None
    sharpe: float | None = None
    max_drawdown: float | None = None
    accuracy: float | None = None
    precision: float | None = None
    f1: float | None = None
    brier: float | None = None
    brier_skill: float | None = None


class Baseline(msgspec.Struct, frozen=True):
    """The result of a rule without a model on the same bars, at the same costs.

    sharpe : annualised; None where it did not trade, which counts as flat: 0.
    """

    name: str
    sharpe: float | None
    net_return: float | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Every number that a verdict rests on.

    subject        : hash of the ensemble.
    hypothesis     : what the anytime-valid test must show.
    metrics        : of the ensemble, out of sample.
    from_ms, to_ms : window of the evaluated bars, all out of sample.
    members        : packages in the ensemble.
    not_reproduced : names of those that training again does not reproduce, because candles or
                     libraries have changed since: what was walked forward is not what is stored.
    leak_values    : values that the look-ahead test compared; ``leaking``: columns that moved.
    parity_rows, parity_difference : rows compared, largest difference in probability.
    majority_accuracy : accuracy of always predicting the more frequent outcome.
    champion       : metrics of the champion on the same bars; None: there is no champion.
    champion_hash  : of the champion's ensemble.
    decisions      : rows behind accuracy, Brier score and calibration.
    calibration_error, calibration_limit : expected calibration error, and its 95% quantile under
                     perfect calibration.
    constant_share : share of rows in folds whose output does not vary.
    deflated_sharpe, trials : Deflated Sharpe ratio, and the distinct recipes tried.
    expected_max_sharpe : annualised Sharpe ratio expected of the best of as many recipes without
                     skill.
    pbo            : probability of backtest overfitting; None where it was not estimated.
    e_value        : of the anytime-valid test after ``steps`` steps.
    bound_breaches : steps whose loss exceeded the test's bound.
    inference_us   : latency of one row through all exported graphs, in microseconds.
    """

    subject: str
    hypothesis: Hypothesis
    metrics: PerformanceMetrics
    from_ms: int = 0
    to_ms: int = 0
    members: int = 1
    not_reproduced: tuple[str, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    champion: PerformanceMetrics | None = None
    champion_hash: str = ""
    decisions: int = 0
    leak_values: int = 0
    leaking: tuple[str, ...] = ()
    parity_rows: int = 0
    parity_difference: float | None = None
    majority_accuracy: float | None = None
    calibration_error: float | None = None
    calibration_limit: float | None = None
    constant_share: float | None = None
    deflated_sharpe: float | None = None
    expected_max_sharpe: float | None = None
    trials: int = 0
    pbo: float | None = None
    e_value: float | None = None
    steps: int = 0
    bound_breaches: int = 0
    inference_us: float | None = None

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()
