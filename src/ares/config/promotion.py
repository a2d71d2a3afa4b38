"""The settings of the gate: the rule of promotion and the limits of its evidence."""

from __future__ import annotations

from typing import Literal

from ares.config.fields import Section, Share, key

Beaten = Literal["flat", "buy_and_hold", "sma_cross"]


class PromotionSettings(Section):
    """The gate: what a model must prove before it may trade."""

    rule: Literal["evidence", "simple"] = key(
        "evidence", "evidence: the gate. simple: simple_metric above the champion's."
    )
    simple_metric: Literal["sharpe", "net_bps", "accuracy", "brier_skill"] = key(
        "sharpe", "The metric that the rule simple compares."
    )
    parity_difference_max: float = key(
        1e-5,
        "Largest difference between the exported graph and the trained model, on any row.",
        "probability",
        gt=0,
        le=0.01,
    )
    trades_min: int = key(30, "Minimum number of out-of-sample trades.", "trades", ge=1)
    net_bps_min: float = key(0.0, "The mean net return per trade must be above this.", "bps")
    drawdown_max: Share | None = key(
        None, "Deepest drawdown out of sample; null: reported only.", "fraction of the peak"
    )
    beaten: tuple[Beaten, ...] = key(
        ("flat", "buy_and_hold", "sma_cross"),
        "Baselines that the model's Sharpe ratio must exceed on the same bars.",
        "flat, buy_and_hold, sma_cross",
    )
    brier_skill_min: float = key(
        0.0,
        "Brier skill score against the base rate must be above this.",
        "fraction",
        ge=-1,
        lt=1,
    )
    plausible_brier_skill_max: float = key(
        0.25,
        "A Brier skill score above this is plausible only by a person's word.",
        "fraction",
        gt=0,
        lt=1,
    )
    plausible_sharpe_max: float = key(
        8.0,
        "A Sharpe ratio whose lower 95% bound is above this is plausible only by a person's word.",
        "ratio",
        gt=0,
        le=100,
    )
    constant_share_max: Share = key(
        0.5, "Largest share of rows from folds whose output is constant.", "fraction"
    )
    dsr_min: Share = key(
        0.95,
        "Deflated Sharpe Ratio must be at least this: the probability that the Sharpe ratio "
        "exceeds the best that chance gives over all recipes tried.",
        "probability",
    )
    pbo_max: Share | None = key(
        None,
        "Largest probability of backtest overfitting (PBO); null: reported only.",
        "probability",
    )
    alpha_flat: Share = key(
        0.01,
        "Error probability: a first champion that is not better than staying flat.",
        "probability",
        gt=0,
        lt=1,
    )
    alpha_better: Share = key(
        0.05,
        "Error probability: a new recipe that is not better than the champion.",
        "probability",
        gt=0,
        lt=1,
    )
    alpha_not_worse: Share = key(
        0.05,
        "Error probability: a refit that is worse than the champion by more than margin_sds.",
        "probability",
        gt=0,
        lt=1,
    )
    margin_sds: float = key(
        0.02,
        "Margin of the test that a refit is not worse than the champion.",
        "standard deviations of the hourly value change of a full position",
        gt=0,
        le=1,
    )
    inference_us_max: float = key(
        1_000.0, "Largest inference latency of one row.", "microseconds", gt=0
    )
