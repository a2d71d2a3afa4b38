"""Live market data of any venue that ccxt names: candles where it streams them, else from trades.

Whatever the venue, the network or ccxt does becomes ``Disconnected`` and one line; the connection
is then made anew, with an exchange object of its own, so that nothing stale is left in ccxt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ares.adapters.candle_updates import CandleUpdates
from ares.adapters.ccxt_backfill import BackfillPolicy, CcxtBackfill
from ares.adapters.trade_bars import TradeBars
from ares.config.venues import require_known_venue
from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError
from ares.domain.market_data import (
    Backfill,
    BarSeen,
    Connected,
    Disconnected,
    MarketData,
    SkewSeen,
    TradeSeen,
)
from ares.venues.ccxt_setup import data_credentials, line_of, prepare
from ares.venues.ending import cancelled, closed


class StreamPolicy(NamedTuple):
    """Waits in seconds of wall time.

    mute_s  : a connection without a message for so long is made anew. Doubled, up to
              ``mute_max_s``, each time that this brought nothing: a quiet market is no fault.
    first_s : the same for an instrument that has delivered nothing since the connection.
    """

    connect_s: float = 20.0
    mute_s: float = 20.0
    mute_max_s: float = 320.0
    first_s: float = 60.0
    wait_first_s: float = 0.5
    wait_max_s: float = 30.0
    heartbeat_s: float = 1.0
    skew_every_s: float = 60.0


WORD_MAX = 32
"""Some venues send single words ("pong"); longer text that is not JSON is a fault."""


CLOSED_CANDLES = ("alpaca",)
"""Venues whose streams have candles that are closed only: each comes once, after its end."""

SUBSCRIBE_COST = 0.1
"""Cost of a message that is sent, in parts of the venue's rate limit for requests."""


class StreamBroken(Exception):
    """The connection is to be made anew; its text says why."""


@dataclass
class _Session:
    """One connection.

    message_s : when the last message came, by the loop's clock.
    venue_ms  : the venue's newest time in a message.
    messages  : how many have come.
    """

    exchange: Any
    message_s: float
    venue_ms: int | None = None
    messages: int = 0


