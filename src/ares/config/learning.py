"""The settings of learning: what is trained, when, how it is judged and put to use."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ares.config.fields import Probability, Section, Share, key, mistake, section


class Confidence(Section):
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
    def _below_threshold(self) -> Confidence:
        if self.hysteresis >= self.trading_threshold:
            raise mistake(
                f"must be below trading_threshold ({self.trading_threshold:g})", "hysteresis"
            )
        return self


class Retraining(Section):
    """When and how long a model is trained again."""

    on_loss: bool = key(True, "Retrain after a losing trade.", live=True)
    max_epochs: int = key(20, "Most epochs of one training.", "epochs", live=True, ge=1)
    target_confidence: Probability = key(
        0.70, "Stop training once the validation confidence reaches this.", "probability", live=True
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


class ContinuousLearning(Section):
    """Learning from every trade, real and virtual."""

    enabled: bool = key(True, "Watch losses and drift, and retrain.", live=True)
    confidence: Confidence = section(Confidence)
    retraining: Retraining = section(Retraining)


class Learning(Section):
    """How models are trained."""

    in_production: bool = key(True, "false forbids training where money trades.")
    workers: int = key(
        0, "Processes that train; 0 is one for each core.", "processes", ge=0, le=1024
    )
    rows_min: int = key(400, "A timeframe with fewer labelled bars is left out.", "bars", ge=50)
    rows_max: int = key(150_000, "Only the newest bars up to this many are used.", "bars", ge=50)
    folds: int = key(5, "Folds of the purged walk-forward.", "folds", ge=2, le=50)
    embargo_bars: int = key(
        0, "Bars left out after each test fold; 0 is the label's horizon.", "bars", ge=0
    )
    scope: Literal["instrument", "universe"] = key(
        "instrument", "instrument: a model for each. universe: one for all."
    )

    @model_validator(mode="after")
    def _row_bounds(self) -> Learning:
        if self.rows_min > self.rows_max:
            raise mistake(f"must not be above rows_max ({self.rows_max})", "rows_min")
        return self


class Features(Section):
    """What a model sees."""

    reference: str | None = key(
        None, "Symbol that the cross-instrument features look at; null is the first of symbols."
    )
    module: str | None = key(
        None,
        "Python file in the workspace with features of your own (my_features.py); they must pass "
        "the leak test. docs/FEATURES.md says how.",
    )


class Learner(Section):
    """The learner in history runs."""

    latency_ms: int = key(
        60_000, "Virtual time from a trigger until its package takes effect.", "ms", ge=0
    )
