"""Positions that are too small for a stop at the venue: the engine sells them, or leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.finding import Finding
from tests.sim.world_setup import N

if TYPE_CHECKING:
    from tests.sim.world import World

MARGIN = 1.02


class SmallPromises:
    """What the engine does itself where the venue takes no order that is so small."""

    def __init__(self, world: World) -> None:
        self.world = world

    def is_held_here(self, i: int, missing: int) -> bool:
        """Return whether the engine watches the price of lots that have no stop at the venue, or
        waits for the rest of an entry; and the venue takes no stop for them.
        """
        world = self.world
        if not world.venue.minimums.units or i >= len(world.state.lane_orders):
            return False
        placed, book = world.state.lane_orders[i], world.state.trade.book[i]
        held, now = int(book["position_lots"]), world.venue.prices[i % N]
        if self._fits(i, missing, int(book["stop_ticks"])):
            return False
        if placed.held_ticks:
            is_due = now <= placed.held_ticks and not world.market.mute_bars
            if is_due:
                world.counts["held stops reached"] += 1
            return not is_due
        is_sellable = self._fits(i, int(held / MARGIN), now)
        return bool(placed.entry) and not is_sellable

    def check(self) -> None:
        """No order was sent below the smallest quantity."""
        if self.world.venue.minimums.too_small:
            raise Finding("an order was smaller than the venue takes")

    def _fits(self, i: int, lots: int, ticks: int) -> bool:
        units = self.world.units(i % N, max(1, ticks), max(0, lots))
        return self.world.venue.minimums.fits(lots, units)
