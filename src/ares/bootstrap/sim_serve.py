"""The market data server of rehearsals, composed: candles, clock, faults, protocol, address."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.sim.serve.clock import MarketClock
    from ares.sim.serve.faults import ActiveFaults, Fault
    from ares.sim.serve.keys import SimKey
    from ares.sim.serve.load import Loaded
    from ares.sim.serve.market import SimMarket
    from ares.sim.serve.matching import Exchange


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """The request of ``ares sim serve``.

    candles   : file or folder; None: a synthetic market of seed ``synthetic``.
    symbols   : empty: all that the candles have.
    from_ms   : where market time starts; None: the middle of the candles.
    speed     : market time per wall time.
    port      : 0 takes a free one.
    faults    : active from the start.
    seed      : of the faults' random numbers, and of the keys where no file has them.
    balances  : ASSET=AMOUNT; empty: 10,000 of each quote currency.
    key_file  : JSON list of keys; written where it does not exist.
    withdraws : there is a key that can withdraw, too.
    tier      : of the venue's rate limits: starter, intermediate, pro, none.
    stops_hold : a stop that rests holds its coins.
    ids_again  : Alpaca takes the client id of an order that has ended again.
    """

    protocol: str
    candles: Path | None = None
    synthetic: int = 1
    edge: float = 1.0
    days: int = 60
    symbols: tuple[str, ...] = ()
    from_ms: int | None = None
    speed: float = 1.0
    host: str = "127.0.0.1"
    port: int = 8600
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    balances: tuple[str, ...] = ()
    key_file: Path | None = None
    withdraws: bool = False
    tier: str = "intermediate"
    stops_hold: bool = True
    ids_again: bool = False


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, once it listens."""

    address: str
    symbols: list[str]
    history_from_ms: int
    from_ms: int
    to_ms: int
    skipped: list[str] = field(default_factory=list)
    balances: dict[str, str] = field(default_factory=dict)
    keys: list[SimKey] = field(default_factory=list)


def serve_market(request: ServeRequest, ready: Callable[[Serving], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is called when the server listens."""
    asyncio.run(_serve(request, ready))


async def _serve(request: ServeRequest, ready: Callable[[Serving], None]) -> None:
    from ares.sim.serve.clock import MarketClock
    from ares.sim.serve.faults import ActiveFaults
    from ares.sim.serve.market import SimMarket
    from ares.sim.serve.protocols import PROTOCOLS
    from ares.sim.serve.server import MarketServer, serve_until
    from ares.sim.serve.venue import SimVenue

    if request.protocol not in PROTOCOLS:
        raise UserError(f"--protocol {request.protocol}: use one of {', '.join(PROTOCOLS)}")
    if not 0.01 <= request.speed <= 10_000.0:
        raise UserError(f"--speed {request.speed:g}: must be between 0.01 and 10000")
    loaded = _load(request)
    market = SimMarket(loaded.bars)
    clock = MarketClock(
        loaded.from_ms, request.speed, lambda: time.time_ns() // 1_000_000, time.monotonic
    )
    faults = ActiveFaults(clock.monotonic_s, request.seed)
    for fault in request.faults:
        faults.add(fault)
    exchange, keys = _exchange(request, market, clock, faults), _keys(request)
    venue = SimVenue(market, clock, faults, exchange)
    face = PROTOCOLS[request.protocol].face(venue, keys, request.tier)
    server = MarketServer(venue, face, request.host, request.port)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    symbols = [symbol.symbol for symbol in market.symbols]

    def listening(address: str) -> None:
        ready(
            Serving(
                address,
                symbols,
                *(market.from_ms, loaded.from_ms, market.to_ms, loaded.skipped),
                exchange.account.texts(),
                keys,
            )
        )

    await serve_until(server, stopped.wait(), listening)


def _exchange(
    request: ServeRequest, market: SimMarket, clock: MarketClock, faults: ActiveFaults
) -> Exchange:
    """Return the account's orders; raise UserError where its balances make no sense."""
    from ares.sim.serve.account import parse_balances
    from ares.sim.serve.matching import Exchange
    from ares.sim.serve.protocols import PROTOCOLS

    quotes = sorted({symbol.quote for symbol in market.symbols})
    balances = parse_balances(request.balances or [f"{quote}=10000" for quote in quotes])
    known = {asset for symbol in market.symbols for asset in (symbol.base, symbol.quote)}
    protocol = PROTOCOLS[request.protocol]
    rules = protocol.rules()._replace(stops_hold=request.stops_hold)
    rules = rules._replace(ids_once=rules.ids_once and not request.ids_again)
    everything = dict.fromkeys(sorted(known), 0) | balances
    return Exchange(clock.market_ms, everything, rules, faults, protocol.ids(clock.wall_ms()))


def _keys(request: ServeRequest) -> list[SimKey]:
    """Return the keys of the file, or the seed's; raise UserError."""
    from ares.sim.serve.keys import TIERS, default_keys, keys_of_file

    if request.tier != "none" and request.tier not in TIERS:
        raise UserError(f"--tier {request.tier}: use one of {', '.join(TIERS)}, none")
    default = default_keys(request.seed, withdraws=request.withdraws)
    return default if request.key_file is None else keys_of_file(request.key_file, default)


def _load(request: ServeRequest) -> Loaded:
    from ares.sim.prices import SYMBOLS
    from ares.sim.serve.load import load_candles, synthetic_candles

    if request.candles is not None:
        return load_candles(request.candles, request.symbols, request.from_ms)
    if not 1 <= request.days <= 3650:
        raise UserError(f"--days {request.days}: must be between 1 and 3650")
    symbols = request.symbols or SYMBOLS
    return synthetic_candles(
        request.synthetic, request.edge, request.days, symbols, request.from_ms
    )
