"""The market that the server plays: candles and trades of each symbol at a market time.

Pure: the time is handed in. What lies after it is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.kernel.bars import F64, I64, Bars, Bools
from ares.sim.serve.book import Book, book_at
from ares.sim.serve.trades import (
    LOT_DECIMALS,
    TRADES_PER_BAR,
    BarTicks,
    TradeColumns,
    decimals_of,
    has_trades,
    key_of,
    trades_of,
)

LOT = 10**LOT_DECIMALS


class Trade(NamedTuple):
    """One public trade: price in ticks, quantity in lots of 1e-8, ids from 1 without a gap."""

    symbol: int
    trade_id: int
    ts_ms: int
    ticks: int
    lots: int
    is_buy: bool


class Candle(NamedTuple):
    """One candle: prices in ticks, volumes in lots of 1e-8, turnover in quote currency.

    n_trades : 0 where nothing was traded; ``first_id`` is then the id of the next trade.
    exists   : False where the candle file has no bar in this time.
    """

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    turnover: float
    buy_lots: int
    buy_turnover: float
    n_trades: int
    first_id: int
    exists: bool


class MinuteColumns(NamedTuple):
    """The candle of each minute, fields as in ``Candle``, all (n_minutes,)."""

    open_ms: I64
    open: I64
    high: I64
    low: I64
    close: I64
    lots: I64
    turnover: F64
    buy_lots: I64
    buy_turnover: F64
    n_trades: I64
    first_id: I64
    exists: Bools


class SymbolMarket:
    """The market of one symbol, made from its 1m bars (minutes without a bar have no trades).

    symbol : BASE/QUOTE.
    index  : its number, as in ``Trade.symbol``.

    Raises UserError where the bars cannot be played.
    """

    def __init__(self, symbol: str, bars: Bars, index: int = 0) -> None:
        if not len(bars):
            raise UserError(f"{symbol}: no candles in the time to play: choose another --from")
        if np.any(bars.ts_ms % MINUTE_MS):
            raise UserError(f"{symbol}: candles that do not open on a full minute cannot be played")
        self.symbol = symbol
        self.base, _, self.quote = symbol.partition("/")
        self.index = index
        self.price_decimals = decimals_of(
            np.concatenate([bars.open, bars.high, bars.low, bars.close])
        )
        self.qty_decimals = decimals_of(bars.volume)
        self.lot_unit = 10 ** (LOT_DECIMALS - self.qty_decimals)
        self._key = key_of(symbol)
        self.from_ms = int(bars.ts_ms[0])
        self.to_ms = int(bars.ts_ms[-1]) + MINUTE_MS
        self._bars, self._exists = _dense(bars, self.price_decimals)
        self.first_ticks = int(self._bars.open[0])
        self._traded = has_trades(self._bars)
        counts = np.where(self._traded, TRADES_PER_BAR, 0)
        self._first_id = np.concatenate([[1], 1 + np.cumsum(counts)])
        self._minutes = MinuteColumns(
            *self._bars, *self._sums(), counts, self._first_id[:-1], self._exists
        )
        traded = self._bars.lots[self._bars.lots > 0]
        self._typical_lots = int(np.median(traded)) // TRADES_PER_BAR if len(traded) else LOT
        self._newest: tuple[tuple[int, int], list[Trade]] = ((0, 0), [])

    def trades(self, from_ms: int, to_ms: int) -> list[Trade]:
        """Return the trades at or after ``from_ms`` and before ``to_ms``."""
        first, last = self._rows(from_ms, to_ms)
        return [t for t in self._trades(first, last) if from_ms <= t.ts_ms < to_ms]

    def trades_from_id(self, trade_id: int, n: int, now_ms: int) -> list[Trade]:
        """Return up to ``n`` trades from ``trade_id`` on that have happened by ``now_ms``."""
        end = min(trade_id + n, self.next_id(now_ms))
        start = max(trade_id, 1)
        if start >= end:
            return []
        first = int(np.searchsorted(self._first_id, start, side="right")) - 1
        last = int(np.searchsorted(self._first_id, end - 1, side="right"))
        found = self._trades(first, last)
        return [trade for trade in found if start <= trade.trade_id < end]

    def last_trades(self, n: int, now_ms: int) -> list[Trade]:
        """Return the last ``n`` trades by ``now_ms``, oldest first."""
        return self.trades_from_id(max(1, self.next_id(now_ms) - n), n, now_ms)

    def next_id(self, now_ms: int) -> int:
        """Return the id of the first trade after ``now_ms``."""
        row = min(max((now_ms - self.from_ms) // MINUTE_MS, 0), len(self._exists))
        if row == len(self._exists):
            return int(self._first_id[-1])
        done = [trade for trade in self._trades(row, row + 1) if trade.ts_ms <= now_ms]
        return int(self._first_id[row]) + len(done)

    def candles(
        self, interval_ms: int, from_ms: int, to_ms: int, now_ms: int, limit: int | None = None
    ) -> list[Candle]:
        """Return the candles that open at or after ``from_ms``, before ``to_ms`` and by ``now_ms``.

        The last one is in progress where ``now_ms`` lies within it.
        limit : return only the newest so many.
        """
        end_ms = min(to_ms, now_ms + 1, self.to_ms)
        start_ms = max(from_ms, self.from_ms - self.from_ms % interval_ms)
        start_ms = -(-start_ms // interval_ms) * interval_ms
        if limit is not None:
            newest_ms = (end_ms - 1) // interval_ms * interval_ms
            start_ms = max(start_ms, newest_ms - (limit - 1) * interval_ms)
        if start_ms >= end_ms:
            return []
        until_ms = min(-(-end_ms // interval_ms) * interval_ms, now_ms + 1)
        first, last = self._rows(start_ms, until_ms)
        return self._grouped(first, last, interval_ms, now_ms)

    def day(self, now_ms: int) -> Candle:
        """Return the last 24 hours as one candle, to the minute and up to the last trade."""
        first, last = self._rows(now_ms - DAY_MS + MINUTE_MS, now_ms + 1)
        first = min(first, len(self._exists) - 1)
        return self._grouped(first, max(last, first + 1), 1 << 60, now_ms)[0]

    def last_ticks(self, now_ms: int) -> int:
        """Return the price of the last trade; before the first one, the first open."""
        trades = self.last_trades(1, now_ms)
        return trades[0].ticks if trades else self.first_ticks

    def book(self, now_ms: int) -> Book:
        """Return the order book after the last trade."""
        trades = self.last_trades(1, now_ms)
        ticks, trade_id = (trades[0].ticks, trades[0].trade_id) if trades else (self.first_ticks, 0)
        return self.book_after(ticks, trade_id)

    def book_after(self, ticks: int, trade_id: int) -> Book:
        """Return the order book after a trade."""
        return book_at(ticks, self.first_ticks, trade_id, self.lot_unit, self._typical_lots)

    def _rows(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        """Return the rows of the minutes that overlap the time: first, and last + 1."""
        n = len(self._exists)
        first = (from_ms - self.from_ms) // MINUTE_MS
        last = -(-(to_ms - self.from_ms) // MINUTE_MS)
        return min(max(first, 0), n), min(max(last, 0), n)

    def _columns(self, first: int, last: int) -> TradeColumns:
        return trades_of(self._bars.rows(first, last), self._key, self.lot_unit)

    def _trades(self, first: int, last: int) -> list[Trade]:
        """Return the trades of some minutes; the last ones that were asked for are kept."""
        if self._newest[0] != (first, last):
            self._newest = ((first, last), self._made_trades(first, last))
        return self._newest[1]

    def _made_trades(self, first: int, last: int) -> list[Trade]:
        columns = self._columns(first, last)
        ids = self._first_id[first + columns.bar] + np.arange(len(columns.bar)) % TRADES_PER_BAR
        rows = zip(
            *(ids.tolist(), columns.ts_ms.tolist(), columns.ticks.tolist()),
            *(columns.lots.tolist(), columns.is_buy.tolist()),
            strict=True,
        )
        return [Trade(self.index, *row) for row in rows]

    def _sums(self) -> tuple[F64, I64, F64]:
        """Return turnover, bought lots and bought turnover of each minute, (n_minutes,) each."""
        n = len(self._exists)
        turnover, buy_lots, buy_turnover = np.zeros(n), np.zeros(n, np.int64), np.zeros(n)
        tick = 10.0**-self.price_decimals
        for first in range(0, n, 20_000):
            columns = self._columns(first, first + 20_000)
            money = columns.ticks * tick * (columns.lots / LOT)
            np.add.at(turnover, first + columns.bar, money)
            bought = columns.is_buy
            np.add.at(buy_lots, first + columns.bar[bought], columns.lots[bought])
            np.add.at(buy_turnover, first + columns.bar[bought], money[bought])
        return turnover, buy_lots, buy_turnover

    def _grouped(self, first: int, last: int, interval_ms: int, now_ms: int) -> list[Candle]:
        """Return minutes ``first`` to ``last`` by interval; the minute of now, as it stands.

        A minute without trades counts for nothing where others of its interval have some.
        """
        is_now = (now_ms - self.from_ms) // MINUTE_MS == last - 1
        tail = self._minute_now(last - 1, now_ms) if is_now else self._minute(last - 1)
        minutes = MinuteColumns(
            *(
                np.append(column[first : last - 1], value)
                for column, value in zip(self._minutes, tail, strict=True)
            )
        )
        groups = minutes.open_ms // interval_ms
        starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
        ends = np.append(starts[1:], len(groups)) - 1
        traded = minutes.n_trades > 0
        has_some = np.logical_or.reduceat(traded, starts)
        rows = np.arange(len(groups))
        opening = np.minimum.reduceat(np.where(traded, rows, len(groups)), starts)
        opening = np.where(has_some, opening, starts)
        close = minutes.close[ends]
        high = np.maximum.reduceat(np.where(traded, minutes.high, 0), starts)
        low = np.minimum.reduceat(np.where(traded, minutes.low, np.iinfo(np.int64).max), starts)
        columns = (
            minutes.open_ms[starts] // interval_ms * interval_ms,
            np.where(has_some, minutes.open[opening], close),
            np.where(has_some, high, close),
            np.where(has_some, low, close),
            close,
            *(np.add.reduceat(column, starts) for column in minutes[5:10]),
            minutes.first_id[starts],
            np.logical_or.reduceat(minutes.exists, starts),
        )
        return [Candle(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]

    def _minute(self, row: int) -> Candle:
        return Candle(*(column[row].item() for column in self._minutes))

    def _minute_now(self, row: int, now_ms: int) -> Candle:
        """Return the minute from its trades up to ``now_ms``; flat before the first of them."""
        whole = self._minute(row)
        trades = [trade for trade in self._trades(row, row + 1) if trade.ts_ms <= now_ms]
        if not trades:
            last = int(self._bars.close[row - 1]) if row else whole.open
            return Candle(
                *(whole.open_ms, last, last, last, last, 0, 0.0, 0, 0.0, 0),
                *(whole.first_id, whole.exists),
            )
        tick = 10.0**-self.price_decimals
        money = [trade.ticks * tick * (trade.lots / LOT) for trade in trades]
        prices = [trade.ticks for trade in trades]
        return Candle(
            whole.open_ms,
            *(prices[0], max(prices), min(prices), prices[-1]),
            sum(trade.lots for trade in trades),
            sum(money),
            sum(trade.lots for trade in trades if trade.is_buy),
            sum(paid for paid, trade in zip(money, trades, strict=True) if trade.is_buy),
            len(trades),
            whole.first_id,
            True,
        )


class SimMarket:
    """All symbols of the server."""

    def __init__(self, bars: dict[str, Bars]) -> None:
        if not bars:
            raise UserError("no symbol to play: give a file or folder of 1m candles")
        self.symbols = [
            SymbolMarket(symbol, rows, index) for index, (symbol, rows) in enumerate(bars.items())
        ]
        self.from_ms = min(symbol.from_ms for symbol in self.symbols)
        self.to_ms = max(symbol.to_ms for symbol in self.symbols)


class Playback:
    """Gives each trade and each full minute of the market once, in order of time."""

    CHUNK_MS = 30 * MINUTE_MS

    def __init__(self, symbols: Sequence[SymbolMarket], from_ms: int) -> None:
        self._symbols = symbols
        self._loaded_ms = from_ms + 1
        self._trades: list[Trade] = []
        self._at = 0
        self.next_minute_ms = from_ms - from_ms % MINUTE_MS + MINUTE_MS

    def due(self, now_ms: int) -> list[Trade | int]:
        """Return what has happened by ``now_ms`` since the last call: trades, and full minutes.

        A full minute is its time in ms; trades before it come before it.
        """
        while self._loaded_ms <= now_ms:
            until_ms = max(now_ms + 1, self._loaded_ms + self.CHUNK_MS)
            more = [t for s in self._symbols for t in s.trades(self._loaded_ms, until_ms)]
            self._trades = self._trades[self._at :] + sorted(
                more, key=lambda t: (t.ts_ms, t.symbol)
            )
            self._at, self._loaded_ms = 0, until_ms
        happened: list[Trade | int] = []
        while True:
            trade = self._trades[self._at] if self._at < len(self._trades) else None
            if trade is not None and trade.ts_ms < self.next_minute_ms:
                if trade.ts_ms > now_ms:
                    return happened
                happened.append(trade)
                self._at += 1
            elif self.next_minute_ms <= now_ms:
                happened.append(self.next_minute_ms)
                self.next_minute_ms += MINUTE_MS
            else:
                return happened

    def next_ms(self) -> int:
        """Return the time of the next trade or full minute that is known."""
        trade = self._trades[self._at] if self._at < len(self._trades) else None
        return min(self.next_minute_ms, trade.ts_ms) if trade else self.next_minute_ms


def _dense(bars: Bars, price_decimals: int) -> tuple[BarTicks, Bools]:
    """Return a bar for every minute of the time spanned, and where there was one.

    A minute without trades is flat at the close before it.
    """
    rows = (bars.ts_ms - bars.ts_ms[0]) // MINUTE_MS
    n = int(rows[-1]) + 1
    exists = np.zeros(n, np.bool_)
    exists[rows] = True
    scale = 10.0**price_decimals

    def ticks_of(prices: F64) -> I64:
        ticks = np.zeros(n, np.int64)
        ticks[rows] = np.rint(prices * scale).astype(np.int64)
        return ticks

    lots = np.zeros(n, np.int64)
    lots[rows] = np.rint(bars.volume * LOT).astype(np.int64)
    ts_ms = bars.ts_ms[0] + MINUTE_MS * np.arange(n, dtype=np.int64)
    opened, high, low, close = (
        ticks_of(column) for column in (bars.open, bars.high, bars.low, bars.close)
    )
    dense = BarTicks(ts_ms, opened, high, low, close, lots)
    traded = has_trades(dense)
    lots[~traded] = 0
    newest = np.maximum.accumulate(np.where(traded, np.arange(n), -1))
    last = np.where(newest >= 0, close[np.maximum(newest, 0)], opened[0])
    for column in (opened, high, low, close):
        column[~traded] = last[~traded]
    return dense, exists
