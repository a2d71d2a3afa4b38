"""Changes of live settings while the engine runs: checked here too, before the next decision."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ares.core.facts import mode_name
from ares.core.initial_state import ALLOW_PREFIX, rules_in_force, write_rules
from ares.core.state import State
from ares.domain.events import BY_THRESHOLD, ConfigChanged, Effect, ModeChanged
from ares.kernel.trade.confidence import next_mode

LIMITS: dict[str, tuple[float, float]] = {
    "edge_bps_min": (-1_000.0, 10_000.0),
    "edge_bps_exit": (-10_000.0, 10_000.0),
    "stop_enabled": (0.0, 1.0),
    "risk_per_trade": (1e-9, 1.0),
    "position_max": (1e-9, 1.0),
    "exposure_max": (1e-9, 1.0),
    "order_quote_max": (1e-9, 1e10),
    "order_quote_min": (0.0, 1e10),
    "orders_per_minute": (1.0, 1e9),
    "collar_bps": (1e-9, 10_000.0),
    "volatility_target": (1e-9, 10.0),
    "daily_loss_max": (1e-9, 1.0),
    "drawdown_max": (1e-9, 1.0),
    "close_on_drawdown": (0.0, 1.0),
    "win_rate_min": (0.0, 1.0),
    "win_rate_trades": (1.0, 256.0),
    "failures_max": (1.0, 1e9),
    "failed_share_max": (1e-9, 1.0),
    "failed_window_minutes": (1.0, 1e6),
    "slippage_sd_max": (1e-9, 1e3),
    "volatility_ratio_max": (1.0, 1e3),
    "gas_share_max": (1e-9, 1.0),
    "cooldown_minutes": (1.0, 1e6),
    "trial_size": (1e-9, 1.0),
    "trial_trades": (1.0, 1e6),
    "trading_threshold": (1e-9, 1.0),
    "hysteresis": (0.0, 1.0),
    "forgetting_trades": (1.0, 1e9),
    "retrain_on_loss": (0.0, 1.0),
    "retrain_drift_threshold": (1e-9, 1.0),
    "retrain_interval_hours": (0.0, 1e6),
    "retrain_budget_per_day": (0.0, 1e6),
    "retrain_backoff_hours_max": (0.0, 1e6),
    "retrain_check_hours": (1e-3, 1e6),
}
"""Rules that may change while the engine runs -> smallest and largest value. Those of the learner
begin with ``retrain_``: it takes them from the journal.
"""


START_LIMITS: dict[str, tuple[float, float]] = {
    "order_quote_cap": (0.0, 1e10),
    "stop_required": (0.0, 1.0),
}
"""Rules that only a start takes from the settings -> smallest and largest value: those of real
money. The allow-list is among them, see ``ALLOW_PREFIX``."""


def limits_of(name: str) -> tuple[float, float] | None:
    """Return the limits of a rule that a run's next start takes; None: only a new run does."""
    if name.startswith(ALLOW_PREFIX):
        return (0.0, 1.0)
    return LIMITS.get(name) or START_LIMITS.get(name)


def change_rules(state: State, who: str, args: Mapping[str, str], expected: str) -> ConfigChanged:
    """Put changed rules into force; return the fact.

    args : ``key`` and ``value`` of the setting as a person writes them, and ``rules``, the rules
           that it changes as JSON.
    expected : version of the settings that the change was made for; empty: any.

    Raises ValueError with the reason of a refusal; nothing has changed then.
    """
    key, version = args.get("key", ""), state.config_version
    if expected and expected != str(version):
        raise ValueError(f"the settings are of version {version} by now, not {expected}")
    current = rules_in_force(state)
    changed = checked_rules(current | decoded_rules(args.get("rules", "")), current)
    fixed = sorted(changed.keys() - LIMITS.keys())
    if fixed:
        raise ValueError(f"{fixed[0]} cannot be changed while the engine runs")
    if not key or not changed:
        raise ValueError(f"{key or 'it'} is {args.get('value', 'so')} already")
    return apply_rules(state, key, args.get("value", ""), who, changed)


def apply_rules(
    state: State, key: str, value: str, who: str, changed: dict[str, float]
) -> ConfigChanged:
    """Put checked rules into force; return the fact."""
    state.rule_changes |= changed
    state.config_version += 1
    write_rules(state)
    return ConfigChanged(state.at_ms, key, value, state.config_version, who, changed)


def modes_by_rules(state: State) -> list[Effect]:
    """Move the modes to where the thresholds of now have them; return the changes.

    Otherwise a raised threshold would stop entries after the next closed trade only.
    """
    effects: list[Effect] = []
    for lane, slot in enumerate(state.slots):
        row = state.trade.book[lane]
        before, confidence = int(row["mode"]), float(row["mode_confidence"])
        after = before if slot.ensemble is None else next_mode(before, confidence, state.params)
        if after != before:
            row["mode"] = after
            names = mode_name(before), mode_name(after)
            effects.append(ModeChanged(lane, state.now_ms, *names, confidence, BY_THRESHOLD))
    return effects


def decoded_rules(raw: str) -> dict[str, float]:
    """Return rules by name from JSON; raise ValueError where it is none."""
    try:
        return msgspec.json.decode(raw, type=dict[str, float])
    except msgspec.DecodeError:
        raise ValueError("rules are no JSON object of numbers") from None


def checked_rules(wanted: Mapping[str, float], current: Mapping[str, float]) -> dict[str, float]:
    """Return what changes; raise ValueError where a value, or two together, break a limit."""
    changed = {name: value for name, value in wanted.items() if current.get(name) != value}
    for name, value in changed.items():
        limits = limits_of(name)
        if limits is None:
            raise ValueError(f"{name} cannot be changed while the engine runs")
        low, high = limits
        if not low <= value <= high:
            raise ValueError(f"{name} must be between {low:g} and {high:g}, not {value:g}")
    if wanted.get("stop_required") and not wanted.get("stop_enabled", 1.0):
        raise ValueError("strategy.stop must stay true: every position has a stop here")
    for smaller, larger in (
        ("edge_bps_exit", "edge_bps_min"),
        ("order_quote_min", "order_quote_max"),
        ("hysteresis", "trading_threshold"),
    ):
        if {smaller, larger} & changed.keys() and wanted[smaller] > wanted[larger]:
            raise ValueError(
                f"{smaller} ({wanted[smaller]:g}) must not be above {larger} ({wanted[larger]:g})"
            )
    return changed
