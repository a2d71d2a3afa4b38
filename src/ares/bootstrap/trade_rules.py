"""The rules of the trade half and of challengers, from the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ares.domain.model_life import LIVE, is_rehearsal
from ares.domain.run import ChallengerRules
from ares.domain.timeframe import HOUR_MS
from ares.kernel.trade import Rules

if TYPE_CHECKING:
    from ares.config.settings import Settings
    from ares.learn.triggers import RetrainPolicy


LIVE_RULES = {
    "strategy.edge_bps_min": "edge_bps_min",
    "strategy.edge_bps_exit": "edge_bps_exit",
    "strategy.stop": "stop_enabled",
    "risk.max_drawdown_percent": "drawdown_max",
    "risk.on_drawdown": "close_on_drawdown",
    "risk.daily_loss_limit": "daily_loss_max",
    "risk.max_position_size_percent": "position_max",
    "risk.gross_exposure_max": "exposure_max",
    "risk.order_quote_max": "order_quote_max",
    "risk.order_quote_min": "order_quote_min",
    "risk.orders_per_minute": "orders_per_minute",
    "risk.price_collar_bps": "collar_bps",
    "risk.volatility_target": "volatility_target",
    "risk.risk_per_trade": "risk_per_trade",
    "breakers.win_rate_min": "win_rate_min",
    "breakers.win_rate_trades": "win_rate_trades",
    "breakers.failures_in_row": "failures_max",
    "breakers.volatility_ratio_max": "volatility_ratio_max",
    "breakers.failed_share_max": "failed_share_max",
    "breakers.failed_window_minutes": "failed_window_minutes",
    "breakers.slippage_sd_max": "slippage_sd_max",
    "breakers.gas_share_max": "gas_share_max",
    "breakers.cooldown_minutes": "cooldown_minutes",
    "breakers.trial_size": "trial_size",
    "breakers.trial_trades": "trial_trades",
    "continuous_learning.confidence.trading_threshold": "trading_threshold",
    "continuous_learning.confidence.hysteresis": "hysteresis",
    "continuous_learning.confidence.forgetting_trades": "forgetting_trades",
    "continuous_learning.retraining.on_loss": "retrain_on_loss",
    "continuous_learning.retraining.drift_threshold": "retrain_drift_threshold",
    "continuous_learning.retraining.min_interval_hours": "retrain_interval_hours",
    "continuous_learning.retraining.budget_per_day": "retrain_budget_per_day",
    "continuous_learning.retraining.backoff_hours_max": "retrain_backoff_hours_max",
    "continuous_learning.retraining.drift_check_hours": "retrain_check_hours",
}
"""Settings that a running engine can change -> the rule of the run that each of them is."""


def settings_of(rules: Mapping[str, float]) -> dict[str, object]:
    """Return live settings by key, as ``ares.yaml`` writes them, from rules of a run by name."""
    keys = {name: key for key, name in LIVE_RULES.items()}
    return {keys[name]: _as_setting(name, value) for name, value in rules.items() if name in keys}


def _as_setting(name: str, value: float) -> object:
    if name == "drawdown_max":
        return value * 100.0
    if name == "close_on_drawdown":
        return "close" if value else "hold"
    if name in ("stop_enabled", "retrain_on_loss"):
        return bool(value)
    return int(value) if value == int(value) else value


FIXED = (
    "venue", "symbols", "timeframes", "account", "costs", "challenger", "features",
    "continuous_learning.enabled", "continuous_learning.confidence.validation_discount",
)  # fmt: skip
"""Settings, or sections, that a run keeps from its begin: only a new run takes other values."""


def is_fixed(key: str) -> bool:
    """Return whether only a new run takes another value of a setting; the others that are not live
    are taken by the next start.
    """
    return any(key == name or key.startswith(f"{name}.") for name in FIXED)


def run_rules(
    settings: Settings, environment: str = "", keys: Sequence[str] = ()
) -> dict[str, float]:
    """Return all rules of a run from the settings, by name: the trade half's and the learner's.

    environment, keys : of the run and its instruments; where orders reach a venue outside this
                  process, the rules of real money are added.
    """
    from ares.learn.triggers import policy_rules

    rules = {name: float(value) for name, value in asdict(rules_of(settings)).items()}
    rules |= policy_rules(retrain_policy(settings))
    if environment == LIVE or is_rehearsal(environment):
        rules |= account_rules(settings, environment, keys)
    return rules


def account_rules(settings: Settings, environment: str, keys: Sequence[str]) -> dict[str, float]:
    """Return the rules of real money: cap, stop, and by instrument whether it may be entered."""
    live = settings.live_trading
    rules = {
        "order_quote_cap": live.order_quote_max or 0.0,
        "stop_required": float(environment == LIVE),
    }
    for key in keys:
        is_allowed = live.instruments is None or key.partition(":")[2] in live.instruments
        rules[f"allow:{key}"] = float(is_allowed)
    return rules


def retrain_policy(settings: Settings) -> RetrainPolicy:
    """Return what triggers a training, by the settings."""
    from ares.learn.triggers import RetrainPolicy

    retraining = settings.continuous_learning.retraining
    schedule = retraining.schedule_hours
    return RetrainPolicy(
        on_loss=retraining.on_loss,
        drift_threshold=retraining.drift_threshold,
        interval_ms=round(retraining.min_interval_hours * HOUR_MS),
        budget_per_day=retraining.budget_per_day,
        backoff_ms_max=round(retraining.backoff_hours_max * HOUR_MS),
        schedule_ms=None if schedule is None else round(schedule * HOUR_MS),
        check_ms=round(retraining.drift_check_hours * HOUR_MS),
    )


def rules_of(settings: Settings) -> Rules:
    """Return the trade half's rules from the settings, units as there."""
    costs, risk, breakers = settings.costs, settings.risk, settings.breakers
    confidence = settings.continuous_learning.confidence
    return Rules(
        fee_bps=costs.fee_bps,
        spread_bps=costs.spread_bps,
        slippage_bps=costs.slippage_bps,
        participation_max=costs.participation_max,
        edge_bps_min=settings.strategy.edge_bps_min,
        edge_bps_exit=settings.strategy.edge_bps_exit,
        stop_enabled=settings.strategy.stop,
        risk_per_trade=risk.risk_per_trade,
        position_max=risk.max_position_size_percent,
        exposure_max=risk.gross_exposure_max,
        order_quote_max=risk.order_quote_max,
        order_quote_min=risk.order_quote_min,
        orders_per_minute=risk.orders_per_minute,
        collar_bps=risk.price_collar_bps,
        volatility_target=risk.volatility_target,
        daily_loss_max=risk.daily_loss_limit,
        drawdown_max=risk.max_drawdown_percent / 100.0,
        win_rate_min=breakers.win_rate_min,
        win_rate_trades=breakers.win_rate_trades,
        failures_max=breakers.failures_in_row,
        failed_share_max=breakers.failed_share_max,
        failed_window_minutes=breakers.failed_window_minutes,
        slippage_sd_max=breakers.slippage_sd_max,
        volatility_ratio_max=breakers.volatility_ratio_max,
        gas_share_max=breakers.gas_share_max,
        close_on_drawdown=risk.on_drawdown == "close",
        cooldown_minutes=breakers.cooldown_minutes,
        trial_size=breakers.trial_size,
        trial_trades=breakers.trial_trades,
        trading_threshold=confidence.trading_threshold,
        hysteresis=confidence.hysteresis,
        forgetting_trades=confidence.forgetting_trades,
    )


def challenger_rules_of(settings: Settings) -> ChallengerRules:
    """Return the rules of challengers, from the settings."""
    challenger = settings.challenger
    return ChallengerRules(
        shadow_ms=round(challenger.shadow_hours * HOUR_MS),
        canary_ms=round(challenger.canary_hours * HOUR_MS),
        canary_share=challenger.canary_share,
        confidence_min=challenger.confidence_min,
        false_alarm_trades=challenger.false_alarm_trades,
        alpha_worse=challenger.alpha_worse,
    )
