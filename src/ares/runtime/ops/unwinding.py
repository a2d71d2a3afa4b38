"""Acts at the venue in place of an engine that was ended: cancels, sells, looks for late arrivals.

The ledger comes from the journal. Every execution that the venue reports changes it, and nothing is
written: the next start books the same executions, see ``core.kill_orders``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ares.domain.errors import ExternalError
from ares.domain.events import Event
from ares.domain.kill_ids import kill_id, kill_lane
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    CancelOrder,
    OrderFilled,
    QueryOrder,
    SubmitOrder,
)
from ares.runtime.ops.liquidation import Sale, is_too_small, limit_ticks, to_cancel, to_sell
from ares.runtime.ops.unwinding_ledger import UnwindingLedger
from ares.venues.amounts import text_of

if TYPE_CHECKING:
    from ares.ports import Clock
    from ares.runtime.ops.journal_ledger import JournalLedger
    from ares.venues.account import VenueAccess
    from ares.venues.ccxt_venue import CcxtVenue
    from ares.venues.statement import OpenAtVenue

T = TypeVar("T")

CANCEL_S = 0.5
"""How long the ends of cancelled orders are waited for before the account is read again."""

ANSWER_S = 6.0
SALE_WAIT_S = 0.8
"""After so long without a report on a sale it is looked up."""

DEADLINE_MS = 4_000
"""Of a sale, in wall time: a late one must not sell again what was bought meanwhile."""

POLL_S = 6.0
"""How often the account is read while late arrivals are waited for; the stream reports them."""

STATEMENT_S = 3.0
"""The whole account is read again no sooner: a venue allows few requests."""

EARLIER_MS = 900_000
GIVE_UP_S = 120.0


@dataclass(slots=True)
class Unwound:
    """What was done. lots are unsigned; by lane.

    flat_s    : after so many seconds nothing was left to cancel or to sell; None: never.
    remainders : lots that the venue takes no order for: they are below its minimum.
    missing    : lots of the ledger that the account does not have, beside those of others.
    """

    cancelled: list[str] = field(default_factory=list)
    sold: dict[int, int] = field(default_factory=dict)
    late: int = 0
    flat_s: float | None = None
    remainders: dict[int, int] = field(default_factory=dict)
    missing: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnwindingPlan:
    """How it is done.

    flatten : sell what the ledger holds; otherwise entries alone are cancelled.
    session : 8 hex digits of this kill's client ids.
    """

    flatten: bool
    collar_bps: float
    session: str


class Unwinding:
    """One account, until nothing is left and nothing can arrive late.

    clock : by which the journal's deadlines are. reached: called once nothing is left to do.
    """

    def __init__(
        self,
        account: VenueAccess,
        journal: JournalLedger,
        plan: UnwindingPlan,
        clock: Clock,
        say: Callable[[str], None],
        reached: Callable[[Unwound], None] = lambda _: None,
    ) -> None:
        setup = journal.setup
        self._account, self._plan, self._clock, self._say = account, plan, clock, say
        self._reached = reached
        self._setup, self._ledger = setup, UnwindingLedger(journal)
        specs = [lane.spec for lane in setup.instruments[: setup.n_instruments]]
        self._symbols = [spec.instrument.symbol for spec in specs]
        self._from_ms = max(0, journal.at_ms - EARLIER_MS * setup.traits.speed)
        self._wake = asyncio.Event()
        self._seen: AccountSeen | None = None
        self._open: list[OpenAtVenue] = []
        self._count = 0
        self._done = Unwound()
        self._begun_s = asyncio.get_running_loop().time()
        self._statement_s = float("-inf")
        self._printed: set[str] = set()
        self._pause_s = 0.0

    async def run(self) -> Unwound:
        """Do it; raise ExternalError where the venue does not answer for ``GIVE_UP_S``."""
        self._markets = await self._tried(lambda: self._account.markets(self._symbols))
        venue = await self._tried(
            lambda: self._account.venue(self._symbols, self._setup.traits, self._post)
        )
        running = asyncio.create_task(venue.run())
        try:
            await self._read_statement()
            while await self._turn(venue):
                pass
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await venue.close()
        return self._done

    async def _turn(self, venue: CcxtVenue) -> bool:
        """Do the next thing; return whether anything is left to do, or to wait for."""
        self._require_time()
        ledger = self._ledger
        cancels = to_cancel(self._open, self._setup.owner, flatten=self._plan.flatten)
        if cancels:
            await self._cancel(venue, cancels)
            return True
        if ledger.pending:
            await self._resolve(venue)
            return True
        sales = self._sales() if self._plan.flatten else []
        if sales and await self._sell(venue, sales):
            return True
        if self._plan.flatten:
            self._done.missing = {
                lane: lots - self._done.remainders.get(lane, 0)
                for lane, lots in enumerate(ledger.lots)
                if lots > self._done.remainders.get(lane, 0)
            }
        if self._done.flat_s is None:
            self._done.flat_s = asyncio.get_running_loop().time() - self._begun_s
            self._reached(self._done)
        until_ms = ledger.until_ms(self._setup.traits)
        left_s = (until_ms - self._clock.now_ms()) / 1_000.0 / self._setup.traits.speed
        if left_s <= 0.0:
            return False
        await self._woken(min(POLL_S, left_s))
        await self._read_account(venue)
        return True

    # --- at the venue --------------------------------------------------------------------------

    async def _cancel(self, venue: CcxtVenue, orders: Sequence[OpenAtVenue]) -> None:
        """Cancel orders, await their ends, and read the account."""
        ids = {order.client_id for order in orders}
        for order in orders:
            venue.send(CancelOrder(order.client_id, order.instrument))
        self._done.cancelled += [id_ for id_ in ids if id_ not in self._done.cancelled]
        until_s = asyncio.get_running_loop().time() + CANCEL_S
        while not ids <= self._ledger.ended and asyncio.get_running_loop().time() < until_s:
            await self._woken(until_s - asyncio.get_running_loop().time())
        await self._read_account(venue)

    def _sales(self) -> list[Sale]:
        ledger, seen = self._ledger, self._seen
        if seen is None:
            return []
        return to_sell(ledger.lots, seen.lots, ledger.others, ledger.unresolved)

    async def _sell(self, venue: CcxtVenue, sales: Sequence[Sale]) -> bool:
        """Sell within the collar, immediate or cancelled; return whether anything was sent."""
        bids = await self._tried(lambda: self._account.bids(self._symbols))
        n, sent = len(self._markets), False
        for sale in sales:
            market, bid = self._markets[sale.lane % n], bids[sale.lane % n]
            if bid <= 0:
                self._say_once(f"{market.symbol}: nobody bids; tried again")
                continue
            if is_too_small(sale.lots, bid, self._plan.collar_bps, market):
                self._done.remainders[sale.lane] = sale.lots
                continue
            self._done.remainders.pop(sale.lane, None)
            self._count += 1
            id_ = kill_id(self._setup.owner, sale.lane, self._plan.session, self._count)
            price_ticks = limit_ticks(bid, self._plan.collar_bps, market)
            send_by_ms = self._clock.now_ms() + DEADLINE_MS * self._setup.traits.speed
            self._ledger.selling(id_, sale, send_by_ms, asyncio.get_running_loop().time())
            venue.send(
                SubmitOrder(
                    id_, sale.lane, "exit", -sale.lots, price_ticks, "operator", 0.0, 0.0, 0.0, 0,
                    send_by_ms,
                )
            )  # fmt: skip
            sent = True
        if not sent and any(bid <= 0 for bid in bids):
            await asyncio.sleep(0.5)
            return True
        return sent

    async def _resolve(self, venue: CcxtVenue) -> None:
        """Wait for the outcome of sales; look up those of which nothing comes."""
        await self._woken(SALE_WAIT_S)
        for id_, sale in list(self._ledger.pending.items()):
            if self._ledger.is_overdue(id_, asyncio.get_running_loop().time()):
                venue.send(QueryOrder(id_, sale.lane))
        if not self._ledger.pending:
            await self._count_sold()
            await self._read_account(venue)

    async def _count_sold(self) -> None:
        """Note what was sold; wait after a refusal, longer each time."""
        self._done.sold = dict(self._ledger.sold)
        refusals = self._ledger.take_refusals()
        for text in refusals:
            self._say_once(text)
        self._pause_s = min(5.0, 2.0 * self._pause_s or 0.25) if refusals else 0.0
        await asyncio.sleep(self._pause_s)

    async def _read_account(self, venue: CcxtVenue) -> None:
        """Read balances and open orders; the executions, where the balances show more."""
        seen = await self._answer_of(venue)
        if seen is None or not seen.complete:
            await self._read_statement()
            return
        self._open = [o for o in self._open if o.client_id in seen.open_ids]
        known = {order.client_id for order in self._open}
        strange = [id_ for id_ in seen.open_ids if id_ not in known]
        owner = self._setup.owner
        now_s = asyncio.get_running_loop().time()
        is_own = any(id_.startswith(owner) for id_ in strange if owner)
        is_other = self._ledger.differs_from(seen.lots) and self._plan.flatten
        if is_own or (is_other and now_s - self._statement_s > STATEMENT_S):
            await self._read_statement()

    async def _answer_of(self, venue: CcxtVenue) -> AccountSeen | None:
        """Ask for balances and open orders; None: no answer."""
        self._seen = None
        venue.send(AskAccount(self._clock.now_ms()))
        until_s = asyncio.get_running_loop().time() + ANSWER_S
        while not self._has_seen() and asyncio.get_running_loop().time() < until_s:
            await self._woken(until_s - asyncio.get_running_loop().time())
        return self._seen

    def _has_seen(self) -> bool:
        return self._seen is not None

    async def _read_statement(self) -> None:
        """Read all: balances, open orders, executions since the journal's end."""
        statement = await self._tried(lambda: self._account.statement(self._symbols, self._from_ms))
        self._statement_s = asyncio.get_running_loop().time()
        for execution in statement.executions:
            self._ledger.executed(execution)
        self._open = list(statement.orders)
        now_ms, ids = self._clock.now_ms(), tuple(o.client_id for o in statement.orders)
        self._seen = AccountSeen(now_ms, now_ms, statement.complete, statement.lots, ids)
        self._ledger.confirm(ids)

    # --- events --------------------------------------------------------------------------------

    def _post(self, event: Event) -> None:
        if isinstance(event, AccountSeen):
            self._seen = event
            self._wake.set()
            return
        now_s = asyncio.get_running_loop().time()
        is_fill = isinstance(event, OrderFilled) and kill_lane(event.client_id) < 0
        if self._done.flat_s is not None and is_fill:
            self._done.late += 1
        if self._ledger.take(event, now_s, self._setup.traits):
            self._wake.set()

    async def _woken(self, wait_s: float) -> bool:
        """Wait for an event that changes something; return whether one came."""
        try:
            async with asyncio.timeout(max(0.0, wait_s)):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _tried(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the venue answers; raise its error once that takes too long."""
        wait_s = 0.1
        while True:
            try:
                return await ask()
            except ExternalError as error:
                self._say_once(f"{error}; tried again")
                self._require_time(error)
                await asyncio.sleep(wait_s)
                wait_s = min(2.0, wait_s * 2.0)

    def _require_time(self, error: ExternalError | None = None) -> None:
        passed_s = asyncio.get_running_loop().time() - self._begun_s
        if self._done.flat_s is None and passed_s > GIVE_UP_S:
            raise ExternalError(
                f"not done after {GIVE_UP_S:g} s: {error or self.left()}: look at the venue, and"
                " run it again"
            )

    def left(self) -> str:
        """Return what is held still, for a person."""
        n, parts = len(self._markets), []
        for lane, lots in enumerate(self._ledger.lots):
            market = self._markets[lane % n]
            if lots > 0:
                parts.append(f"{text_of(lots, market.qty_decimals)} {market.base}")
        return f"{', '.join(parts) or 'nothing'} is held"

    def _say_once(self, text: str) -> None:
        if text not in self._printed:
            self._printed.add(text)
            self._say(text)
