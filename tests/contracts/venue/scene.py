"""What a contract needs of a venue: send, wait for its events, and let its market trade."""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from ares.domain.events import Command, Event
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    CancelOrder,
    OrderAbsent,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    QueryOrder,
    SubmitOrder,
)
from ares.domain.venue import VenueTraits

OWNER = "c0ffee00"
WAIT_S = 45.0
E = TypeVar("E")


class Scene(ABC):
    """A venue with a market and an account; instrument 0 is traded.

    lots : a size that the venue takes. lot_units: of 1e-8 of the base currency, in a lot.
    lots_min : about the smallest size that the venue takes.
    """

    traits: VenueTraits
    lots = 1_000_000
    lot_units, lots_min = 1, 10_000

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._numbers = itertools.count(1)
        self._posted = asyncio.Event()

    def post(self, event: Event) -> None:
        self.events.append(event)
        self._posted.set()

    @abstractmethod
    def now_ms(self) -> int: ...

    @abstractmethod
    def ticks(self) -> int:
        """Return the market's price."""

    @abstractmethod
    def send(self, command: Command) -> None: ...

    async def trade(self) -> None:
        """Let the market trade, where it does not by itself."""
        await asyncio.sleep(0)

    def order(self, kind: str, lots: int | None = None, ticks: int | None = None) -> SubmitOrder:
        """Return a new order that fills at once (entry, exit) or rests (stop)."""
        size = self.lots if lots is None else lots
        price = {"entry": self.ticks() * 102 // 100, "stop": self.ticks() // 2}.get(kind, 0)
        deadline_ms = self.traits.deadline_ms
        return SubmitOrder(
            f"{OWNER}{next(self._numbers):024x}", 0, kind, size if kind == "entry" else -size,
            price if ticks is None else ticks, "signal", 0.6, 5.0, 50.0,
            send_by_ms=self.now_ms() + deadline_ms if deadline_ms else 0,
        )  # fmt: skip

    async def until(self, condition: Callable[[], Any], wait_s: float = WAIT_S) -> None:
        """Wait until what was posted so far fulfils a condition."""
        try:
            async with asyncio.timeout(wait_s):
                while not condition():
                    self._posted.clear()
                    await self.trade()
                    try:
                        async with asyncio.timeout(0.1):
                            await self._posted.wait()
                    except TimeoutError:
                        pass
        except TimeoutError:
            raise AssertionError(f"it never came; there was: {self.events[-20:]}") from None

    def of(self, kind: type[E], client_id: str = "") -> list[E]:
        """Return the events of a kind, of one order where it is named."""
        return [
            event
            for event in self.events
            if isinstance(event, kind)
            and (not client_id or getattr(event, "client_id", "") == client_id)
        ]

    def filled(self, client_id: str) -> int:
        """Return the lots that were executed, each execution once."""
        return sum({e.exec_id: e.lots for e in self.of(OrderFilled, client_id)}.values())

    def received(self, client_id: str) -> int:
        """Return the whole lots that executions brought, fees taken."""
        fees = {e.exec_id: e.base_fee_units for e in self.of(OrderFilled, client_id)}
        return self.filled(client_id) - -(-sum(fees.values()) // self.lot_units)

    def names(self, client_id: str) -> list[str]:
        """Return the kinds of what was posted of an order, in order, without repetitions."""
        named = [type(e).__name__ for e in self.events if getattr(e, "client_id", "") == client_id]
        return [name for name, _ in itertools.groupby(named)]

    async def submit(self, kind: str, **how: Any) -> SubmitOrder:
        """Send an order and wait until the venue has it, or refuses it."""
        command = self.order(kind, **how)
        self.send(command)
        await self.until(
            lambda: (
                self.of(OrderAccepted, command.client_id) or self.of(OrderEnded, command.client_id)
            )
        )
        return command

    async def fill(self, command: SubmitOrder) -> None:
        """Wait until an order is filled whole."""
        await self.until(lambda: self.filled(command.client_id) == command.lots)

    async def bought(self) -> SubmitOrder:
        """Return an entry that was filled."""
        command = await self.submit("entry")
        await self.fill(command)
        return command

    async def end_of(self, client_id: str) -> OrderEnded:
        """Wait for the end of an order."""
        await self.until(lambda: self.of(OrderEnded, client_id))
        return self.of(OrderEnded, client_id)[-1]

    async def cancelled(self, client_id: str) -> OrderEnded:
        """Cancel an order and wait for its end."""
        self.send(CancelOrder(client_id, 0))
        return await self.end_of(client_id)

    async def looked_up(self, client_id: str) -> list[Event]:
        """Return the answer to one look-up."""
        before = len(self.events)
        self.send(QueryOrder(client_id, 0))

        def answer() -> list[Event]:
            return [e for e in self.events[before:] if getattr(e, "client_id", "") == client_id]

        last = (OrderAccepted, OrderEnded, OrderAbsent)
        await self.until(lambda: any(isinstance(event, last) for event in answer()))
        return answer()

    async def account(self) -> AccountSeen:
        """Return the answer to one question for balances."""
        before = len(self.of(AccountSeen))
        self.send(AskAccount(self.now_ms()))
        await self.until(lambda: len(self.of(AccountSeen)) > before)
        return self.of(AccountSeen)[-1]
