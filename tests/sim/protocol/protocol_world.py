"""The attacking world over real protocol bytes: one seed, virtual time, the venue's own protocol.

The engine is the real one, as in ``tests.sim.world``; so are the venue's adapter, ccxt below it and
the venue server: only ccxt's connections and its clock are replaced.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import cast

from tests.sim.finding import Finding
from tests.sim.protocol.attacks import drawn_attack, text_of
from tests.sim.protocol.memory_network import clock_of_ccxt
from tests.sim.protocol.protocol_market import SEEDS, ServedMarket, served_bars
from tests.sim.protocol.protocol_promises import ProtocolPromises
from tests.sim.protocol.protocol_venue import ProtocolVenue
from tests.sim.protocol.virtual_time import VirtualTimeLoop
from tests.sim.world import World
from tests.sim.world_setup import CALM_MS, START_MS, first_snapshot

from ares.core.execution import wake_ms
from ares.core.orders import Life
from ares.domain.events import Event
from ares.domain.order_events import TimeReached
from ares.domain.run import RunSetup
from ares.domain.timeframe import MINUTE_MS
from ares.sim.attacking_venue import AttackingVenue
from ares.sim.faults import Faults, Occasion, drawn
from ares.sim.schedule import Schedule
from ares.venues.kraken import KRAKEN

MARKET_SEED_BARS = 400
IN_FLIGHT_MAX = 50


@dataclass(frozen=True, slots=True)
class ProtocolFaults(Faults):
    """Faults of a world whose venue is a server. misbehaves: at each occasion, by a drawn fault."""

    misbehaves: float = 0.0


def drawn_faults(draw: Random) -> ProtocolFaults:
    """Return the faults of one world."""
    found = drawn(draw)
    kept = {
        name: getattr(found, name)
        for name in (
            "bar_missing", "bar_late", "bar_corrected", "feed_mute", "crash", "disk_full",
            "upgrade", "new_version", "crash_at_change", "command",
        )
    }  # fmt: skip
    return ProtocolFaults(**kept, misbehaves=draw.choice((0.2, 0.5, 1.0)))


class LoopSchedule(Schedule):
    """What will happen, by timers of the loop. ``due`` has what is to be done now."""

    def __init__(self, now_ms: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(now_ms)
        self._loop, self._begin_ms = loop, now_ms
        self.due: deque[Callable[[], None]] = deque()
        self.happened = asyncio.Event()

    def loop_ms(self) -> int:
        """Return the time of the loop."""
        return self._begin_ms + int(self._loop.time() * 1000.0)

    def after(self, wait_ms: int, action: Callable[[], None]) -> None:
        self._loop.call_later(max(0, wait_ms) / 1000.0, self.put, action)

    def put(self, action: Callable[[], None]) -> None:
        """Let something happen now, outside of the tasks that run."""
        self.due.append(action)
        self.happened.set()


class ProtocolWorld(World):
    """One seed. operations: what was done to the engine and the venue, with its time in seconds."""

    schedule: LoopSchedule
    rest_ms = (CALM_MS // 2, CALM_MS // 3, CALM_MS // 4)
    """Once calm: before a person looks, while one settles, after the market has closed."""

    def __init__(
        self,
        seed: int,
        n_events: int = 300,
        kept: frozenset[Occasion] | None = None,
        faults: ProtocolFaults | None = None,
    ) -> None:
        self.seed = seed
        self.events = VirtualTimeLoop()
        self.operations: list[str] = []
        self._minutes = max(MARKET_SEED_BARS, n_events) + 2 * CALM_MS // MINUTE_MS
        schedule = LoopSchedule(START_MS, self.events)
        faults = drawn_faults(Random(seed ^ 0xFA17)) if faults is None else faults
        super().__init__(seed, n_events, faults, kept, schedule=schedule)
        self.attacking = Random(seed ^ 0xA77A)
        bars = served_bars(seed % SEEDS, self._minutes)
        self.market = ServedMarket(self, Random(seed ^ 0xFACE), bars)
        self.promises = ProtocolPromises(self)

    # --- what is made otherwise ----------------------------------------------------------------

    def _first_snapshot(self, seed: int) -> tuple[RunSetup, bytes]:
        amends, traits = self.draw.random() < 0.7, KRAKEN.traits
        challengers = self.draw.random() < 0.3
        return first_snapshot(amends, challengers, traits.stop_limit_bps, traits, 8, 0)

    def _new_venue(self, draw: Random) -> AttackingVenue:
        self.served_venue = ProtocolVenue(
            self.events, self.setup.traits, draw, self.seed, self._minutes, self._engine_ms,
            self._posted,
        )  # fmt: skip
        return cast(AttackingVenue, self.served_venue)  # as far as worlds and promises look

    def _engine_ms(self) -> int:
        return self.schedule.loop_ms() + self.ahead_ms

    def _posted(self, event: Event) -> None:
        """Take an event of the adapter: not within its tasks, which catch what is raised."""
        session = self.served_venue.session
        self.schedule.put(lambda: self._taken(event, session))

    def _taken(self, event: Event, session: int) -> None:
        if session == self.served_venue.session:
            self._post(event)

    # --- one run -------------------------------------------------------------------------------

    def run(self) -> World:
        """Run all events, then let the world calm down, and check what is left."""
        before = random.getstate()
        random.seed(self.seed)  # waits between attempts are drawn by a library
        try:
            with clock_of_ccxt(self._engine_ms):
                self.events.run_until_complete(self._run())
        except Finding as found:
            done = "\n  ".join(self.operations[-30:])
            raise Finding(f"{found}\n  {done}\n  {list(self.served_venue.lines)[-8:]}") from found
        finally:
            random.setstate(before)
            self._close()
        return self

    def _close(self) -> None:
        """End the tasks that are left, then the loop."""
        tasks = asyncio.all_tasks(self.events)
        for task in tasks:
            task.cancel()
        if tasks:
            self.events.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.events.close()

    async def _run(self) -> None:
        self.served_venue.open_market()
        try:
            await self.served_venue.connect()
            self._begin()
            self.cash_start = int(self.state.trade.account[0]["cash"])
            self.schedule.after(MINUTE_MS, self.market.bar)
            self.schedule.after(self.draw.randint(1, 30_000), self._disturb)
            self.schedule.after(self.visit_ms, self._visit)
            await self._play()
            await self._rest()
            self.promises.check_settled()
        finally:
            await self.served_venue.stop()

    async def _play(self) -> None:
        """Let the venue misbehave until all events have happened."""
        self.schedule.after(self.draw.randint(1, 60_000), self._attack)
        while self.state.seq < self.n_events:
            await self._go_on()

    async def _go_on(self) -> None:
        """Go on to what happens next: in the world, or a deadline of the engine."""
        schedule = self.schedule
        while not schedule.due:
            schedule.now_ms = schedule.loop_ms()
            due_ms = wake_ms(self.state) if self.running else 0
            wait_ms = due_ms - self.ahead_ms - schedule.now_ms if due_ms else None
            if wait_ms is not None and wait_ms <= 0:
                self.process(TimeReached(self._clock_ms()))
                break
            schedule.happened.clear()
            try:
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000.0):
                    await schedule.happened.wait()
            except TimeoutError:
                continue
        schedule.now_ms = schedule.loop_ms()
        if schedule.due:
            schedule.due.popleft()()
        self.promises.check_venue()
        self.promises.check_naked()
        self.promises.check_excess()

    async def _until(self, wait_ms: int, *, is_operated: bool) -> None:
        until_ms = self.schedule.loop_ms() + wait_ms
        while self.schedule.loop_ms() < until_ms:
            await self._go_on()
            if is_operated:
                self._operate()

    async def _rest(self) -> None:
        """End the faults; an operator settles what stands; everything must come to rest."""
        self.calm = True
        self.chance.calm()
        self.served_venue.faults.clear()
        self._note("calm")
        alone_ms, operated_ms, closed_ms = self.rest_ms
        await self._until(alone_ms, is_operated=False)
        self.promises.check_waiting()
        await self._until(operated_ms, is_operated=True)
        self.market.is_closed = True
        await self._until(closed_ms, is_operated=True)
        for _ in range(IN_FLIGHT_MAX):  # a rest below the smallest order is tried again and again
            if any(o.life is Life.INTENDED for o in self.state.orders.values()):
                await self._go_on()

    # --- the engine's process ------------------------------------------------------------------

    def _start(self) -> None:
        """Connect, as a start of the engine does, then begin."""
        self.served_venue.network.start(self._connected())

    async def _connected(self) -> None:
        await self.served_venue.connect()
        self.schedule.put(self._begin)

    def _begin(self) -> None:
        self._note("start")
        super()._start()
        if self.running:
            self.served_venue.begin()

    def _end(self) -> None:
        self._note("end of the process")
        super()._end()

    # --- what happens --------------------------------------------------------------------------

    def _attack(self) -> None:
        """Let the server do something wrong for a while."""
        if self.calm:
            return
        self.schedule.after(self.attacking.randint(1_000, 60_000), self._attack)
        fault = drawn_attack(self.attacking)
        if self.chance.happens("misbehaves"):
            self.served_venue.faults.add(fault)
            self.counts[f"attack {fault.kind}"] += 1
            self._note(text_of(fault))

    def _note(self, what: str) -> None:
        self.operations.append(f"{self.events.time():.3f} s, event {self._seq()}: {what}")

    def _seq(self) -> int:
        return self.state.seq if self.epochs else 0
