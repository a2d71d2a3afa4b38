"""Row: the ledger beside the venue, 500 open orders and 10,000 executions.

    python -m bench.rows.reconciliation

As ``ares reconcile``: balances, open orders and every page of executions over Kraken's REST (signed
requests through ccxt, a venue server on loopback in the same process and on the same core), then
each line beside the ledger's. Without the venue's rate limits, which alone would take 20 minutes
for so many pages at the lowest level: ``requests`` says how many requests there were.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import numpy as np

from ares.domain.api_key import ApiKey
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import ExecutionBooked
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import Bars
from ares.observe.ledger_lines import LedgerLines, LedgerOrder
from ares.observe.reconciliation import reconciled
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.keys import default_keys
from ares.sim.serve.kraken import Kraken
from ares.sim.serve.kraken_account import kraken_rules
from ares.sim.serve.market import SimMarket, Trade
from ares.sim.serve.matching import Exchange
from ares.sim.serve.orders import LetterIds, NewOrder
from ares.sim.serve.server import MarketServer
from ares.sim.serve.venue import SimVenue
from ares.venues.ccxt_account import AccountPolicy
from ares.venues.kraken_venue import KrakenAccount

SYMBOL = "BTC/USDT"
OPEN, EXECUTIONS, PIECES = 500, 10_000, 5
LOTS, TICKS = 100_000, 3_000_000
OWNER = "c0ffee00"
FREE = {"rest": (1e6, 1.0), "trade": (1e6, 1.0)}
FROM_MS = 1_700_006_400_000


def new_account(clock: MarketClock, faults: ActiveFaults) -> Exchange:
    """Return an account without orders."""
    balances = {"USDT": 10_000_000 * 10**8}
    return Exchange(clock.market_ms, balances, kraken_rules(), faults, LetterIds("bench"))


def fill(exchange: Exchange, market: SimMarket, clock: MarketClock) -> None:
    """Trade: each order rests and is filled by five trades; then 500 more rest."""
    symbol = market.symbols[0]
    for k in range(EXECUTIONS // PIECES + OPEN):
        ticks = TICKS if k < EXECUTIONS // PIECES else TICKS - 1 - k
        client_id = f"{OWNER}{k:024x}"
        order = NewOrder(symbol, True, "limit", LOTS, ticks, client_id=client_id, fee_in="quote")
        exchange.submit(order)
        if ticks == TICKS:
            for piece in range(PIECES):
                n, now_ms = PIECES * k + piece, clock.market_ms()
                exchange.trade(Trade(symbol.index, n, now_ms, TICKS, LOTS // PIECES, False))


def ledger_of(exchange: Exchange) -> LedgerLines:
    """Return the ledger of an engine that knows all of it."""
    ledger = LedgerLines(1, [exchange.account.balance("BTC")], outside=[0])
    for order in exchange.open_orders():
        id_ = order.requested.client_id
        ledger.orders[id_] = LedgerOrder(id_, 0, "entry", order.lots, order.limit_ticks)
    for order, done in exchange.executions:
        id_ = order.requested.client_id
        ledger.executions[id_, done.exec_id] = ExecutionBooked(
            id_, 0, done.ts_ms, done.lots, done.ticks, done.fee, done.exec_id
        )
    return ledger


async def measure() -> dict[str, Any]:
    """Return the seconds, and what was compared."""
    n = 600
    flat = np.full(n, 37_000.0)
    ts_ms = FROM_MS + MINUTE_MS * np.arange(n, dtype=np.int64)
    close = np.asarray(flat + np.arange(n) % 3 + 0.25, np.float64)
    high, low = np.asarray(close + 1.0, np.float64), np.asarray(flat - 1.0, np.float64)
    bars = Bars.make(ts_ms, flat, high, low, close, np.full(n, 20.0))
    clock = MarketClock(
        FROM_MS + 60 * MINUTE_MS, 1.0, lambda: time.time_ns() // 10**6, time.monotonic
    )
    faults = ActiveFaults(clock.monotonic_s)
    exchange, market = new_account(clock, faults), SimMarket({SYMBOL: bars})
    fill(exchange, market, clock)
    venue = SimVenue(market, clock, faults, exchange)
    keys = default_keys(1)
    server = MarketServer(venue, Kraken(venue, keys, ""))
    address = await server.start()
    account = KrakenAccount(
        ApiKey(keys[0].key, keys[0].secret), clock.market_ms, lambda _: None, address,
        policy=AccountPolicy(rates=FREE),
    )  # fmt: skip
    try:
        await account.markets([SYMBOL])
        begun_s, cpu_s = time.perf_counter(), time.process_time()
        statement = await account.statement([SYMBOL], FROM_MS)
        ledger, spec = ledger_of(exchange), InstrumentSpec(Instrument("kraken", SYMBOL), 2, 8)
        lines = reconciled(ledger, statement, [spec], OWNER)
        seconds, cpu_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
    finally:
        await account.close()
        await server.stop()
    differing = [line for line in lines if line.differs]
    if differing or not statement.complete or len(statement.orders) != OPEN:
        raise SystemExit(f"not the same: {differing[:3]}, complete {statement.complete}")
    if len(statement.executions) != EXECUTIONS:
        raise SystemExit(f"{len(statement.executions)} executions were read")
    figures = {"seconds": seconds, "cpu_s": cpu_s, "lines": float(len(lines))}
    return {"figures": figures}


def main() -> None:
    sys.stdout.write(json.dumps(asyncio.run(measure())) + "\n")


if __name__ == "__main__":
    main()
