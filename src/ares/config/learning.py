"""The settings of learning: how models are trained and retrained, and when they may trade."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from ares.config.fields import Probability, Section, Share, key, section, setting_error
from ares.config.series import SeriesSettings


class ConfidenceSettings(Section):
    """When a model may trade: mode confidence is P(mean net return per trade > 0)."""

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
        0.25,
        "Weight of a validation trade, relative to a trade made since then.",
        "fraction",
    )

    @model_validator(mode="after")
    def _below_threshold(self) -> ConfidenceSettings:
        if self.hysteresis >= self.trading_threshold:
            raise setting_error(
                f"must be below trading_threshold ({self.trading_threshold:g})", "hysteresis"
            )
        return self


class RetrainingSettings(Section):
    """When a model is retrained, and for how long."""

    on_loss: bool = key(True, "Retrain after a losing trade.", live=True)
    max_epochs: int = key(20, "Maximum epochs of one training.", "epochs", ge=1)
    target_confidence: Probability = key(
        0.70,
        "At this validation confidence, training stops with the first epoch without improvement.",
        "probability",
    )
    patience: int = key(
        3, "Stop training after this many epochs without improvement.", "epochs", ge=1
    )
    min_interval_hours: float = key(
        6.0, "Minimum time between two trainings of one model.", "hours", live=True, ge=0
    )
    drift_threshold: Share = key(
        0.70,
        "Retrain when the drift score PSI / (PSI + 0.1) is above this; 0.70 is a PSI of 0.23.",
        "score",
        live=True,
        gt=0,
    )
    rounds_per_epoch: int = key(10, "Boosting rounds that make an epoch.", "rounds", ge=1)
    schedule_hours: float | None = key(
        None, "Retrain when the last training is this long ago; null: no schedule.", "hours",
        gt=0,
    )  # fmt: skip
    drift_check_hours: float = key(24.0, "How often drift is measured.", "hours", live=True, gt=0)
    budget_per_day: int = key(
        4, "Maximum trainings of one instrument's models in any 24 hours.", "trainings", live=True,
        ge=0,
    )  # fmt: skip
    backoff_hours_max: float = key(
        168.0,
        "The minimum time doubles with each refused or failed training in a row, up to this.",
        "hours",
        live=True,
        ge=0,
    )


class ThresholdsSettings(Section):
    """Limits on the live performance of a model: a breach raises an alert, not a training."""

    accuracy_min: float | None = key(
        0.60, "Alert when a smaller share of its trades wins; null: no alert.", "fraction",
        ge=0, le=1,
    )  # fmt: skip
    sharpe_min: float | None = key(
        1.0, "Alert when its annualised Sharpe ratio is lower; null: no alert.", "ratio",
    )  # fmt: skip
    drawdown_min: float | None = key(
        -0.10, "Alert when its drawdown is deeper; null: no alert.",
        "fraction, negative", ge=-1, le=0,
    )  # fmt: skip


class ContinuousLearningSettings(Section):
    """Learning from every trade, real and virtual."""

    enabled: bool = key(True, "Monitor losses and drift, and retrain.")
    confidence: ConfidenceSettings = section(ConfidenceSettings)
    retraining: RetrainingSettings = section(RetrainingSettings)
    thresholds: ThresholdsSettings = section(ThresholdsSettings)


class LearningSettings(Section):
    """How models are trained."""

    in_production: bool = key(True, "false: no training in a workspace that trades real money.")
    workers: int = key(0, "Training processes; 0: one per core.", "processes", ge=0, le=1024)
    rows_min: int = key(400, "A timeframe with fewer labelled bars is skipped.", "bars", ge=50)
    rows_max: int = key(150_000, "Maximum bars used, the newest ones.", "bars", ge=50)
    folds: int = key(6, "Folds of the purged walk-forward cross-validation.", "folds", ge=2, le=50)
    leaves: int = key(
        7,
        "Leaves per tree; more leaves fit finer structure, and more noise.",
        "leaves",
        ge=2,
        le=255,
    )
    horizon: float = key(
        1.0,
        "Longest holding time, as a multiple of the timeframe's default (12 bars at 1h).",
        "multiple",
        gt=0,
        le=20,
    )
    width: float = key(
        1.0,
        "Distance of stop and take-profit, in standard deviations of the return over the "
        "longest holding time.",
        "standard deviations",
        gt=0,
        le=10,
    )
    embargo_bars: int = key(
        0, "Bars left out after each test fold; 0: as many as the label's horizon.", "bars", ge=0
    )
    scope: Literal["instrument", "universe"] = key(
        "instrument", "instrument: one model per instrument. universe: one model for all."
    )

    @model_validator(mode="after")
    def _row_bounds(self) -> LearningSettings:
        if self.rows_min > self.rows_max:
            raise setting_error(f"must not be above rows_max ({self.rows_max})", "rows_min")
        return self


class FeaturesSettings(Section):
    """The inputs of a model."""

    reference: str | None = key(
        None, "Reference symbol of the cross-instrument features; null: the first of symbols."
    )
    module: str | None = key(
        None,
        "Python file in the workspace with user-defined features (my_features.py); they must pass "
        "the leak test. See docs/FEATURES.md.",
    )
    series: tuple[SeriesSettings, ...] = key(
        (),
        "External series that models are trained with: [fear_greed], or {name: fear_greed, "
        "stale_after_hours: 72}. docs/SERIES.md says how.",
    )

    @field_validator("series")
    @classmethod
    def _each_once(cls, series: tuple[SeriesSettings, ...]) -> tuple[SeriesSettings, ...]:
        for i, entry in enumerate(series):
            if entry.name in [earlier.name for earlier in series[:i]]:
                raise setting_error(f"'{entry.name}' is listed twice", i)
        return series


class LearnerSettings(Section):
    """The processes that retrain models during a run."""

    latency_ms: int = key(
        60_000,
        "History runs: virtual time from a retraining trigger until its model takes effect.",
        "ms",
        ge=0,
    )
    in_history: bool = key(
        False, "Retrain during history runs; `ares run --learn` does so for one run."
    )
    timeout_minutes: float = key(
        30.0, "Timeout: a training without any progress for this long has failed.", "minutes", gt=0
    )
    nice: int = key(
        15,
        "Unix niceness of its processes: higher yields more CPU time to the engine.",
        "niceness",
        ge=0,
        le=19,
    )
