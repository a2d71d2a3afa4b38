"""The evidence on an ensemble: everything that the judge looks at, as plain numbers."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

FLAT = "flat"
"""The baseline that needs no run: nothing ventured, a Sharpe ratio of 0."""

Question = Literal["beats_flat", "better", "not_worse"]
"""What the anytime-valid test was asked: a first champion, a new recipe, a refit."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Results out of sample, after costs. None is unknown, or a ratio over nothing.

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
    """What doing nothing clever came to on the same bars, at the same costs.

    sharpe : annualised; None where it did not trade, which is as good as flat: 0.
    """

    name: str
    sharpe: float | None
    net_return: float | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that the judge looks at.

    subject        : hash of the ensemble that is judged.
    from_ms, to_ms : the bars judged, out of sample.
    members, unlike : packages in it; names of those that training again does not give (the candles
                     or the libraries have changed since): what was walked is not what is stored.
    leak_values    : values that the leak test compared; leaking: names of columns that moved.
    parity_rows, parity_difference : rows compared, largest difference in probability.
    accuracy_base  : share of outcomes named right by always naming the more frequent one.
    champion       : its figures on the same bars; None: there is none.
    champion_hash  : of the champion's ensemble.
    decisions      : rows behind accuracy, Brier and calibration.
    calibration_error, calibration_limit : and its 95% quantile under perfect calibration.
    constant_share : share of rows in folds whose output does not vary.
    dsr, trials    : Deflated Sharpe Ratio, and the distinct recipes tried.
    dsr_hurdle     : annualised Sharpe ratio expected of the best of so many without skill.
    pbo            : probability of backtest overfitting; None where it was not estimated.
    question, e_value : of the anytime-valid test, and where it stands after ``steps`` steps.
    breaches       : steps that lost more than the test's bound.
    inference_us   : time of one row through the exported graph, in microseconds.
    """

    subject: str
    question: Question
    figures: Figures
    from_ms: int = 0
    to_ms: int = 0
    members: int = 1
    unlike: tuple[str, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    champion: Figures | None = None
    champion_hash: str = ""
    decisions: int = 0
    leak_values: int = 0
    leaking: tuple[str, ...] = ()
    parity_rows: int = 0
    parity_difference: float | None = None
    accuracy_base: float | None = None
    calibration_error: float | None = None
    calibration_limit: float | None = None
    constant_share: float | None = None
    dsr: float | None = None
    dsr_hurdle: float | None = None
    trials: int = 0
    pbo: float | None = None
    e_value: float | None = None
    steps: int = 0
    breaches: int = 0
    inference_us: float | None = None

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()
