"""Where real money trades, and that nothing is trained there unless the settings allow it."""

from __future__ import annotations

from dataclasses import dataclass

from ares.domain.errors import UserError


@dataclass(frozen=True, slots=True)
class TrainingPermission:
    """The settings that decide whether a workspace may train.

    in_production            : ``learning.in_production``.
    live_mode, live_enabled  : ``live_trading.mode`` is live; ``live_trading.enabled``.
    """

    in_production: bool
    live_mode: bool
    live_enabled: bool

    @property
    def trades_real_money(self) -> bool:
        """Return whether a workspace is set up for real money, also while that is switched off.

        One of the two keys of ``live_trading`` is enough: a workspace whose trading is paused with
        ``enabled``, or whose second key is not set yet, is no place to train in.
        """
        return self.live_mode or self.live_enabled


def require_training_allowed(permission: TrainingPermission) -> None:
    """Raise UserError where real money trades and ``learning.in_production`` is false.

    Called before candidates are made: by ``ares train``, the learner and sweeps.
    """
    if permission.in_production or not permission.trades_real_money:
        return
    key = "mode is live" if permission.live_mode else "enabled is true"
    raise UserError(
        f"learning.in_production is false and live_trading.{key}: nothing is trained here; train "
        "in another workspace and bring the models (`ares models export`, `ares deploy install`)"
    )
