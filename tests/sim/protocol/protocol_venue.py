"""A venue server, and the real adapter on it, in a world's virtual time."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from tests.sim.protocol.memory_network import MemoryNetwork
from tests.sim.protocol.protocol_market import SYMBOLS, served_market
from tests.sim.protocol.served_account import ServedAccount
from tests.sim.protocol.virtual_time import VirtualTimeLoop
from tests.sim.world_setup import START_MS

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError
from ares.domain.events import Command, Event
from ares.domain.order_events import SubmitOrder, VenueDown, VenueUp
from ares.domain.venue import VenueTraits
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.keys import SimKey
from ares.sim.serve.kraken import Kraken
from ares.sim.serve.kraken_account import kraken_rules
from ares.sim.serve.matching import Exchange
from ares.sim.serve.orders import LetterIds, cost_of
from ares.sim.serve.server import MarketServer
from ares.sim.serve.venue import SimVenue
from ares.venues.ccxt_account import AccountPolicy
from ares.venues.ccxt_venue import CcxtVenue
from ares.venues.kraken_venue import KrakenAccount

ADDRESS = "http://venue"
LATENCY_S = (0.005, 0.08)
TICK_S = 0.25
FEE_PPM = 1_000
CASH = 10_000 * 10**8
LINES_MAX = 40
KEY = SimKey("engine", base64.b64encode(b"k" * 42).decode(), base64.b64encode(b"s" * 64).decode())


class InMemoryKraken(KrakenAccount):
    """Kraken's account on a network in memory."""

    def __init__(self, network: MemoryNetwork, *args: Any, **how: Any) -> None:
        self._network = network
        super().__init__(*args, **how)

    def _open(self) -> Any:
        exchange = super()._open()
        self._network.attach(exchange, self._now_ms)
        return exchange


class ProtocolVenue(ServedAccount):
    """What a world's engine sends to, and what the world knows of it.

    post    : takes an event of the adapter that runs; not called in the middle of its tasks.
    now_ms  : the engine's clock. minutes: of the market, from the start on.
    is_up   : a session is confirmed.
    lines   : the newest ones for a person.
    """

    def __init__(
        self,
        loop: VirtualTimeLoop,
        traits: VenueTraits,
        draw: Random,
        seed: int,
        minutes: int,
        now_ms: Callable[[], int],
        post: Callable[[Event], None],
        tier: str = "",
    ) -> None:
        self._loop, self._traits, self._draw, self._now_ms = loop, traits, draw, now_ms
        self._post = post
        self._tier = tier
        self.lines: deque[str] = deque(maxlen=LINES_MAX)
        self.is_up = False
        clock = MarketClock(START_MS, 1.0, self._wall_ms, loop.time)
        self.faults = ActiveFaults(clock.monotonic_s, seed)
        rules = kraken_rules()._replace(fee_maker_ppm=FEE_PPM, fee_taker_ppm=FEE_PPM)
        ids, balances = LetterIds(f"world {seed}"), {"USDT": CASH}
        exchange = Exchange(clock.market_ms, balances, rules, self.faults, ids)
        self.market = served_market(seed, minutes)
        super().__init__(exchange, self.market.symbols)
        self.venue = SimVenue(self.market, clock, self.faults, exchange)
        self.face = Kraken(self.venue, [KEY], tier)
        server = MarketServer(self.venue, self.face, tick_s=TICK_S)
        self._server = server
        self.network = MemoryNetwork(server, lambda: draw.uniform(*LATENCY_S))
        self._adapter: CcxtVenue | None = None
        self._running: asyncio.Task[None] | None = None
        self._session = 0

    @property
    def session(self) -> int:
        """Return the number of the engine's process."""
        return self._session

    def takes(self, i: int, lots: int) -> bool:
        """Return whether an order of so many lots is large enough for the venue."""
        symbol, rules = self.market.symbols[i], self.exchange.rules
        cost = cost_of(symbol, self.exchange.quotes.last_ticks(symbol), lots)
        return lots >= rules.min_lots(symbol) and cost >= 2 * rules.min_cost

    def _wall_ms(self) -> int:
        return START_MS + int(self._loop.time() * 1000.0)

    def open_market(self) -> None:
        """Let the server begin; called in the loop."""
        self._server.play()

    async def stop(self) -> None:
        """End the adapter and the server."""
        self.restart()
        await self.network.stop()
        await self._server.stop()

    # --- one process of the engine after the other ---------------------------------------------

    async def connect(self) -> None:
        """Connect as a start of the engine does, and again where the venue does not answer."""
        session = self._session
        while session == self._session:
            account = InMemoryKraken(
                self.network, ApiKey(KEY.key, KEY.secret), self._now_ms, self.lines.append, ADDRESS,
                self._tier or "pro", self._policy(),
            )  # fmt: skip

            def post(event: Event) -> None:
                if session == self._session:
                    self._note_session(event)
                    self._post(event)

            try:
                adapter = await account.venue(SYMBOLS, self._traits, post)
            except ExternalError as error:
                self.lines.append(str(error))
                await account.close()
                await asyncio.sleep(self._draw.uniform(0.5, 5.0))
            else:
                self._adapter = adapter
                return

    def begin(self) -> None:
        """Let the adapter keep its session: the engine has begun."""
        if self._adapter is not None:
            self._running = asyncio.get_running_loop().create_task(self._adapter.run())

    def restart(self) -> None:
        """The engine's process has ended: its connections break, what they carried goes on."""
        self._session += 1
        self.is_up = False
        adapter, running = self._adapter, self._running
        self._adapter = self._running = None
        if running is not None:
            running.cancel()
        if adapter is not None:
            self.network.start(adapter.close())

    def send(self, command: Command) -> None:
        """Take a command of the engine."""
        if isinstance(command, SubmitOrder):
            self.note(command)
        if self._adapter is not None:
            self._adapter.send(command)

    def limit(self, order_lots_max: list[int]) -> None:
        """An upgrade: the size of orders has no limit here."""
        assert not any(order_lots_max)

    def _note_session(self, event: Event) -> None:
        if isinstance(event, VenueUp):
            self.is_up = True
        elif isinstance(event, VenueDown):
            self.is_up = False

    def _policy(self) -> AccountPolicy:
        free = {"rest": (10_000.0, 1.0), "trade": (10_000.0, 1.0)}
        return AccountPolicy(rates=None if self._tier else free)
