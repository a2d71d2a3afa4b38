"""The smallest order that the attacking venue takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Minimums:
    """Smallest quantity in lots and cost in money units; 0: none.

    too_small : orders below the quantity that were sent.
    """

    lots: int = 0
    units: int = 0
    too_small: int = 0

    def takes(self, lots: int, units: int) -> bool:
        """Return whether an order of so many lots that costs so much is taken."""
        self.too_small += abs(lots) < self.lots
        return self.fits(lots, units)

    def fits(self, lots: int, units: int) -> bool:
        """Return the same, of an order that was not sent."""
        return abs(lots) >= self.lots and units >= self.units
