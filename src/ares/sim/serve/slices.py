"""Partial fills on command: what would be filled at once comes in pieces, so many a second."""

from __future__ import annotations

from itertools import pairwise

from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.orders import SimOrder

PIECES = 50
"""A fill is cut into so many pieces, where its quantity allows."""

Piece = tuple[SimOrder, int, int, bool]
"""Order, price in ticks, lots, whether it is the maker."""


class Slices:
    """The pieces to come. The fault ``partial_fills`` cuts fills while it is active."""

    def __init__(self, faults: ActiveFaults) -> None:
        self._faults = faults
        self._pieces: list[Piece] = []
        self._rate = 0.0
        self._due_s = 0.0

    def takes(self, order: SimOrder, ticks: int, lots: int, is_maker: bool) -> bool:
        """Return whether the fault takes a fill, to give it in pieces."""
        fault = self._faults.struck("partial_fills", "rest", order.symbol.symbol)
        if fault is None:
            return False
        if not self._pieces:
            self._due_s = self._faults.now_s()
        self._rate = fault.rate
        n = min(PIECES, max(1, lots // 10))
        cuts = [lots * k // n for k in range(n + 1)]
        self._pieces += [(order, ticks, b - a, is_maker) for a, b in pairwise(cuts)]
        return True

    def due(self) -> list[Piece]:
        """Return the pieces whose time has come, in order."""
        found: list[Piece] = []
        while self._pieces and self._faults.now_s() >= self._due_s:
            found.append(self._pieces.pop(0))
            self._due_s += 1.0 / self._rate
        return found

    def pieces(self, order: SimOrder) -> list[tuple[int, int]]:
        """Return price and lots of what an order will still be filled with."""
        return [(ticks, lots) for owner, ticks, lots, _ in self._pieces if owner is order]

    def promised(self, order: SimOrder) -> int:
        """Return the lots that an order will still be filled with."""
        return sum(lots for _, lots in self.pieces(order))

    def forget(self, order: SimOrder) -> None:
        """Drop what an order that ended would have been filled with."""
        self._pieces = [piece for piece in self._pieces if piece[0] is not order]
