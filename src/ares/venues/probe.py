"""Compares what is declared of a venue with what it does, by orders of the smallest size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Protocol, TypeVar

import msgspec

from ares.domain.errors import ExternalError
from ares.domain.events import Command, Event
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderUnknown,
    QueryOrder,
    SubmitOrder,
    VenueUp,
)
from ares.domain.venue import VenueTraits
from ares.venues.account import VenueAccess
from ares.venues.amounts import text_of
from ares.venues.answers import NoAnswer, NotSent, Refused
from ares.venues.markets import VenueMarket

WAIT_S = 20.0
SESSION_S = 30.0
COST_SHARE = Decimal("1.5")
"""Of the smallest cost: a stop below the market has to be above it, too."""

STOP_SHARE, COLLAR_SHARE = Decimal("0.9"), Decimal("1.01")
E = TypeVar("E")


class ProbedTrait(msgspec.Struct, frozen=True):
    """A property of a venue; agrees: as declared; None: nothing is declared that says yes or no."""

    trait: str
    declared: str
    found: str
    agrees: bool | None


class ProbedAccount(VenueAccess, Protocol):
    """An account that can be probed; see ``CcxtAccount``."""

    async def price(self, symbol: str) -> Decimal:
        """Return the last price; raise ExternalError."""

    async def try_late(self, command: SubmitOrder) -> None:
        """Have an order checked, and not placed, that comes after its deadline.

        Raises Refused, with the venue's words, where it is refused for that.
        """


class ProbePlan(msgspec.Struct, frozen=True):
    """What a probe will send; costs in quote currency."""

    symbol: str
    lots: int
    quantity: str
    cost: str
    quote: str

    @property
    def sentence(self) -> str:
        """Return it for a person."""
        return (
            f"buys and sells {self.quantity} {self.symbol.partition('/')[0]} at the market (about"
            f" {self.cost} {self.quote}, of which fees and spread are lost), and places stops on"
            " it that it cancels"
        )


async def plan_of(account: ProbedAccount, symbol: str) -> tuple[ProbePlan, VenueMarket, Decimal]:
    """Return the plan of the smallest probe; raises ExternalError or UserError."""
    (market,) = await account.markets([symbol])
    price = await account.price(symbol)
    least = max(market.qty_min, COST_SHARE * market.cost_min / price, market.qty_step)
    lots = int((COST_SHARE * least / market.qty_step).to_integral_value(ROUND_CEILING))
    quantity = lots * market.qty_step
    plan = ProbePlan(
        symbol, lots, text_of(lots, market.qty_decimals), f"{quantity * price:.2f}", market.quote
    )
    return plan, market, price


class Probe:
    """One run of all questions.

    traits : as declared. now_ms: of the engine's clock. new_id: returns a new client id.
    found  : called with each answer as it comes.
    """

    def __init__(
        self,
        account: ProbedAccount,
        plan: ProbePlan,
        market: VenueMarket,
        price: Decimal,
        traits: VenueTraits,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
        found: Callable[[ProbedTrait], None],
    ) -> None:
        self._account, self._plan, self._traits = account, plan, traits
        self._now_ms, self._new_id, self._tell = now_ms, new_id, found
        decimals = market.price_decimals
        ticks = (price * share for share in (STOP_SHARE, COLLAR_SHARE))
        self._stop_ticks, self._collar_ticks = (int(t.scaleb(decimals)) for t in ticks)
        self._base, self._price = market.base, price
        self._unit = Decimal(1).scaleb(-market.qty_decimals)
        self._events: list[Event] = []
        self._posted = asyncio.Event()

    async def run(self) -> None:
        """Ask everything; what was bought is sold and what was placed is cancelled, also where
        something fails. Raises ExternalError where the venue gives no session.
        """
        self._venue = await self._account.venue([self._plan.symbol], self._traits, self._post)
        running = asyncio.create_task(self._venue.run())
        try:
            if not await self._until(lambda: bool(self._of(VenueUp)), SESSION_S):
                raise ExternalError("the private stream did not begin: is the key right?")
            await self._ask_all()
        finally:
            await self._clean_up()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self._venue.close()

    async def _ask_all(self) -> None:
        await self._ask_unknown_order()
        await self._ask_deadline()
        before = await self._account_seen()
        entry = await self._ask_entry(before)
        if entry is None:
            return
        await self._ask_stop(entry, before)
        await self._ask_exit(before)

    # --- the questions ---------------------------------------------------------------------------

    async def _ask_unknown_order(self) -> None:
        client_id = self._new_id()
        self._send(QueryOrder(client_id, 0))
        ended = (OrderAbsent, OrderEnded, OrderAccepted)
        await self._until(lambda: any(self._of(kind, client_id) for kind in ended))
        absent = self._of(OrderAbsent, client_id)
        is_whole = bool(absent and absent[-1].complete) or bool(self._of(OrderEnded, client_id))
        text = "a complete look-up does not find an order that was never sent"
        self._found(
            "absence can be read", self._traits.proves_absence,
            text if is_whole else "no complete look-up", is_whole,
        )  # fmt: skip

    async def _ask_deadline(self) -> None:
        if not self._traits.deadline_ms:
            self._tell(ProbedTrait("deadline", "none", "not asked", None))
            return
        command = self._order("exit", -self._plan.lots, 0)
        try:
            await self._account.try_late(command)
        except Refused as error:
            self._found("deadline", True, f"a late order is refused: {error}", True)
        except (NoAnswer, NotSent) as error:
            self._tell(ProbedTrait("deadline", "yes", f"no answer: {error}", None))
        else:
            self._found("deadline", True, "a late order is taken", False)

    async def _ask_entry(self, before: AccountSeen | None) -> SubmitOrder | None:
        entry = self._order("entry", self._plan.lots, self._collar_ticks)
        began = asyncio.get_running_loop().time()
        self._send(entry)
        await self._until(lambda: self._is_over(entry))
        took_ms = 1000.0 * (asyncio.get_running_loop().time() - began)
        await self._until(lambda: bool(self._of(OrderEnded, entry.client_id)))
        executions = self._of(OrderFilled, entry.client_id)
        ended = self._of(OrderEnded, entry.client_id)
        if not executions:
            text = ended[-1].detail if ended else "nothing was reported"
            self._found("an entry is filled at once", True, f"no: {text}", False)
            return None
        text = f"{len(executions)} executions, reported after {took_ms:.0f} ms"
        is_whole = self._filled(entry.client_id) == entry.lots
        self._found("an entry is filled at once", True, text, is_whole)
        self._tell(ProbedTrait("fees", "see `ares venues show`", self._fee_text(executions), None))
        await self._ask_same_ids(entry, executions)
        if before is not None:
            seen = await self._account_seen()
            brought = self._brought(executions)
            grew = seen.lots[0] - before.lots[0] if seen else 0
            self._found(
                "balances follow executions", True, f"{grew:+d} lots, executions less fees"
                f" {brought:+d}", abs(grew - brought) <= 1,
            )  # fmt: skip
        return entry

    async def _ask_same_ids(self, entry: SubmitOrder, executions: list[OrderFilled]) -> None:
        by_stream, at = {e.exec_id for e in executions}, len(self._events)
        self._send(QueryOrder(entry.client_id, 0))
        await self._until(lambda: bool(self._of(OrderEnded, entry.client_id, at)))
        by_look_up = {e.exec_id for e in self._of(OrderFilled, entry.client_id, at)}
        text = "the same" if by_look_up == by_stream else f"{by_stream} and {by_look_up}"
        self._found(
            "executions have one id by stream and look-up", True, text, by_look_up == by_stream
        )

    async def _ask_stop(self, entry: SubmitOrder, before: AccountSeen | None) -> None:
        held = self._brought(self._of(OrderFilled, entry.client_id))
        stop = self._order("stop", -held, self._stop_ticks)
        accepted = await self._placed(stop)
        seen = await self._account_seen()
        is_listed = bool(seen and stop.client_id in seen.open_ids)
        text = "accepted and listed" if is_listed else self._end_text(stop.client_id)
        self._found("stops rest at the venue", True, text, accepted and is_listed)
        if not accepted:
            return
        await self._ask_amend(stop)
        if before is not None and before.lots[0] == 0:
            await self._ask_lock(held)
        else:
            text = f"not asked: the account holds other {self._base}"
            self._tell(ProbedTrait("a resting stop locks the coins", "yes", text, None))
        await self._cancelled(stop)
        ended = self._of(OrderEnded, stop.client_id)
        self._found("a cancel is reported", True, self._end_text(stop.client_id), bool(ended))
        if ended:
            await self._ask_id_again(stop)

    async def _ask_amend(self, stop: SubmitOrder) -> None:
        self._send(AmendOrder(stop.client_id, 0, stop.lots, stop.price_ticks - 1))
        kinds = (OrderAmended, AmendRefused, OrderUnknown)
        await self._until(lambda: any(self._of(kind, stop.client_id) for kind in kinds))
        is_amended = bool(self._of(OrderAmended, stop.client_id))
        declared = self._traits.amends_stops
        text = "yes" if is_amended else "no"
        self._found("a stop is amended in place", declared, text, is_amended == declared)

    async def _ask_lock(self, held: int) -> None:
        sale = self._order("exit", -held, 0)
        self._send(sale)
        await self._until(lambda: bool(self._of(OrderEnded, sale.client_id)))
        ended = self._of(OrderEnded, sale.client_id)
        is_locked = bool(ended) and ended[-1].reason == "rejected"
        text = f"a sale is refused: {ended[-1].detail}" if is_locked else "a sale is taken"
        self._found("a resting stop locks the coins", True, text, is_locked)

    async def _ask_id_again(self, stop: SubmitOrder) -> None:
        """Place another stop with the id of one that has ended."""
        held = -stop.lots - abs(sum(e.lots for e in self._of(OrderFilled) if e.lots < 0))
        if held <= 0:
            return
        at = len(self._events)
        self._send(stop)
        ended = (OrderAccepted, OrderEnded, OrderUnknown)
        await self._until(lambda: any(self._of(kind, stop.client_id, at) for kind in ended))
        is_taken = bool(self._of(OrderAccepted, stop.client_id, at))
        declared = not getattr(self._traits, "claims_ids", False)
        text = "taken" if is_taken else "refused"
        self._found("the id of an ended order is taken again", declared, text, is_taken == declared)
        if is_taken:
            await self._cancelled(stop, at)

    async def _ask_exit(self, before: AccountSeen | None) -> None:
        held = self._left()
        if held <= 0:
            return
        sale = self._order("exit", -held, 0)
        self._send(sale)
        await self._until(lambda: self._is_over(sale))
        is_sold = self._filled(sale.client_id) == sale.lots
        text = "sold" if is_sold else self._end_text(sale.client_id)
        self._found("an exit sells what is held", True, text, is_sold)
        seen = await self._account_seen() if before is not None else None
        if before is not None and seen is not None:
            left = self._held(seen) - self._held(before)
            self._found("less than a lot is left", True, f"{left:+f}", 0 <= left < self._unit)

    async def _clean_up(self) -> None:
        """Cancel what rests and sell what is left, as far as it is known."""
        seen = await self._account_seen()
        own = {e.client_id for e in self._of(OrderAccepted)}
        for client_id in own & set(seen.open_ids if seen else ()):
            self._send(CancelOrder(client_id, 0))
            await self._until(lambda id_=client_id: bool(self._of(OrderEnded, id_)))  # type: ignore[misc]
        if self._left() > 0:
            sale = self._order("exit", -self._left(), 0)
            self._send(sale)
            await self._until(lambda: self._is_over(sale))

    # --- orders and events -----------------------------------------------------------------------

    def _order(self, kind: str, lots: int, ticks: int) -> SubmitOrder:
        deadline_ms = self._traits.deadline_ms * self._traits.speed
        send_by_ms = self._now_ms() + deadline_ms if deadline_ms else 0
        return SubmitOrder(
            self._new_id(), 0, kind, lots, ticks, "signal", 0.5, 0.0, 0.0, send_by_ms=send_by_ms
        )

    async def _placed(self, order: SubmitOrder) -> bool:
        self._send(order)
        kinds = (OrderAccepted, OrderEnded, OrderUnknown)
        await self._until(lambda: any(self._of(kind, order.client_id) for kind in kinds))
        return bool(self._of(OrderAccepted, order.client_id))

    async def _cancelled(self, order: SubmitOrder, at: int = 0) -> None:
        self._send(CancelOrder(order.client_id, 0))
        await self._until(lambda: bool(self._of(OrderEnded, order.client_id, at)))

    async def _account_seen(self) -> AccountSeen | None:
        at = len(self._events)
        self._send(AskAccount(self._now_ms()))
        await self._until(lambda: bool(self._of(AccountSeen, "", at)))
        seen = self._of(AccountSeen, "", at)
        return seen[-1] if seen and seen[-1].complete else None

    def _send(self, command: Command) -> None:
        self._venue.send(command)

    def _post(self, event: Event) -> None:
        self._events.append(event)
        self._posted.set()

    async def _until(self, condition: Callable[[], bool], wait_s: float = WAIT_S) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                while not condition():
                    self._posted.clear()
                    await self._posted.wait()
        except TimeoutError:
            return condition()
        return True

    def _of(self, kind: type[E], client_id: str = "", at: int = 0) -> list[E]:
        return [
            event
            for event in self._events[at:]
            if isinstance(event, kind)
            and (not client_id or getattr(event, "client_id", "") == client_id)
        ]

    def _filled(self, client_id: str) -> int:
        return sum({e.exec_id: e.lots for e in self._of(OrderFilled, client_id)}.values())

    def _is_over(self, order: SubmitOrder) -> bool:
        """Return whether an order is filled whole, or has ended otherwise."""
        ended = [e for e in self._of(OrderEnded, order.client_id) if e.reason != "filled"]
        return self._filled(order.client_id) == order.lots or bool(ended)

    def _left(self) -> int:
        """Return the lots that were bought and not sold."""
        return self._brought(self._of(OrderFilled))

    def _brought(self, executions: list[OrderFilled]) -> int:
        """Return by how many whole lots executions changed the balance."""
        each = {(e.client_id, e.exec_id): e for e in executions}.values()
        fees = Decimal(sum(e.base_fee_units for e in each)).scaleb(-8) / self._unit
        return sum(e.lots for e in each) - int(fees.to_integral_value(ROUND_CEILING))

    def _held(self, seen: AccountSeen) -> Decimal:
        rest = Decimal(seen.rest_units[0] if seen.rest_units else 0).scaleb(-8)
        return seen.lots[0] * self._unit + rest

    def _fee_text(self, executions: list[OrderFilled]) -> str:
        each = {e.exec_id: e for e in executions}.values()
        bought = sum(e.lots for e in each) * self._unit
        base_fee = Decimal(sum(e.base_fee_units for e in each)).scaleb(-8)
        fee = Decimal(sum(e.fee_units for e in each)).scaleb(-8)
        share = (base_fee + fee / self._price) / bought * 100
        where = f"taken from {self._base}" if base_fee else "in quote currency, or translated to it"
        return f"{share:.3f} % of the purchase, {where}"

    def _end_text(self, client_id: str) -> str:
        ended = self._of(OrderEnded, client_id)
        return f"{ended[-1].reason} {ended[-1].detail}".strip() if ended else "nothing was reported"

    def _found(self, trait: str, declared: bool, found: str, agrees: bool) -> None:
        self._tell(ProbedTrait(trait, "yes" if declared else "no", found, agrees))
