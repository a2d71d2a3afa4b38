"""What is otherwise with a venue that has a smallest order and states of its markets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.promises import Promises
from tests.sim.world_setup import N

from ares.domain.order_events import EndReason
from ares.sim.held_order import HeldOrder

if TYPE_CHECKING:
    from tests.sim.protocol.protocol_world import ProtocolWorld

STATES = ("cancel_only", "post_only", "maintenance", "unavailable", "key_revoked")


class ProtocolPromises(Promises):
    """The promises, but that of a stop where the venue takes none."""

    world: ProtocolWorld

    def _most(self, i: int) -> int:
        """Return the most lots that the venue takes: nothing of less than its smallest order."""
        venue = self.world.served_venue
        held = int(self.world.state.trade.book[i]["position_lots"])
        return 10**18 if venue.takes(i % N, held) else 0

    def _is_excused(self, i: int) -> bool:
        """Return whether the venue takes no orders now, or has refused several in a row and the
        next try is still to come (30 s at most), or what excuses the engine in any world.
        """
        faults, placed = self.world.served_venue.faults, self.world.state.lane_orders[i]
        if any(faults.is_active(state) for state in STATES):
            return True
        if placed.failures > 1 and self.world.now_ms() < placed.retry_ms:
            return True
        return super()._is_excused(i)

    def _is_invented_end(self, reason: EndReason, held: HeldOrder | None) -> bool:
        """Return whether the venue did not end an order; what it refuses it never holds."""
        if reason == "rejected":
            return held is not None
        return super()._is_invented_end(reason, held)
