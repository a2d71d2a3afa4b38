"""The limits of Kraken's matching engine: a counter for each pair, and open orders.

Source: docs.kraken.com, "Spot Trading Limits" (read in November 2026). A transaction adds to the
counter of its pair, the more the younger its order is; the counter falls with time. At the maximum
orders are neither added nor changed; cancels add to it, and are always done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ares.sim.serve.kraken_rest import KrakenError
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.orders import SimOrder


class Tier(NamedTuple):
    """The maximum of a pair's counter, its fall in a second, and open orders of a pair."""

    count_max: float
    fall: float
    open_max: int


TIERS = {
    "starter": Tier(60.0, 1.0, 60),
    "intermediate": Tier(125.0, 2.34, 80),
    "pro": Tier(180.0, 3.75, 225),
}
_AMEND = ((5, 3), (10, 2), (15, 1))
_EDIT = ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1))
_CANCEL = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))


class EngineLimits:
    """The counters of one account.

    tier   : of ``TIERS``; another: unlimited.
    wall_s : seconds of wall time, monotonic, which the counters follow.
    age_s  : seconds of wall time that an order has rested since it was placed or changed.
    """

    def __init__(
        self, tier: str, wall_s: Callable[[], float], age_s: Callable[[SimOrder], float]
    ) -> None:
        self._tier = TIERS.get(tier)
        self._wall_s = wall_s
        self._age_s = age_s
        self._counts: dict[int, tuple[float, float]] = {}

    def add(self, symbol: SymbolMarket, n_open: int) -> None:
        """Count an order; raise KrakenError where a limit is reached."""
        self._require(symbol)
        self._count(symbol, 1.0)
        if self._tier is not None and n_open >= self._tier.open_max:
            raise KrakenError("EOrder:Orders limit exceeded")

    def amend(self, order: SimOrder) -> None:
        """Count an amendment; raise KrakenError where the limit is reached."""
        self._require(order.symbol)
        self._count(order.symbol, 1.0 + self._young(order, _AMEND))

    def edit(self, order: SimOrder) -> None:
        """Count an order that replaces another; raise KrakenError where the limit is reached."""
        self._require(order.symbol)
        self._count(order.symbol, 1.0 + self._young(order, _EDIT))

    def cancel(self, order: SimOrder) -> None:
        """Count a cancel."""
        self._count(order.symbol, self._young(order, _CANCEL))

    def count(self, symbol: SymbolMarket) -> float:
        """Return the counter of a pair now."""
        if self._tier is None:
            return 0.0
        count, at_s = self._counts.get(symbol.index, (0.0, 0.0))
        return max(0.0, count - (self._wall_s() - at_s) * self._tier.fall)

    def _require(self, symbol: SymbolMarket) -> None:
        if self._tier is not None and self.count(symbol) + 1.0 > self._tier.count_max:
            raise KrakenError("EOrder:Rate limit exceeded")

    def _count(self, symbol: SymbolMarket, n: float) -> None:
        self._counts[symbol.index] = (self.count(symbol) + n, self._wall_s())

    def _young(self, order: SimOrder, steps: tuple[tuple[int, int], ...]) -> float:
        age_s = self._age_s(order)
        return next((float(n) for below_s, n in steps if age_s < below_s), 0.0)
