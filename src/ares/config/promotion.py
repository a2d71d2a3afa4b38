"""The settings of the gate: who decides that a model may trade, and what is asked of it."""

from __future__ import annotations

from typing import Literal

from ares.config.fields import Section, Share, key

Beaten = Literal["flat", "buy_and_hold", "sma_cross"]


class PromotionSettings(Section):
    """Who decides that a model may trade, and what the evidence on it must come to."""

    rule: Literal["evidence", "simple"] = key(
        "evidence", "evidence: the gate. simple: one metric higher than the champion's."
    )
    simple_metric: Literal["sharpe", "net_bps", "accuracy", "brier_skill"] = key(
        "sharpe", "The metric of the rule simple."
    )
    parity_difference_max: float = key(
        1e-5,
        "How far the exported graph may be from the trained model on any row.",
        "probability",
        gt=0,
        le=0.01,
    )
    trades_min: int = key(30, "Fewer trades out of sample are no evidence.", "trades", ge=1)
    net_bps_min: float = key(
        0.0, "A trade must earn more than this on average, after costs.", "bps"
    )
    drawdown_max: Share | None = key(
        None, "Deepest fall out of sample; null only reports it.", "fraction of the peak"
    )
    beaten: tuple[Beaten, ...] = key(
        ("flat", "buy_and_hold", "sma_cross"),
        "Baselines whose Sharpe ratio on the same bars must be lower.",
        "flat, buy_and_hold, sma_cross",
    )
    brier_skill_min: float = key(
        0.0,
        "The share of the Brier score saved against saying the base rate must be above this.",
        "fraction",
        ge=-1,
        lt=1,
    )
    constant_share_max: Share = key(
        0.5, "Share of rows from folds whose output does not vary.", "fraction"
    )
    dsr_min: Share = key(
        0.95,
        "Deflated Sharpe Ratio: how sure it must be that the result is more than the best of all "
        "recipes tried, by luck.",
        "probability",
    )
    pbo_max: Share | None = key(
        None, "Probability of backtest overfitting; null only reports it.", "probability"
    )
    alpha_flat: Share = key(
        0.01, "Chance allowed of a first champion that is not better than flat.", "probability",
        gt=0, lt=1,
    )  # fmt: skip
    alpha_better: Share = key(
        0.05, "Chance allowed of a new recipe that is not better than the champion.", "probability",
        gt=0, lt=1,
    )  # fmt: skip
    alpha_not_worse: Share = key(
        0.05, "Chance allowed of a refit that is worse than the champion.", "probability",
        gt=0, lt=1,
    )  # fmt: skip
    margin_sds: float = key(
        0.02,
        "By how much a refit may be worse than the champion and pass as not worse.",
        "standard deviations that a full position's value moves in an hour",
        gt=0,
        le=1,
    )
    inference_us_max: float = key(
        1_000.0, "Longest time of one row through a graph.", "microseconds", gt=0
    )
