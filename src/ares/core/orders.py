"""One order: its life, its doubt, its cancel, its amendment and its executions, each on its own.

An order ends by the venue's word, or by proof that it never arrived; silence only puts it in doubt.
Ended orders are kept for late executions. Nothing here touches money: see ``core.ledger``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from ares.domain.events import Event
from ares.domain.order_events import EndReason, OrderAbsent, OrderEnded, SubmitOrder
from ares.domain.venue import VenueTraits

OWNER_DIGITS = 8
ID_DIGITS = 32
DOUBT_MS_MAX = 60_000
"""An outcome unknown for so long halts its instrument, until it is known or a person looks."""

ENDED_KEPT_MS = 30 * 86_400_000
"""How long an ended order is kept, for executions that are reported late."""


class Life(StrEnum):
    """Where an order stands."""

    INTENDED = "intended"  # durable in the journal; sent, perhaps; the venue has not confirmed it
    WORKING = "working"
    ENDED = "ended"


class Request(StrEnum):
    """Where a cancel or an amendment of an order stands."""

    NONE = "none"
    SENT = "sent"
    REFUSED = "refused"


class Order(msgspec.Struct):
    """One order as the engine knows it; lots are signed.

    seq         : of the event that sent it. correlation: of the decision that opened its trade.
    sent_ms     : engine's time at which it was handed over.
    end_reason  : why it ended; before that, why the venue says it has ended while executions are
                  missing.
    doubt_ms    : since when its outcome is unknown; 0: it is not.
    lookups       : look-ups since then. absences: complete ones that did not find it.
    ask_ms      : when it is to be looked up next, while its outcome is unknown.
    counted     : number of the newest look-up whose absence was counted: one answer may come twice.
    cancel_ms, amend_ms : when the newest cancel or amendment was sent. reported_ms: when the venue
                  last said that it works or, once it has ended, that no execution of it is missing.
                  filled_ms: when an execution was last counted.
    jumped_ms   : of a stop-limit: from then on it counts as none; 0: the market has not reached it.
    cancels     : cancels that were sent, and did not end it.
    amended_lots : most lots that an amendment ever asked for, without sign; 0: there was none, or
                  it was filled whole without it.
    asked_lots, asked_ticks : size and price that the newest amendment asked for.
    cum_lots    : the venue's final word on what it filled; None: not given yet.
    seen_lots   : executed in all, beyond its size too; filled_lots: what was booked of it.
    exec_ids    : of the executions counted.
    """

    client_id: str
    instrument: int
    kind: str
    lots: int
    price_ticks: int
    reason: str
    p: float
    edge_bps: float
    barrier_bps: float
    expected_ticks: int
    seq: int
    correlation: int
    sent_ms: int
    send_by_ms: int
    life: Life = Life.INTENDED
    end_reason: EndReason | None = None
    ended_ms: int = 0
    doubt_ms: int = 0
    lookups: int = 0
    absences: int = 0
    ask_ms: int = 0
    counted: int = 0
    cancel_ms: int = 0
    amend_ms: int = 0
    reported_ms: int = 0
    filled_ms: int = 0
    cancels: int = 0
    amended_lots: int = 0
    asked_lots: int = 0
    asked_ticks: int = 0
    cancel: Request = Request.NONE
    amend: Request = Request.NONE
    venue_id: str = ""
    cum_lots: int | None = None
    filled_lots: int = 0
    seen_lots: int = 0
    exec_ids: list[str] = []
    jumped_ms: int = 0

    @property
    def open(self) -> bool:
        """Return whether it may still fill."""
        return self.life is not Life.ENDED

    @property
    def remaining_lots(self) -> int:
        """Return the signed lots still to fill."""
        return self.lots - self.filled_lots

    @property
    def largest_lots(self) -> int:
        """Return the most lots that the venue may take it for, without sign."""
        return max(abs(self.lots), self.amended_lots)


class LaneOrders(msgspec.Struct):
    """Client ids of a lane's open orders, and when something is due for it.

    pieces         : further open exits or stops, where one would be larger than the venue takes.
    unprotected_ms : since when lots of a position have neither stop nor exit; 0: all have.
    failures       : times in a row that the venue did not take stops or exits. failed_seq: of the
                     newest.
    retry_ms       : the next is sent no earlier; 0: at once.
    changed_ms     : when a stop was last sent.
    held_ticks     : price at or below which the engine sells by itself, because the venue takes no
                     stop that is so small; 0: it does not. seen_ticks: the newest price.
    """

    entry: str = ""
    exit: str = ""
    stop: str = ""
    unprotected_ms: int = 0
    failures: int = 0
    retry_ms: int = 0
    changed_ms: int = 0
    pieces: list[str] = []
    failed_seq: int = 0
    held_ticks: int = 0
    seen_ticks: int = 0

    def retry_now(self) -> None:
        """Send at once what the venue did not take: what it lacked is there, or the order gone."""
        self.failures = self.retry_ms = 0

    def add(self, kind: str, client_id: str) -> None:
        """Add an open order."""
        if getattr(self, kind):
            self.pieces.append(client_id)
        else:
            setattr(self, kind, client_id)

    def remove(self, order: Order, orders: Mapping[str, Order]) -> None:
        """Take out an order that has ended; orders: those that are still open."""
        if order.client_id in self.pieces:
            self.pieces.remove(order.client_id)
        elif getattr(self, order.kind) == order.client_id:
            further = [id_ for id_ in self.pieces if orders[id_].kind == order.kind]
            setattr(self, order.kind, further[0] if further else "")
            if further:
                self.pieces.remove(further[0])


def placed_orders(placed: LaneOrders, kind: str, orders: Mapping[str, Order]) -> list[Order]:
    """Return a lane's open orders of a kind, the oldest first."""
    first = orders.get(getattr(placed, kind))
    found = [] if first is None else [first]
    if placed.pieces:
        found += [orders[id_] for id_ in placed.pieces if orders[id_].kind == kind]
    return found


