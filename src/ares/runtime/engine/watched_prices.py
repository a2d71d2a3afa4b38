"""Prices that the engine watches for: the newest of each instrument, where it is low enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ares.domain.feed_events import PriceSeen
from ares.domain.market_data import TradeSeen

AGAIN_MS = 30_000.0
"""A price that is still watched for is posted again no earlier than this."""

OLD_MS = 30_000.0
"""A trade that is older than this is not the present price: where no newer comes, bars decide."""


class WatchedPrices:
    """Keeps the newest price of each instrument.

    watched  : returns what ``core.price_watch.watched_ticks`` does.
    decimals : of each instrument's prices. speed: of a rehearsal.
    """

    def __init__(
        self,
        watched: Callable[[], Sequence[int]] = tuple,
        decimals: Sequence[int] = (),
        speed: float = 1.0,
    ) -> None:
        self._watched, self._scales = watched, [10.0**number for number in decimals]
        self._newest = [(0, 0) for _ in self._scales]
        self._posted = [(0, 0, 0.0) for _ in self._scales]
        self._again_ms, self._old_ms = AGAIN_MS * speed, OLD_MS * speed

    def take(self, trade: TradeSeen) -> None:
        """Take a trade; one that is older than the newest changes nothing."""
        if not (0 <= trade.instrument < len(self._scales) and 0.0 < trade.price < math.inf):
            return
        if trade.ts_ms >= self._newest[trade.instrument][0]:
            ticks = round(trade.price * self._scales[trade.instrument])
            self._newest[trade.instrument] = trade.ts_ms, ticks

    def due(self, now_ms: int) -> list[PriceSeen]:
        """Return the prices that the engine is to be told of now."""
        found = []
        for i, watched in enumerate(self._watched()):
            (traded_ms, ticks), (known, known_watch, posted_ms) = self._newest[i], self._posted[i]
            if not 0 < ticks <= watched or traded_ms < now_ms - self._old_ms:
                continue
            if (ticks, watched) == (known, known_watch) and now_ms < posted_ms + self._again_ms:
                continue
            self._posted[i] = ticks, watched, now_ms
            found.append(PriceSeen(now_ms, i, ticks))
        return found
