"""A real venue behind the engine's port: commands become requests, their outcomes events.

Every command has an outcome: the venue's word, that it never left, or that nothing is known of it.
No outcome is invented.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from ares.domain.events import Command, Event
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    CancelRefused,
    EndReason,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderUnknown,
    QueryOrder,
    SubmitOrder,
)
from ares.venues.answers import NoAnswer, NotSent, Refused, WouldTake
from ares.venues.ccxt_setup import line_of
from ares.venues.ending import cancelled

ANSWERS = (Refused, NotSent, NoAnswer)


class VenueOrders(Protocol):
    """The orders of an account in a venue's own language; see ``KrakenOrders``."""

    async def submit(self, command: SubmitOrder) -> str:
        """Send an order; return the venue's id. Raises Refused, NotSent or NoAnswer."""

    async def cancel(self, command: CancelOrder) -> None:
        """Cancel an order; its end is reported by the stream. Raises the same."""

    async def amend(self, command: AmendOrder) -> None:
        """Change a resting order in place. Raises the same."""

    async def look_up(self, client_id: str, instrument: int) -> list[Event]:
        """Return all that the venue knows of an order. Raises Refused or NoAnswer."""

    async def account(self) -> AccountSeen:
        """Return balances and open orders. Raises Refused or NoAnswer."""


class CcxtVenue:
    """Carries commands out, those of one order one after the other.

    tasks : coroutines that run as long as the venue does: the private stream, the clock.
    post  : takes its events, in the loop in which ``send`` is called.
    say   : called with one line for a person.
    """

    def __init__(
        self,
        orders: VenueOrders,
        n_instruments: int,
        post: Callable[[Event], None],
        now_ms: Callable[[], int],
        say: Callable[[str], None],
        tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        close: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._orders, self._n_instruments = orders, n_instruments
        self._post, self._now_ms, self._say = post, now_ms, say
        self._tasks, self._close = tasks, close
        self._questions: set[str] = set()  # client ids that are looked up now; empty: the account
        self._newest: dict[str, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep the private stream and measure the clock until cancelled."""
        running = [asyncio.create_task(task()) for task in self._tasks]
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await cancelled(running)  # once: a second time would cut their ends off
        for task in done:
            task.result()

    async def close(self) -> None:
        """End what is still on its way, without a word: the next start looks everything up."""
        await cancelled(list(self._running))
        if self._close is not None:
            await self._close()

    def send(self, command: Command) -> None:
        """Take a command; its outcome is an event.

        What changes an order waits for what was sent of it before. A look-up that is still on its
        way answers a second one too, unless the order was to be changed meanwhile: asked faster
        than the venue allows, they must not pile up.
        """
        key = getattr(command, "client_id", "")
        before = self._newest.get(key)
        is_question = isinstance(command, QueryOrder | AskAccount)
        if is_question:
            if key in self._questions:
                return
            self._questions.add(key)
        task = asyncio.get_running_loop().create_task(self._carry_out(command, before))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if is_question:
            task.add_done_callback(lambda _: self._questions.discard(key))
        elif key:
            self._questions.discard(key)
            self._newest[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))

    def look_up(self, client_id: str, instrument: int) -> None:
        """Look an order up of which the stream says that it has changed."""
        self.send(QueryOrder(client_id, instrument))

    def _forget(self, key: str, task: asyncio.Task[None]) -> None:
        if self._newest.get(key) is task:
            del self._newest[key]

    async def _carry_out(self, command: Command, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            match command:
                case SubmitOrder():
                    await self._submit(command)
                case CancelOrder():
                    await self._cancel(command)
                case AmendOrder():
                    await self._amend(command)
                case QueryOrder():
                    await self._look_up(command)
                case AskAccount():
                    await self._ask_account()
        except Exception as error:  # a fault of ours leaves the outcome open, like any other
            self._say(f"{type(command).__name__}: {line_of(error)}")
            if isinstance(command, SubmitOrder | CancelOrder | AmendOrder):
                self._post(OrderUnknown(command.client_id, self._now_ms(), line_of(error)))

    async def _submit(self, command: SubmitOrder) -> None:
        client_id = command.client_id
        try:
            venue_id = await self._orders.submit(command)
        except ANSWERS as error:
            self._post(self._not_done(client_id, error))
        else:
            self._post(OrderAccepted(client_id, self._now_ms(), venue_id))

    def _not_done(self, client_id: str, error: Exception) -> Event:
        now_ms, detail = self._now_ms(), str(error)
        if isinstance(error, Refused):
            reason: EndReason = "would_take" if isinstance(error, WouldTake) else "rejected"
            return OrderEnded(client_id, now_ms, reason, 0, detail)
        if isinstance(error, NotSent):
            return OrderEnded(client_id, now_ms, "absent", 0, detail)
        self._say(f"order {client_id}: no answer: {detail}")
        return OrderUnknown(client_id, now_ms, detail)

    async def _cancel(self, command: CancelOrder) -> None:
        try:
            await self._orders.cancel(command)
        except (Refused, NotSent) as error:
            self._post(CancelRefused(command.client_id, self._now_ms(), str(error)))
        except NoAnswer as error:
            self._post(OrderUnknown(command.client_id, self._now_ms(), str(error)))

    async def _amend(self, command: AmendOrder) -> None:
        try:
            await self._orders.amend(command)
        except (Refused, NotSent) as error:
            self._post(AmendRefused(command.client_id, self._now_ms(), str(error)))
        except NoAnswer as error:
            self._post(OrderUnknown(command.client_id, self._now_ms(), str(error)))
        else:
            lots, ticks = command.lots, command.price_ticks
            self._post(OrderAmended(command.client_id, self._now_ms(), lots, ticks))

    async def _look_up(self, command: QueryOrder) -> None:
        """Post all that is known of an order at once; an error is never "not found"."""
        client_id = command.client_id
        try:
            events = await self._orders.look_up(client_id, command.instrument)
        except (*ANSWERS, ValueError) as error:
            self._say(f"order {client_id} was not looked up: {line_of(error)}")
            events = [OrderAbsent(client_id, self._now_ms(), complete=False)]
        self._questions.discard(client_id)  # what follows from the answer may ask again
        for event in events:
            self._post(event)

    async def _ask_account(self) -> None:
        try:
            seen = await self._orders.account()
        except (*ANSWERS, ValueError) as error:
            self._say(f"balances were not read: {line_of(error)}")
            now_ms, nothing = self._now_ms(), (0,) * self._n_instruments
            seen = AccountSeen(now_ms, now_ms, complete=False, lots=nothing, open_ids=())
        self._questions.discard("")
        self._post(seen)
