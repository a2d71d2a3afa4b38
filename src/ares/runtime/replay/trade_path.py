"""The executions of one trade, by the fill model or at the venue, and the bars beneath them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ares.kernel.bars import I64
from ares.runtime.engine.bar_panel import BarPanel

OPEN = "open"
"""Exit reason of a trade that still holds lots."""


@dataclass(frozen=True, slots=True)
class TradeExecution:
    """Lots that were traded at one price; signed, positive buys.

    reason   : of an exit, why; of the others, their kind.
    order    : client id of its order.
    trigger_ticks : of a stop.
    """

    ts_ms: int
    lots: int
    price_ticks: int
    fee_units: int
    kind: str
    reason: str
    order: str = ""
    trigger_ticks: int = 0


@dataclass(slots=True)
class TradePath:
    """A trade: what its entry order bought, and what was sold of it; gas counts as a fee."""

    executions: list[TradeExecution] = field(default_factory=list)
    gas_units: int = 0

    @property
    def entries(self) -> list[TradeExecution]:
        """Return what was bought."""
        return [e for e in self.executions if e.lots > 0]

    @property
    def exits(self) -> list[TradeExecution]:
        """Return what was sold."""
        return [e for e in self.executions if e.lots < 0]

    @property
    def bought_lots(self) -> int:
        """Return the lots bought in all."""
        return sum(e.lots for e in self.entries)

    @property
    def held_lots(self) -> int:
        """Return the lots that are held still."""
        return sum(e.lots for e in self.executions)

    @property
    def exit_reason(self) -> str:
        """Return why the last lots were sold; ``OPEN`` where some are held."""
        return OPEN if self.held_lots or not self.executions else self.executions[-1].reason


@dataclass(frozen=True, slots=True)
class BarAt:
    """The bar in which something happened: its number, open in ticks and volume in lots."""

    row: int
    open_ticks: int
    volume_lots: int


class InstrumentBars:
    """One instrument's bars by their opening time, to be looked up."""

    def __init__(self, panel: BarPanel, i: int, base_ms: int) -> None:
        rows = np.flatnonzero(panel.present[:, i])
        rows = rows[np.argsort(panel.close_ms[rows], kind="stable")]
        self._open_ms: I64 = panel.close_ms[rows] - base_ms
        self._ticks, self._lots = panel.ticks[rows, i], panel.lots[rows, i]
        self._base_ms = base_ms

    @property
    def last_close_ticks(self) -> int:
        """Return the newest close; 0: there is no bar."""
        return int(self._ticks[-1, 3]) if len(self._ticks) else 0

    def at(self, ts_ms: int) -> BarAt | None:
        """Return the bar in which an instant is; None before the first bar.

        Where that bar is missing, the market stands at the close of the one before.
        """
        row = int(np.searchsorted(self._open_ms, ts_ms, side="right")) - 1
        if row < 0:
            return None
        is_in = ts_ms < int(self._open_ms[row]) + self._base_ms
        return BarAt(row, int(self._ticks[row, 0 if is_in else 3]), int(self._lots[row]))