class CcxtStream:
    """The market data of some instruments of one venue.

    symbols    : BASE/QUOTE; their positions are the instruments' indices.
    now_ms     : the engine's time.
    deliver    : called with each value, in the loop that ``run`` runs in.
    on_problem : called with one line for each problem.
    address    : scheme and host of another server with the venue's API.
    key        : for a venue that gives market data to nobody else.

    Raises UserError for a venue that ccxt does not support, and for a wrong address.
    """

    def __init__(
        self,
        venue: str,
        symbols: Sequence[str],
        now_ms: Callable[[], int],
        deliver: Callable[[MarketData], None],
        on_problem: Callable[[str], None] = lambda _: None,
        address: str | None = None,
        policy: StreamPolicy = StreamPolicy(),
        backfill: BackfillPolicy = BackfillPolicy(),
        key: ApiKey | None = None,
    ) -> None:
        import ccxt.pro

        if venue not in ccxt.pro.exchanges:
            require_known_venue(venue)
            raise UserError(f"{venue}: ccxt has no live streams of it: choose another venue")
        self._class = getattr(ccxt.pro, venue)
        self._venue = venue
        self._symbols = list(symbols)
        self._now_ms = now_ms
        self._deliver = deliver
        self._on_problem = on_problem
        self._address, self._credentials = address, data_credentials(venue, key)
        self._policy = policy
        self._mute_s, self._first_s = policy.mute_s, policy.first_s
        self._wait_s = policy.wait_first_s
        self._markets: dict[str, Any] | None = None
        self._delivered: set[int] = set()
        ends = venue in CLOSED_CANDLES
        self._updates = [CandleUpdates(i, only_closed=ends) for i in range(len(self._symbols))]
        self._rest_exchange = self._open()
        self._rest = CcxtBackfill(self._rest_exchange, now_ms, on_problem, backfill)

    async def run(self) -> None:
        """Deliver until cancelled; raises nothing else."""
        skew = asyncio.create_task(self._measure_skew())
        try:
            while True:
                reason = await self._session()
                self._deliver(Disconnected(reason))
                self._on_problem(f"{self._venue}: {reason}; reconnecting in {self._wait_s:g} s")
                await asyncio.sleep(self._wait_s)
                self._wait_s = min(2.0 * self._wait_s, self._policy.wait_max_s)
        finally:
            await cancelled([skew])
            await self.close()

    async def bars(self, instrument: int, from_ms: int, to_ms: int) -> list[BarSeen]:
        """Return closed bars of the past (see ``CcxtBackfill.bars``); raises nothing."""
        return await self._rest.bars(instrument, self._symbols[instrument], from_ms, to_ms)

    async def history(self, instrument: int, from_ms: int, to_ms: int) -> Backfill:
        """Return closed bars of the past, and for which time they are all; raises nothing."""
        return await self._rest.history(instrument, self._symbols[instrument], from_ms, to_ms)

    async def close(self) -> None:
        """Close the connection for requests; ``run`` does so at its end."""
        await closed(self._rest_exchange)

    def _open(self) -> Any:
        made_with = {"enableRateLimit": True, "timeout": 10_000, **self._credentials}
        exchange = self._class(made_with)
        prepare(exchange, self._address)
        # ccxt would send one subscription a second: with many symbols, minutes pass unseen.
        exchange.options["ws"] = {**exchange.options.get("ws", {}), "cost": SUBSCRIBE_COST}
        return exchange

    async def _session(self) -> str:
        """Connect and deliver until something fails; return why."""
        tasks: list[asyncio.Task[None]] = []
        exchange = self._open()
        try:
            missing = await self._load_markets(exchange)
            session = _Session(exchange, asyncio.get_running_loop().time())
            _watch_messages(session)
            self._delivered = set()
            wanted = [i for i in range(len(self._symbols)) if i not in missing]
            if not wanted:
                return f"none of {', '.join(self._symbols)} is traded there"
            streams = bool(exchange.has.get("watchOHLCV"))
            for index in wanted:
                if streams:
                    tasks.append(asyncio.create_task(self._watch_bars(exchange, index)))
                tasks.append(asyncio.create_task(self._watch_trades(exchange, index, streams)))
            tasks.append(asyncio.create_task(self._watch_health(session, set(wanted))))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
            error = next((error for error in errors if error is not None), None)
            if isinstance(error, StreamBroken):
                return str(error)
            return "the stream ended" if error is None else line_of(error)
        except Exception as error:  # whatever ccxt raises
            return str(error) if isinstance(error, StreamBroken) else line_of(error)
        finally:
            await cancelled(tasks)
            await closed(exchange)

    async def _load_markets(self, exchange: Any) -> set[int]:
        """Give the exchange its markets; return the instruments that are not traded there."""
        if self._markets is None:
            async with asyncio.timeout(self._policy.connect_s):
                self._markets = await exchange.load_markets()
            for symbol in self._symbols:
                if symbol not in self._markets:
                    self._on_problem(f"{self._venue}: no symbol {symbol} there: not watched")
        else:
            exchange.set_markets(self._markets)
        missing = {i for i, s in enumerate(self._symbols) if s not in (self._markets or {})}
        if missing:
            self._markets = None  # asked again with the next connection
        return missing

    async def _watch_bars(self, exchange: Any, index: int) -> None:
        """Deliver candles of 1m only: ccxt mixes two timeframes of one symbol up on Kraken."""
        updates = self._updates[index]
        updates.connected()
        while True:
            rows = await exchange.watch_ohlcv(self._symbols[index], "1m")
            for row in list(rows):
                for bar in updates.add(row):
                    self._deliver(bar)
            self._delivered.add(index)

    async def _watch_trades(self, exchange: Any, index: int, has_candles: bool) -> None:
        builder: TradeBars | None = None
        while True:
            trades = list(await exchange.watch_trades(self._symbols[index]))
            if builder is None and not has_candles and trades:
                # Complete since the first one only: its minute began before the subscription.
                builder = TradeBars(index, min(int(trade["timestamp"]) for trade in trades) + 1)
            for trade in trades:
                ts_ms, price = int(trade["timestamp"]), float(trade["price"])
                qty = float(trade["amount"])
                self._deliver(TradeSeen(index, ts_ms, price, qty))
                if builder is not None:
                    for bar in builder.add(str(trade.get("id") or ""), ts_ms, price, qty):
                        self._deliver(bar)
            if not has_candles:
                self._delivered.add(index)

    async def _watch_health(self, session: _Session, wanted: set[int]) -> None:
        """Send heartbeats while messages come; end a session that says nothing."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        before, connected = 0, False
        while True:
            await asyncio.sleep(self._policy.heartbeat_s)
            silent_s = loop.time() - session.message_s
            if silent_s > self._mute_s:
                self._mute_s = min(2.0 * self._mute_s, self._policy.mute_max_s)
                raise StreamBroken(f"connected, but no message for {silent_s:.0f} s")
            if not connected and self._delivered >= wanted:
                connected = True
                self._wait_s = self._policy.wait_first_s
                self._first_s = self._policy.first_s
            if not connected and loop.time() - started_s > self._first_s:
                self._first_s = min(2.0 * self._first_s, 16.0 * self._policy.first_s)
                late = ", ".join(self._symbols[i] for i in sorted(wanted - self._delivered))
                raise StreamBroken(f"nothing of {late} since the connection was made")
            if session.messages > before and connected:
                self._mute_s = self._policy.mute_s
                self._deliver(Connected(session.venue_ms))
            before = session.messages
            await self._ping(session)

    async def _ping(self, session: _Session) -> None:
        """Ask for a pong that carries the venue's time, where a venue (Kraken) has one."""
        if self._venue != "kraken":
            return
        for client in list((session.exchange.clients or {}).values()):
            if client.isConnected and not client.closed():
                with suppress(ConnectionError):
                    await client.send({"method": "ping"})

    async def _measure_skew(self) -> None:
        while True:
            try:
                ahead_ms = await self._rest.skew_ms()
            except Exception as error:  # a clock is no reason to end
                self._on_problem(f"{self._venue}: clock not measured: {line_of(error)}")
                ahead_ms = None
            if ahead_ms is not None:
                self._deliver(SkewSeen(ahead_ms))
            await asyncio.sleep(self._policy.skew_every_s)


