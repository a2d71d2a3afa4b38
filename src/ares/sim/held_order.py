"""An order as the attacking venue holds it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ares.domain.order_events import EndReason, OrderFilled


@dataclass(slots=True)
class HeldOrder:
    """An order at the venue, and what was executed of it.

    limit_ticks : of a stop-limit; 0: it sells at the market. triggered: it rests at that limit.
    """

    client_id: str
    instrument: int
    kind: str
    lots: int
    price_ticks: int
    filled_lots: int = 0
    ended: EndReason | None = None
    triggered: bool = False
    executions: list[OrderFilled] = field(default_factory=list)
    limit_ticks: int = 0

    @property
    def remaining_lots(self) -> int:
        """Return the signed lots still to fill."""
        return self.lots - self.filled_lots
