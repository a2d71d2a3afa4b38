"""Past bars and the time of a venue over its public REST, for an engine that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from ares.adapters.trade_bars import TradeBars
from ares.domain.market_data import Backfill, BarSeen
from ares.domain.timeframe import MINUTE_MS
from ares.venues.ccxt_setup import line_of
from ares.venues.venue_clock import ahead_of

CANDLES_REACH = {"kraken": 720}
"""Venues that serve their newest candles only, and how many; older ones come from their trades."""

CANDLES_SPARE = 20
"""Of these, so many of the oldest are not relied upon: they go while they are asked for."""

TRADES_PAGE = 1000

SILENT_MS_MAX = 2 * 3_600_000
"""With no candle for longer at the beginning of what was requested, the venue has nothing older:
the market is not silent for so long.
"""


class BackfillPolicy(NamedTuple):
    """How often a request is tried, and the waits between, in seconds of wall time."""

    attempts: int = 5
    wait_first_s: float = 1.0
    wait_max_s: float = 15.0
    skew_samples: int = 5
    skew_sample_apart_s: float = 0.37


class CcxtBackfill:
    """The public REST of one venue.

    exchange   : of ccxt's async side, already set up.
    now_ms     : the engine's time.
    on_problem : called with one line for each request that failed.

    No method raises for what the venue or the network does.
    """

    def __init__(
        self,
        exchange: Any,
        now_ms: Callable[[], int],
        on_problem: Callable[[str], None],
        policy: BackfillPolicy = BackfillPolicy(),
    ) -> None:
        self._exchange = exchange
        self._now_ms = now_ms
        self._on_problem = on_problem
        self._policy = policy

    async def markets(self) -> dict[str, Any] | None:
        """Return the venue's markets; None when it does not answer."""
        found: dict[str, Any] | None = await self._ask(self._exchange.load_markets)
        return found

    async def bars(self, instrument: int, symbol: str, from_ms: int, to_ms: int) -> list[BarSeen]:
        """Return the closed 1m bars that open at or after ``from_ms`` and before ``to_ms``.

        Where the venue stops answering, those before that point; minutes for which the venue has
        no candle are absent.
        """
        return list((await self.history(instrument, symbol, from_ms, to_ms)).bars)

    async def history(self, instrument: int, symbol: str, from_ms: int, to_ms: int) -> Backfill:
        """Return the bars as ``bars`` does, with the time for which they are all there are."""
        found, complete = await self._found(instrument, symbol, from_ms, to_ms)
        until_ms = found[-1].open_ms + MINUTE_MS if found else from_ms
        end_ms = min(to_ms, self._now_ms() // MINUTE_MS * MINUTE_MS)
        if found and found[0].open_ms - from_ms > SILENT_MS_MAX:
            from_ms = found[0].open_ms
        return Backfill(tuple(found), from_ms, end_ms if complete else until_ms)

    async def _found(
        self, instrument: int, symbol: str, from_ms: int, to_ms: int
    ) -> tuple[list[BarSeen], bool]:
        """Return the bars, and whether the venue answered for all of the time."""
        if await self.markets() is None:
            return [], False
        end_ms = min(to_ms, self._now_ms() // MINUTE_MS * MINUTE_MS)
        bars: list[BarSeen] = []
        while from_ms < min(end_ms, self._candles_from_ms()):  # which moves on meanwhile
            until_ms = min(end_ms, self._candles_from_ms())
            made, complete = await self._from_trades(instrument, symbol, from_ms, until_ms)
            bars += made
            if not complete:
                return bars, False
            from_ms = until_ms
        candles, complete = await self._from_candles(instrument, symbol, from_ms, end_ms)
        return bars + candles, complete

    def _candles_from_ms(self) -> int:
        """Return the oldest open time of which the venue still serves candles; 0: no such limit."""
        reach = CANDLES_REACH.get(self._exchange.id)
        if reach is None:
            return 0
        return (self._now_ms() // MINUTE_MS - (reach - CANDLES_SPARE)) * MINUTE_MS

    async def skew_ms(self) -> int | None:
        """Return how far the venue's clock is ahead of the engine's; None when it is unknown."""
        if not self._exchange.has.get("fetchTime"):
            return None
        return await ahead_of(
            lambda: self._ask(self._exchange.fetch_time), self._now_ms,
            self._policy.skew_samples, self._policy.skew_sample_apart_s,
        )  # fmt: skip

    async def _from_candles(
        self, instrument: int, symbol: str, from_ms: int, end_ms: int
    ) -> tuple[list[BarSeen], bool]:
        found: dict[int, BarSeen] = {}
        since_ms = from_ms
        while since_ms < end_ms:
            limit = self._page_bars()

            def page(since_ms: int = since_ms, limit: int = limit) -> Any:
                return self._exchange.fetch_ohlcv(symbol, "1m", since=since_ms, limit=limit)

            rows = await self._ask(page)
            if rows is None:
                return _in_order(found), False
            for row in rows:
                if since_ms <= row[0] < end_ms and None not in row[:5]:
                    opened, high, low, close = (float(cell) for cell in row[1:5])
                    volume = float(row[5] or 0.0)
                    bar = BarSeen(instrument, int(row[0]), opened, high, low, close, volume, True)
                    found[bar.open_ms] = bar
            empty_ms = since_ms + limit * MINUTE_MS
            following_ms = max((int(row[0]) + MINUTE_MS for row in rows), default=empty_ms)
            if following_ms <= since_ms:  # nothing new: no more, or a venue that ignores `since`
                break
            since_ms = following_ms
        return _in_order(found), True

    async def _from_trades(
        self, instrument: int, symbol: str, from_ms: int, end_ms: int
    ) -> tuple[list[BarSeen], bool]:
        """Return the bars made from all trades of the time, and whether it is complete.

        Silent minutes are flat at the last price, once there is one.
        """
        builder = TradeBars(instrument, from_ms)
        found: dict[int, BarSeen] = {}
        cursor = str((from_ms - 1) * 1_000_000)
        complete = False
        while not complete:

            def page(cursor: str = cursor) -> Any:
                parameters = {"since": cursor}
                return self._exchange.fetch_trades(symbol, None, TRADES_PAGE, parameters)

            trades = await self._ask(page)
            if trades is None:
                break
            for trade in trades:
                given_id, ts_ms = str(trade.get("id") or ""), int(trade["timestamp"])
                for bar in builder.add(given_id, ts_ms, float(trade["price"]), trade["amount"]):
                    found[bar.open_ms] = bar
            reached_ms = int(trades[-1]["timestamp"]) if trades else end_ms
            complete = not trades or reached_ms >= end_ms
            following = str(trades[-1]["info"][-1]) if trades else cursor
            if following == cursor:
                break
            cursor = following
        newest_ms = max(found, default=from_ms)
        return _with_flat(found, end_ms if complete else newest_ms), complete

    def _page_bars(self) -> int:
        features = (self._exchange.features or {}).get("spot") or {}
        return int((features.get("fetchOHLCV") or {}).get("limit") or 500)

    async def _ask(self, call: Callable[[], Any]) -> Any:
        """Return the call's answer; None after the last attempt failed."""
        wait_s = self._policy.wait_first_s
        for attempt in range(1, self._policy.attempts + 1):
            try:
                return await call()
            except Exception as error:  # whatever ccxt or the venue does
                last = attempt == self._policy.attempts
                then = "given up" if last else f"retrying in {wait_s:g} s"
                self._on_problem(f"{self._exchange.id}: {line_of(error)}; {then}")
                if last:
                    return None
            await asyncio.sleep(wait_s)
            wait_s = min(2.0 * wait_s, self._policy.wait_max_s)
        return None


def _in_order(found: dict[int, BarSeen]) -> list[BarSeen]:
    return [found[open_ms] for open_ms in sorted(found)]


def _with_flat(found: dict[int, BarSeen], end_ms: int) -> list[BarSeen]:
    """Return the bars before ``end_ms``, closed, and a flat one for each minute between."""
    bars: list[BarSeen] = []
    for open_ms in range(min(found, default=end_ms), end_ms, MINUTE_MS):
        bar = found.get(open_ms)
        if bar is not None:
            bars.append(
                BarSeen(
                    *(bar.instrument, open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume),
                    is_closed=True,
                )
            )
        else:
            last = bars[-1].close
            bars.append(BarSeen(bars[-1].instrument, open_ms, last, last, last, last, 0.0, True))
    return bars
