"""What people do with breakers: recover, reset, and a drill that trips one on purpose."""

from __future__ import annotations

from collections.abc import Sequence

from ares.core.single_facts import set_breaker
from ares.core.state import State
from ares.domain.events import BreakerChanged, Effect
from ares.kernel.trade.layout import (
    BREAKER_NAMES,
    BREAKER_STATUS_NAMES,
    BREAKER_VOLATILITY,
)

ACTIONS = {
    "recover": (("open",), "half_open"),
    "reset": (("open", "half_open"), "closed"),
    "test": (("closed", "half_open"), "open"),
}
"""Action -> from which status it leads to which."""


def change_breaker(
    state: State, action: str, name: str, lanes: Sequence[int], cause: str
) -> tuple[list[Effect], str]:
    """Return the effects of an action on a breaker, and the answer.

    lanes : of the instruments whose volatility breaker is meant.
    cause : who did it, and why.

    Raises ValueError with the reason of a refusal.
    """
    if action not in ACTIONS:
        raise ValueError(f"unknown action {action} on a breaker: {', '.join(ACTIONS)}")
    if name not in BREAKER_NAMES:
        raise ValueError(f"there is no breaker {name}: {', '.join(BREAKER_NAMES)}")
    which, (sources, after) = BREAKER_NAMES.index(name), ACTIONS[action]
    scopes = lanes if which == BREAKER_VOLATILITY else (-1,)
    found = {lane: BREAKER_STATUS_NAMES[_status(state, which, lane)] for lane in scopes}
    effects: list[Effect] = []
    for lane, before in found.items():
        if before in sources:
            changed = BreakerChanged(
                lane, state.at_ms, name, before, after, 0.0, 0.0, {}, f"{action} by {cause}"
            )
            set_breaker(state, changed)
            effects.append(changed)
    if not effects:
        stands = next(iter(found.values())).replace("_", "-")
        raise ValueError(f"breaker {name} is {stands}: nothing to {action}")
    return effects, f"breaker {name} is {after.replace('_', '-')}"


def _status(state: State, which: int, lane: int) -> int:
    if which == BREAKER_VOLATILITY:
        return int(state.trade.book[lane]["volatility_status"])
    return int(state.trade.account[0]["breaker_status"][which])
