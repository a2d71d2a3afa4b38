"""The limits that a backtest of a baseline is asked to keep; without any it has none."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ares.domain.errors import UserError
from ares.kernel.trade import Rules
from ares.research.backtest import UNBOUNDED


@dataclass(frozen=True, slots=True)
class BaselineLimits:
    """Of a request: see ``BacktestRequest``. As text they are a part of the baseline's name: with
    other limits it is another one.

    >>> f"buy & hold{BaselineLimits(stop_bps=500.0)}"
    'buy & hold, stop 5%'
    """

    stop_bps: float | None = None
    by_risk: bool = False
    position_max: float | None = None
    daily_loss_max: float | None = None
    drawdown_max: float | None = None
    close_on_drawdown: bool = False

    def __str__(self) -> str:
        """Return the limits that are set, each after a comma."""
        limits = (
            ("stop", (self.stop_bps or 0.0) / 1e4),
            ("daily loss", self.daily_loss_max),
            ("drawdown", self.drawdown_max),
        )
        return "".join(f", {name} {value * 100:g}%" for name, value in limits if value)

    def applied(self, free: Rules, gate_mode: bool) -> Rules:
        """Return the rules of a baseline with these limits; a stop changes no size.

        Raises UserError where sizes are to follow a stop that there is not.
        """
        if self.by_risk and not self.stop_bps:
            raise UserError(
                "--size risk: a baseline needs a --stop, such as 2%, to be sized by risk"
            )
        return replace(
            free,
            risk_per_trade=free.risk_per_trade if self.by_risk else UNBOUNDED,
            position_max=min(free.position_max, self.position_max or 1.0),
            daily_loss_max=self.daily_loss_max or 0.0,
            drawdown_max=self.drawdown_max or 0.0,
            close_on_drawdown=self.close_on_drawdown,
            stop_enabled=bool(self.stop_bps),
            gate_mode=gate_mode,
        )
