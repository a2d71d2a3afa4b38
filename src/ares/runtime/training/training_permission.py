"""Where money trades, and what may not be done there."""

from __future__ import annotations

from ares.config.settings import Settings
from ares.domain.errors import UserError


def money_trades(settings: Settings) -> bool:
    """Return whether a workspace is set up for real money, also while it is switched off.

    One of the two keys of ``live_trading`` is enough: who pauses trading with ``enabled``, or has
    not turned the second key yet, has no training ground for that.
    """
    return settings.live_trading.mode == "live" or settings.live_trading.enabled


def require_training_allowed(settings: Settings) -> None:
    """Raise UserMistake where money trades and ``learning.in_production`` is false.

    Whatever makes candidates asks here first: ``ares train``, the learner, a sweep.
    """
    if settings.learning.in_production or not money_trades(settings):
        return
    key = "mode is live" if settings.live_trading.mode == "live" else "enabled is true"
    raise UserError(
        f"learning.in_production is false and live_trading.{key}: nothing is trained here; train "
        "in another workspace and bring the models (`ares models export`, `ares deploy install`)"
    )