class Halt(msgspec.Struct, frozen=True):
    """A reason for which entries are halted; see ``HaltChanged``."""

    instrument: int
    reason: str
    needs_person: bool
    since_ms: int
    detail: str = ""


class Booking(msgspec.Struct, frozen=True):
    """How an execution counts: lots that its order explains, and lots beyond.

    problem : kind of the Difference that the rest is; empty: there is none.
    """

    lots: int
    beyond: int
    problem: str


NOTHING = Booking(0, 0, "")


def status(order: Order) -> str:
    """Return where an order stands, in one word; see ``OrderMoved``."""
    if order.life is Life.ENDED:
        return order.end_reason or ""
    if order.doubt_ms:
        return "unknown"
    if order.cancel is Request.SENT:
        return "cancelling"
    if order.filled_lots:
        return "partly_filled"
    return "accepted" if order.life is Life.WORKING else "submitted"


def client_id(owner: str, nonce: str, seq: int, n: int) -> str:
    """Return the id of the ``n``-th order of event ``seq``: 32 hex digits, the first 8 ``owner``.

    A venue holds ids unique among open orders only, so an id does not make sending idempotent.
    """
    text = f"{nonce}:{seq}:{n}".encode()
    return owner + hashlib.blake2b(text, digest_size=(ID_DIGITS - OWNER_DIGITS) // 2).hexdigest()


def nonce_after(nonce: str, seq: int) -> str:
    """Return the nonce of an epoch in virtual time: the same run gives the same ids again."""
    return hashlib.blake2b(f"{nonce}:{seq}".encode(), digest_size=8).hexdigest()


def owner_of(workspace: str, environment: str) -> str:
    """Return the 8 hex digits that begin every client id of an environment of a workspace."""
    text = f"{workspace}\0{environment}".encode()
    return hashlib.blake2b(text, digest_size=OWNER_DIGITS // 2).hexdigest()


def sent(command: SubmitOrder, seq: int, correlation: int, at_ms: int) -> Order:
    """Return the order of a command that is about to be sent."""
    c = command
    return Order(
        c.client_id, c.instrument, c.kind, c.lots, c.price_ticks, c.reason, c.p, c.edge_bps,
        c.barrier_bps, c.expected_ticks, seq, correlation, at_ms, c.send_by_ms, exec_ids=[],
    )  # fmt: skip


def accept(order: Order, venue_id: str, at_ms: int) -> None:
    """The venue holds the order; late or repeated, this changes nothing.

    Where it was in doubt, what was requested of it was not done: it is open after all.
    """
    if not order.open:
        return
    order.life = Life.WORKING
    order.venue_id = order.venue_id or venue_id
    order.reported_ms = at_ms
    if order.doubt_ms:
        if order.cancel is Request.SENT:
            order.cancel = Request.NONE
        if order.amend is Request.SENT:  # it may still be on its way: no other must follow it
            order.amend = Request.REFUSED
    clear_doubt(order)


def ask_size(order: Order, lots: int, price_ticks: int, at_ms: int) -> None:
    """Note an amendment that is sent."""
    order.amend, order.amend_ms = Request.SENT, at_ms
    order.asked_lots, order.asked_ticks = lots, price_ticks
    order.amended_lots = max(order.amended_lots, abs(order.lots), abs(lots))


def resize(order: Order, lots: int, price_ticks: int, at_ms: int) -> bool:
    """Take the size and price that the venue says a resting order has; False: it cannot be so.

    While an amendment is on its way, a report of what stood before says nothing of it: a second one
    must not follow, because the first may overtake it. Any other report is out of date, or wrong.
    """
    is_same_side = (lots > 0) == (order.lots > 0)
    if not is_same_side or not abs(order.filled_lots) <= abs(lots) <= order.largest_lots:
        return False
    if not order.doubt_ms and order.amend is Request.SENT:
        if (lots, price_ticks) == (order.asked_lots, order.asked_ticks):
            order.amend = Request.NONE
        elif (lots, price_ticks) != (order.lots, order.price_ticks):
            return False
    if order.price_ticks != price_ticks:
        order.jumped_ms = 0
    order.lots, order.price_ticks = lots, price_ticks
    accept(order, "", at_ms)
    return True


def due_ms(order: Order, traits: VenueTraits) -> int:
    """Return when an open order must be looked up at the latest; 0: never.

    It follows from what is known of it, so that no report can switch it off by mistake.
    """
    if order.doubt_ms:
        return order.ask_ms
    if not (traits.answer_ms or traits.fill_ms):
        return 0
    due: list[int] = []
    answer_ms, fill_ms = traits.answer_ms * traits.speed, traits.fill_ms * traits.speed
    if answer_ms:
        if order.life is Life.INTENDED:
            due.append(order.sent_ms + answer_ms)
        if order.cancel is Request.SENT:
            due.append(order.cancel_ms + answer_ms)
        if order.amend is Request.SENT:
            due.append(order.amend_ms + answer_ms)
    if fill_ms and order.kind != "stop" and order.life is Life.WORKING:
        due.append(order.reported_ms + fill_ms)
    return min(due, default=0)


def execute(order: Order, exec_id: str, lots: int) -> Booking:
    """Count an execution once, whether the order is open or has ended."""
    if exec_id in order.exec_ids:
        return NOTHING
    order.exec_ids.append(exec_id)
    if lots == 0 or (lots > 0) != (order.lots > 0):
        return Booking(0, lots, "wrong_side")
    order.seen_lots += lots
    room = order.largest_lots - abs(order.filled_lots)
    booked = min(lots, room) if lots > 0 else max(lots, -room)
    order.filled_lots += booked
    if abs(order.filled_lots) > abs(order.lots):  # an amendment that was not confirmed yet
        order.lots = order.filled_lots
    if order.open:
        order.life = Life.WORKING
    beyond = lots - booked
    return Booking(booked, beyond, "beyond_order" if beyond else "")


def is_complete(order: Order) -> bool:
    """Return whether an open order has ended by what is known of its executions.

    One that may be larger at the venue, by an amendment, ends by the venue's word alone.
    """
    if order.filled_lots == order.lots and order.largest_lots == abs(order.lots):
        return True
    return order.cum_lots is not None and abs(order.seen_lots) >= abs(order.cum_lots)


def note_end(order: Order, reason: EndReason, cum_lots: int | None) -> None:
    """Note the venue's word that an open order has ended; see ``is_complete``.

    cum_lots : what it filled in all, as reported; less than was executed is not believed.
    """
    assumed = {"rejected": 0, "would_take": 0}.get(reason)
    if reason == "filled" and order.largest_lots == abs(order.lots):
        assumed = order.lots
    order.cum_lots = assumed if cum_lots is None else cum_lots
    order.end_reason = reason
    if cum_lots is not None and abs(cum_lots) < abs(order.seen_lots):
        order.cum_lots = order.seen_lots


def end(order: Order, reason: EndReason, ts_ms: int) -> None:
    """End an open order. One that was filled whole never took a larger size: more is beyond it."""
    if reason == "filled" and order.filled_lots == order.lots:
        order.amended_lots = 0
    order.life = Life.ENDED
    order.end_reason = reason
    order.ended_ms = ts_ms
    clear_doubt(order)


def doubt(order: Order, at_ms: int) -> None:
    """Its outcome is unknown from now on: it is to be looked up at once."""
    if not order.open:
        return
    order.doubt_ms = order.doubt_ms or at_ms
    order.ask_ms = at_ms


def clear_doubt(order: Order) -> None:
    """The venue has spoken of it."""
    order.doubt_ms = order.lookups = order.absences = order.counted = order.ask_ms = 0


def is_whole(order: Order, event: Event) -> bool:
    """Return whether a report on an order that has ended says that no execution is missing."""
    if isinstance(event, OrderEnded):
        return event.cum_lots is not None and abs(event.cum_lots) <= abs(order.seen_lots)
    return isinstance(event, OrderAbsent) and event.complete
