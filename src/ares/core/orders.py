"""One order: its life, its doubt, its cancel, its amendment and its executions, each on its own.

An order ends by the venue's word, or by proof that it never arrived; silence only puts it in doubt.
Ended orders are kept for late executions. Nothing here touches money: see ``core.ledger``.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

from ares.domain.order_events import EndReason, SubmitOrder

OWNER_DIGITS = 8
ID_DIGITS = 32
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
    ask_ms      : when it must be looked up next; 0: never.
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
    cancel: Request = Request.NONE
    amend: Request = Request.NONE
    venue_id: str = ""
    cum_lots: int | None = None
    filled_lots: int = 0
    seen_lots: int = 0
    exec_ids: list[str] = []

    @property
    def open(self) -> bool:
        """Return whether it may still fill."""
        return self.life is not Life.ENDED

    @property
    def remaining_lots(self) -> int:
        """Return the signed lots still to fill."""
        return self.lots - self.filled_lots


class LaneOrders(msgspec.Struct):
    """Client ids of a lane's open orders, and when something is due for it.

    unprotected_ms : since when a position has neither stop nor exit; 0: it has.
    failures       : stops and exits in a row that the venue did not take.
    retry_ms       : the next is sent no earlier; 0: at once.
    changed_ms     : when a stop was last sent.
    """

    entry: str = ""
    exit: str = ""
    stop: str = ""
    unprotected_ms: int = 0
    failures: int = 0
    retry_ms: int = 0
    changed_ms: int = 0


class Halt(msgspec.Struct, frozen=True):
    """A reason for which entries are halted; see ``HaltChanged``."""

    instrument: int
    reason: str
    needs_person: bool
    since_ms: int


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


def accept(order: Order, venue_id: str) -> None:
    """The venue holds the order; late or repeated, this changes nothing."""
    if not order.open:
        return
    order.life = Life.WORKING
    order.venue_id = order.venue_id or venue_id
    clear_doubt(order)


def execute(order: Order, exec_id: str, lots: int) -> Booking:
    """Count an execution once, whether the order is open or has ended."""
    if exec_id in order.exec_ids:
        return NOTHING
    order.exec_ids.append(exec_id)
    if lots == 0 or (lots > 0) != (order.lots > 0):
        return Booking(0, lots, "wrong_side")
    order.seen_lots += lots
    room = order.remaining_lots
    booked = min(lots, room) if lots > 0 else max(lots, room)
    order.filled_lots += booked
    if order.open:
        order.life = Life.WORKING
    beyond = lots - booked
    return Booking(booked, beyond, "beyond_order" if beyond else "")


def is_complete(order: Order) -> bool:
    """Return whether an open order has ended by what is known of its executions."""
    if order.filled_lots == order.lots:
        return True
    return order.cum_lots is not None and abs(order.seen_lots) >= abs(order.cum_lots)


def note_end(order: Order, reason: EndReason, cum_lots: int | None) -> None:
    """Note the venue's word that an open order has ended; see ``is_complete``.

    cum_lots : what it filled in all, as reported; less than was executed is not believed.
    """
    assumed = {"rejected": 0, "filled": order.lots}.get(reason)
    order.cum_lots = assumed if cum_lots is None else cum_lots
    order.end_reason = reason
    if cum_lots is not None and abs(cum_lots) < abs(order.seen_lots):
        order.cum_lots = order.seen_lots


def end(order: Order, reason: EndReason, ts_ms: int) -> None:
    """End an open order."""
    order.life = Life.ENDED
    order.end_reason = reason
    order.ended_ms = ts_ms
    order.ask_ms = 0
    clear_doubt(order)


def doubt(order: Order, at_ms: int) -> None:
    """Its outcome is unknown from now on: it is to be looked up at once."""
    if not order.open:
        return
    order.doubt_ms = order.doubt_ms or at_ms
    order.ask_ms = at_ms


def clear_doubt(order: Order) -> None:
    """The venue has spoken of it."""
    order.doubt_ms = order.lookups = order.absences = 0
    order.ask_ms = 0
