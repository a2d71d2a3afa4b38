"""A world in which a script decides what goes wrong, and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.sim.protocol.protocol_world import ProtocolFaults, ProtocolWorld

from ares.core.orders import Order
from ares.domain.events import Effect, Event
from ares.domain.order_events import OrderEnded, OrderFilled, SubmitOrder
from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.faults import Fault

ENTRY = "timeinforce=IOC"
"""What only the request for an entry has, for ``Fault.only``."""

WAIT_MS = 60 * MINUTE_MS

Script = Callable[["ScriptedWorld"], Awaitable[None]]


class ScriptedWorld(ProtocolWorld):
    """One engine, one venue and a script; nothing else goes wrong.

    seen : what the engine took, with its effects. down_ms: how much longer a process that has ended
           waits for its next start.
    """

    rest_ms = (4 * MINUTE_MS, MINUTE_MS, MINUTE_MS)

    def __init__(self, seed: int, script: Script) -> None:
        super().__init__(seed, 2_000, faults=ProtocolFaults())
        self._script = script
        self.down_ms = 0
        self.seen: list[tuple[Event, list[Effect]]] = []
        on_event = self.promises.on_event

        def watched(seq: int, event: Event, effects: list[Effect]) -> None:
            self.seen.append((event, effects))
            on_event(seq, event, effects)

        self.promises.on_event = watched  # type: ignore[method-assign]

    async def _play(self) -> None:
        await self._script(self)

    def _start(self) -> None:
        if self.down_ms:
            down_ms, self.down_ms = self.down_ms, 0
            self.schedule.after(down_ms, self._start)
        else:
            super()._start()

    # --- what a script does --------------------------------------------------------------------

    def fault(self, kind: str, **how: Any) -> int:
        """Let the server do something wrong."""
        self._note(f"{kind} {how}")
        return self.served_venue.faults.add(Fault(kind, **how))

    def end_faults(self) -> None:
        self.served_venue.faults.clear()
        self._note("end of all faults")

    def kill(self) -> None:
        """End the engine's process; it starts again within 20 s."""
        self._on_crash()

    def sell(self, lane: int) -> None:
        """Let a person sell a position."""
        self._command("force-exit", {"instrument": f"sim:T{lane}/USDT", "reason": "a test"})

    async def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        await self._until(int(seconds * 1000), is_operated=False)

    async def until(self, condition: Callable[[], Any], wait_ms: int = WAIT_MS) -> None:
        """Go on until something is so."""
        until_ms = self.schedule.loop_ms() + wait_ms
        while not condition():
            if self.schedule.loop_ms() > until_ms:
                raise AssertionError(f"it never came: {self.operations[-10:]}")
            await self._go_on()

    # --- what a script asks for ----------------------------------------------------------------

    def held(self, lane: int) -> int:
        """Return the lots of the ledger."""
        return int(self.state.trade.book[lane]["position_lots"])

    def protected(self) -> int:
        """Return a lane that holds something behind a stop; -1: none."""
        for lane, placed in enumerate(self.state.lane_orders):
            stop = self.state.orders.get(placed.stop) if placed.stop else None
            is_quiet = not (placed.entry or placed.exit)
            if self.held(lane) and is_quiet and stop is not None and self._rests(stop):
                return lane
        return -1

    async def position(self) -> int:
        """Wait for a position behind a stop; return its lane."""
        await self.until(lambda: self.protected() >= 0)
        return self.protected()

    def sent_orders(self, kind: str, since: int = 0) -> list[SubmitOrder]:
        """Return the orders that were sent, from the event ``since`` on."""
        return [
            effect
            for _, effects in self.seen[since:]
            for effect in effects
            if isinstance(effect, SubmitOrder) and effect.kind == kind
        ]

    async def next_order(self, kind: str) -> SubmitOrder:
        """Wait for the next order of a kind."""
        since = len(self.seen)
        await self.until(lambda: self.sent_orders(kind, since))
        return self.sent_orders(kind, since)[0]

    def order(self, client_id: str) -> Order:
        """Return what the engine knows of an order, open or ended."""
        return self.state.orders.get(client_id) or self.state.ended[client_id]

    def effects(self, kind: type, since: int = 0) -> list[Effect]:
        return [e for _, effects in self.seen[since:] for e in effects if isinstance(e, kind)]

    def events_of(self, client_id: str) -> list[OrderFilled | OrderEnded]:
        """Return the executions and ends that were reported of an order."""
        return [
            event
            for event, _ in self.seen
            if isinstance(event, OrderFilled | OrderEnded) and event.client_id == client_id
        ]

    def at_venue(self, kind: str, lane: int) -> list[str]:
        """Return the ids of the orders of a kind that the venue holds open."""
        orders = self.served_venue.open_orders()
        return [o.client_id for o in orders if (o.kind, o.instrument) == (kind, lane)]

    def _rests(self, stop: Order) -> bool:
        return stop.client_id in self.at_venue("stop", stop.instrument)
