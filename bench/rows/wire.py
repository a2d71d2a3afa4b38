"""Row: from a closed bar to the bytes of its order on the wire, four instruments x 6 timeframes.

    python -m bench.rows.wire

As ``bench.rows.live``, and each order also goes the way of a real venue: the adapter's queue, the
rate limit, ccxt, the signature. Measured is the time from the event until the request, signed, is
handed to the connection (``first_``: of the closing instant's first order; ``last_``: of its last,
with a venue that answers at once, because requests leave one after the other). The disk's sync is
taken out, and so is the signature: ``sign_``. Fills are those of the simulated venue.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

from ares.core.models import Models
from ares.domain.events import BarsClosed, Command, Event, RunStarted
from ares.domain.instrument import Instrument
from ares.domain.order_events import SubmitOrder
from ares.journal.run import RunJournal
from ares.runtime.engine.history_market import HistoryMarket, VirtualClock
from ares.runtime.engine.loop import Loop
from ares.runtime.engine.quiet import frozen_heap, load_machine_code, raise_priority
from ares.store.candles import CandleStore
from ares.venues.ccxt_setup import prepare
from ares.venues.ccxt_venue import CcxtVenue
from ares.venues.known_orders import KnownOrders
from ares.venues.kraken_orders import KrakenOrders
from ares.venues.kraken_reports import KrakenReports
from ares.venues.kraken_words import is_refusal
from ares.venues.markets import market_of
from ares.venues.requests import PrivateRequests, count_up, limiters
from bench.bars import four_instruments
from bench.rows.live import Stopwatch, TimedVenue, _is_measured, _ms, _plan
from bench.stored import stored

FREE = {"rest": (1e6, 1.0), "trade": (1e6, 1.0)}
DEADLINE_MS = 10_000
CLOSES = 150
"""So many closing instants with orders are measured."""


class Sent(NamedTuple):
    """Seconds of one closing instant with orders, the sync and all signatures taken out of the
    first two; sign: of one signature.
    """

    first: float
    last: float
    sign: float
    orders: int


class Wire:
    """The connection: notes when a request is handed over, and answers at once."""

    closed = False

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.times_s: list[float] = []

    def post(self, _url: Any, **_how: Any) -> Wire:
        self.times_s.append(time.perf_counter())
        return self

    async def __aenter__(self) -> Answer:
        return Answer(f"O{len(self.times_s)}")

    async def __aexit__(self, *_error: object) -> None:
        return


class Answer:
    """An order that was accepted."""

    status, reason = 200, "OK"

    def __init__(self, order_id: str) -> None:
        self.headers = {"Content-Type": "application/json"}
        self._text = json.dumps({"error": [], "result": {"txid": [order_id]}})

    async def text(self, **_how: str) -> str:
        return self._text


class WireVenue(TimedVenue):
    """The simulated venue; orders go the real way, too."""

    real: CcxtVenue

    def send(self, command: Command) -> None:
        """Carry a command out, and send an order."""
        if isinstance(command, SubmitOrder):
            self.real.send(command)
        super().send(command)


def real_venue(symbols: list[str], wire: Wire, watch: Stopwatch, clock: VirtualClock) -> CcxtVenue:
    """Return Kraken's adapter on a connection that is noted."""
    import ccxt.pro

    secret = base64.b64encode(bytes(range(64))).decode()
    exchange = ccxt.pro.kraken({"apiKey": "key", "secret": secret})
    prepare(exchange, "http://127.0.0.1:1")
    exchange.session, exchange.own_session, exchange.ssl_context = wire, False, False
    exchange.sign = watch.timed("sign", exchange.sign)
    count_up(exchange)
    markets = [
        market_of(
            {
                "symbol": symbol, "id": symbol.replace("/", ""), "base": symbol.split("/")[0],
                "quote": "USDT", "precision": {"price": "0.01", "amount": "0.00000001"},
            }
        )
        for symbol in symbols
    ]  # fmt: skip
    known = KnownOrders()
    reports = KrakenReports(markets, known, clock.now_ms, lambda _: None)
    requests = PrivateRequests(exchange, is_refusal, limiters(FREE))
    orders = KrakenOrders(
        requests, markets, known, reports, clock.now_ms, clock.now_ms, DEADLINE_MS
    )
    return CcxtVenue(orders, len(symbols), lambda _: None, clock.now_ms, lambda _: None)


async def measure(store: CandleStore, instruments: list[Instrument], folder: Path) -> list[Sent]:
    """Return the times of the closing instants that sent orders."""
    plan, scorers = _plan(store, instruments)
    state, watch, wire = plan.state, Stopwatch(), Wire()
    models = Models(dict(scorers))
    load_machine_code(state, models)
    journal = RunJournal(folder, sync_ms=10**9)
    make_durable = watch.timed("sync", journal.sync)
    inbox, clock = deque[Event](), VirtualClock(state.at_ms)
    venue = WireVenue(state.params, len(instruments), inbox.append, clock.now_ms)
    venue.stopwatch = watch
    venue.real = real_venue([i.symbol for i in instruments], wire, watch, clock)
    begun_s, sent = [0.0], list[Sent]()

    class Noted(Loop):
        def process(self, event: Event) -> None:
            if type(event) is BarsClosed:
                begun_s[0] = time.perf_counter()
            super().process(event)

    loop = Noted(state, journal, venue, models, clock, inbox, (), make_durable)
    market = HistoryMarket(loop, venue, clock)
    loop.process(RunStarted(plan.setup))
    raise_priority()
    with frozen_heap():
        for t in range(len(plan.feed)):
            watch.begin()
            before, wire.times_s[:] = venue.orders, []
            market.instant(plan.feed, t, plan.warming(t))
            while venue.real.is_busy:
                await asyncio.sleep(0)
            if wire.times_s and venue.orders > before and _is_measured(state.now_ms):
                sign_s = watch.seconds["sign"] / len(wire.times_s)
                first = wire.times_s[0] - begun_s[0] - watch.seconds["sync"] - sign_s
                last = wire.times_s[-1] - begun_s[0] - watch.seconds["sync"]
                last -= watch.seconds["sign"]
                if first > 0.0:
                    sent.append(Sent(first, last, sign_s, len(wire.times_s)))
            if len(sent) == CLOSES:
                break
    journal.close()
    return sent


def main() -> None:
    files = four_instruments()
    instruments = [Instrument("binance", symbol) for symbol in files]
    with stored(files, "wire") as (_, store, folder):
        sent = asyncio.run(measure(store, instruments, folder / "run"))
    figures = {
        f"{name}_p{round(q * 100)}_ms": _ms([float(getattr(each, name)) for each in sent], q)
        for name in ("first", "last", "sign")
        for q in (0.5, 0.99)
    }
    output = {"figures": figures, "closes": len(sent), "orders": sum(s.orders for s in sent)}
    sys.stdout.write(json.dumps(output) + "\n")


if __name__ == "__main__":
    main()
