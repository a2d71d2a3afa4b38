"""The settings of learning: what is trained, when, how it is judged and put to use."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from ares.config.fields import Probability, Section, Share, key, mistake, section
from ares.config.series import SeriesSettings


class ConfidenceSettings(Section):
    """When a model may trade: the probability that its net return per trade is above zero."""

    trading_threshold: Probability = key(
        0.80, "Mode TRADING at or above this.", "probability", live=True, gt=0
    )
    hysteresis: Probability = key(
        0.05, "Mode LEARNING below trading_threshold minus this.", "probability", live=True
    )
    forgetting_trades: int = key(
        100, "Trades after which an old one weighs 1/e.", "trades", live=True, ge=1
    )
    validation_discount: Share = key(
        0.25, "Weight of a validation trade beside one made since.", "fraction", live=True
    )

    @model_validator(mode="after")
    def _below_threshold(self) -> ConfidenceSettings:
        if self.hysteresis >= self.trading_threshold:
            raise mistake(
                f"must be below trading_threshold ({self.trading_threshold:g})", "hysteresis"
            )
        return self


class RetrainingSettings(Section):
    """When and how long a model is trained again."""

    on_loss: bool = key(True, "Retrain after a losing trade.", live=True)
    max_epochs: int = key(20, "Most epochs of one training.", "epochs", live=True, ge=1)
    target_confidence: Probability = key(
        0.70,
        "From this validation confidence on, it stops with the first epoch that is not better.",
        "probability",
        live=True,
    )
    patience: int = key(
        3, "Stop training after this many epochs without improvement.", "epochs", live=True, ge=1
    )
    min_interval_hours: float = key(
        6.0, "Rest between two trainings of one model.", "hours", live=True, ge=0
    )
    drift_threshold: Share = key(
        0.70,
        "Retrain when the drift score PSI / (PSI + 0.1) is above this; 0.70 is a PSI of 0.23.",
        "score",
        live=True,
        gt=0,
    )
    rounds_per_epoch: int = key(
        10, "Boosting rounds that make an epoch.", "rounds", live=True, ge=1
    )
    schedule_hours: float | None = key(
        None, "Retrain when the last training is this long ago; null: never for that.", "hours",
        live=True, gt=0,
    )  # fmt: skip
    drift_check_hours: float = key(24.0, "How often drift is measured.", "hours", live=True, gt=0)
    budget_per_day: int = key(
        4, "Most trainings of one instrument's models in any 24 hours.", "trainings", live=True,
        ge=0,
    )  # fmt: skip
    backoff_hours_max: float = key(
        168.0,
        "The rest doubles with each training in a row that was refused or failed, up to this.",
        "hours",
        live=True,
        ge=0,
    )


class ThresholdsSettings(Section):
    """Fixed limits of what a model does while it runs: passing one is an alert, no training."""

    accuracy_min: float | None = key(
        0.60, "Alert when fewer of its trades are won; null: no such alert.", "fraction",
        live=True, ge=0, le=1,
    )  # fmt: skip
    sharpe_min: float | None = key(
        1.0, "Alert when its annualised Sharpe ratio is below; null: no such alert.", "ratio",
        live=True,
    )  # fmt: skip
    drawdown_min: float | None = key(
        -0.10, "Alert when its results fall by more from their peak; null: no such alert.",
        "fraction, negative", live=True, ge=-1, le=0,
    )  # fmt: skip


class ContinuousLearningSettings(Section):
    """Learning from every trade, real and virtual."""

    enabled: bool = key(True, "Watch losses and drift, and retrain.", live=True)
    confidence: ConfidenceSettings = section(ConfidenceSettings)
    retraining: RetrainingSettings = section(RetrainingSettings)
    thresholds: ThresholdsSettings = section(ThresholdsSettings)


class LearningSettings(Section):
    """How models are trained."""

    in_production: bool = key(True, "false forbids training where money trades.")
    workers: int = key(
        0, "Processes that train; 0 is one for each core.", "processes", ge=0, le=1024
    )
    rows_min: int = key(400, "A timeframe with fewer labelled bars is left out.", "bars", ge=50)
    rows_max: int = key(150_000, "Only the newest bars up to this many are used.", "bars", ge=50)
    folds: int = key(6, "Folds of the purged walk-forward.", "folds", ge=2, le=50)
    leaves: int = key(
        7, "Leaves of one tree: more tell finer things, and more noise.", "leaves", ge=2, le=255
    )
    horizon: float = key(
        1.0,
        "Longest holding time, as a multiple of the timeframe's own (12 bars of 1h).",
        "multiple",
        gt=0,
        le=20,
    )
    width: float = key(
        1.0,
        "Distance of stop and take-profit, in deviations of the longest holding time's return.",
        "standard deviations",
        gt=0,
        le=10,
    )
    embargo_bars: int = key(
        0, "Bars left out after each test fold; 0 is the label's horizon.", "bars", ge=0
    )
    scope: Literal["instrument", "universe"] = key(
        "instrument", "instrument: a model for each. universe: one for all."
    )

    @model_validator(mode="after")
    def _row_bounds(self) -> LearningSettings:
        if self.rows_min > self.rows_max:
            raise mistake(f"must not be above rows_max ({self.rows_max})", "rows_min")
        return self


class FeaturesSettings(Section):
    """What a model sees."""

    reference: str | None = key(
        None, "Symbol that the cross-instrument features look at; null is the first of symbols."
    )
    module: str | None = key(
        None,
        "Python file in the workspace with features of your own (my_features.py); they must pass "
        "the leak test. docs/FEATURES.md says how.",
    )
    series: tuple[SeriesSettings, ...] = key(
        (),
        "External series that models are trained with: [fear_greed], or {name: fear_greed, "
        "stale_after_hours: 72}. docs/SERIES.md says how.",
    )

    @field_validator("series")
    @classmethod
    def _each_once(cls, series: tuple[SeriesSettings, ...]) -> tuple[SeriesSettings, ...]:
        for place, one in enumerate(series):
            if one.name in [other.name for other in series[:place]]:
                raise mistake(f"'{one.name}' is listed twice", place)
        return series


class LearnerSettings(Section):
    """The processes that train beside a running engine."""

    latency_ms: int = key(
        60_000,
        "In history runs: virtual time from a trigger until its package takes effect.",
        "ms",
        ge=0,
    )
    in_history: bool = key(
        False, "Runs over history learn as they go; `ares run --learn` does it once."
    )
    timeout_minutes: float = key(
        30.0, "A training of which nothing is heard for so long has failed.", "minutes", gt=0
    )
    nice: int = key(
        15,
        "How far its processes stand back behind the engine (Unix niceness).",
        "niceness",
        ge=0,
        le=19,
    )