def _watch_messages(session: _Session) -> None:
    """Note each message's arrival and time; make what ccxt cannot read an error of the socket.

    Without this, text that is not JSON ends ccxt's reading of the socket in silence.
    """
    exchange = session.exchange
    make = exchange.client
    loop = asyncio.get_running_loop()

    def client_of(url: str) -> Any:
        client = make(url)
        if not hasattr(client, "ares_read"):
            client.ares_read = client.handle_text_or_binary_message
            client.handle_text_or_binary_message = lambda data: read(client, data)
        return client

    def read(client: Any, data: Any) -> None:
        try:
            client.ares_read(data)
        except Exception as error:
            client.on_error(StreamBroken(f"a message cannot be read ({line_of(error)})"))

    handle = exchange.handle_message

    def handle_message(client: Any, message: Any) -> None:
        if isinstance(message, str) and len(message) > WORD_MAX:
            raise TypeError(f"not JSON: {str(message)[:60]!r}")
        session.message_s = loop.time()
        session.messages += 1
        sent_ms = message_ms(message)
        if sent_ms is not None:
            session.venue_ms = max(sent_ms, session.venue_ms or 0)
        handle(client, message)

    exchange.client = client_of
    exchange.handle_message = handle_message


def message_ms(message: Any) -> int | None:
    """Return the venue's time in a message: Binance's ``E``, Kraken's ``time_out``; else None.

    >>> message_ms({"E": 1700000000123}), message_ms({"time_out": "2023-11-14T22:13:20.123000Z"})
    (1700000000123, 1700000000123)
    """
    if not isinstance(message, dict):
        return None
    inner = message.get("data")
    event = inner.get("E") if isinstance(inner, dict) else message.get("E")
    if isinstance(event, int):
        return event
    text = message.get("time_out")
    if isinstance(text, str):
        with suppress(ValueError):
            return round(datetime.fromisoformat(text).timestamp() * 1000)
    return None
