"""What passes between the engine and a venue or a person, and the facts that follow from it.

``ts_ms`` of an event is the engine's time at which it counts; ``venue_ms`` what the venue's clock
said (0: nothing). Lots are signed: positive buys, negative sells.
"""

from __future__ import annotations

from typing import Literal

import msgspec

EndReason = Literal["filled", "cancelled", "rejected", "expired", "absent", "would_take"]
"""Why an order ended. ``would_take``: it was to rest, and the market had gone beyond its price.
``absent``: it never reached the venue, which was proven or which a person confirmed.
"""

# --- what a venue reports ----------------------------------------------------------------------


class OrderAccepted(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The venue holds an order, or held it when it was looked up."""

    client_id: str
    ts_ms: int
    venue_id: str = ""


class OrderFilled(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The venue filled (part of) an order: one execution.

    lots      : signed lots of this execution.
    fee_units : of fees that were not paid in base currency, in money units of the quote currency.
    base_fee_units : fee that was taken out of the bought base currency, in units of 1e-8 of it.
    exec_id   : the venue's id of the execution, the same by whichever way it is reported.
    instrument : of the execution; -1: that of the order. Says where an order of somebody else
                belongs.
    """

    client_id: str
    ts_ms: int
    lots: int
    price_ticks: int
    fee_units: int
    exec_id: str
    instrument: int = -1
    venue_ms: int = 0
    base_fee_units: int = 0


class OrderEnded(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The venue ended an order: nothing more of it will fill.

    cum_lots    : signed lots it filled in all; None: not reported. Where executions are missing
                  the order stays open until they have come.
    price_ticks : at which a simulated venue would have filled it; 0: none.
    """

    client_id: str
    ts_ms: int
    reason: EndReason
    cum_lots: int | None = None
    detail: str = ""
    price_ticks: int = 0
    venue_ms: int = 0


class OrderUnknown(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """No answer came to an order, an amendment or a cancel: its outcome is unknown."""

    client_id: str
    ts_ms: int
    detail: str = ""


class OrderAbsent(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """An order was looked up and not found.

    complete : open orders, closed orders and executions were read to their end. An error or an
               incomplete page proves nothing.
    """

    client_id: str
    ts_ms: int
    complete: bool
    venue_ms: int = 0


class StopTriggered(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The venue has triggered a stop. Where stops are stop-limits, it rests as a limit order now,
    and the market may have jumped over its limit.
    """

    client_id: str
    ts_ms: int


class CancelRefused(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The venue did not cancel an order: it may have ended, or go on."""

    client_id: str
    ts_ms: int
    detail: str = ""


class OrderAmended(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The venue changed a resting order.

    lots : of the whole order, what was filled before included.
    """

    client_id: str
    ts_ms: int
    lots: int
    price_ticks: int


class AmendRefused(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The venue did not change a resting order, which goes on as it was."""

    client_id: str
    ts_ms: int
    detail: str = ""


class VenueDown(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """The private session with the venue ended: reports may be lost from here on."""

    ts_ms: int
    detail: str = ""


class VenueUp(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A private session with the venue has begun; ``session`` counts them."""

    ts_ms: int
    session: int


class AccountSeen(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """What the venue says that the account holds.

    as_of_ms : engine's time before which all of it was read.
    complete : every page was read. Otherwise it proves nothing.
    lots     : (n_instruments,) held of each base currency, in lots.
    open_ids : client ids of all open orders; an order without one under the venue's own id.
    rest_units : (n_instruments,) held beyond whole lots, in units of 1e-8 of the base currency;
               empty: nothing, or not reported.
    """

    ts_ms: int
    as_of_ms: int
    complete: bool
    lots: tuple[int, ...]
    open_ids: tuple[str, ...]
    rest_units: tuple[int, ...] = ()


class GasPaid(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A transaction on a chain cost gas, in money units of the account's currency."""

    ts_ms: int
    instrument: int
    units: int


class ClockSkewMeasured(msgspec.Struct, frozen=True, tag=True, gc=False):
    """How far the venue's clock is ahead of the engine's, in milliseconds."""

    ts_ms: int
    venue_ahead_ms: int


# --- time and people ---------------------------------------------------------------------------


class TimeReached(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A deadline of the engine has passed. Only deadlines that fire are journaled."""

    ts_ms: int


class CommandGiven(msgspec.Struct, frozen=True, tag=True):
    """A person (or the supervisor) wants something; the answer is a fact.

    id   : delivered again, a command is answered and not carried out again.
    verb, args : see ``core.commands``.
    expires_ms : not carried out later; 0: it does not expire.
    version : of the setting or slot that it was given for; empty: any.
    """

    id: str
    ts_ms: int
    who: str
    verb: str
    args: dict[str, str]
    expires_ms: int = 0
    version: str = ""


class Stopping(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The engine stops cleanly: a snapshot of this state follows."""

    ts_ms: int


# --- commands to the venue ---------------------------------------------------------------------


class SubmitOrder(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """Command: send an order.

    client_id   : 32 hex digits, see ``core.orders.client_id``.
    kind        : entry, exit or stop.
    lots        : signed.
    price_ticks : limit of an entry (0: none), trigger of a stop.
    limit_ticks : of an entry that is to rest, post-only: its price; 0: it takes at once. Of a stop
                  at a venue whose stops are stop-limits: below the trigger; 0: it is sold at the
                  market once it is triggered.
    expected_ticks : price that slippage is measured against: the deciding close, or the trigger.
    send_by_ms  : by the venue's clock, the venue must not accept it later; 0: no deadline.
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
    expected_ticks: int = 0
    send_by_ms: int = 0
    limit_ticks: int = 0


class CancelOrder(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Command: cancel an order."""

    client_id: str
    instrument: int


class AmendOrder(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """Command: change a resting order in place.

    lots : of the whole order, what was filled before included.
    limit_ticks : as in ``SubmitOrder``.
    """

    client_id: str
    instrument: int
    lots: int
    price_ticks: int
    limit_ticks: int = 0


class QueryOrder(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Command: look an order up. The answers are its executions, then whether it is open, ended or
    absent.
    """

    client_id: str
    instrument: int


class AskAccount(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Command: report balances and open orders, see ``AccountSeen``."""

    ts_ms: int


# --- facts -------------------------------------------------------------------------------------


class OrderMoved(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: an order's status changed.

    status : submitted, accepted, partly_filled, cancelling or unknown; at its end an ``EndReason``.
    """

    client_id: str
    instrument: int
    ts_ms: int
    status: str


class ExecutionBooked(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """Fact: an execution was added to the ledger, once. Nothing else changes a position.

    lots : signed, as far as its order and the position explain them; what a fee took out of the
           bought base currency is left out, see ``core.base_fees``. 0: the fee took it all.
    fee_units : the value of that included.
    dust_units : what the ledger holds of a lot now, in units of 1e-8 of the base currency.
    """

    client_id: str
    instrument: int
    ts_ms: int
    lots: int
    price_ticks: int
    fee_units: int
    exec_id: str
    dust_units: int = 0


class StopMissing(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a position has no stop at the venue, and none could be placed at once."""

    instrument: int
    ts_ms: int
    lots: int
    detail: str


class HaltChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: entries were halted, or are allowed again; ``instrument`` -1: of all instruments.

    needs_person : True: only a person's command ends it.
    detail : who halted, and why, where a person did.
    """

    instrument: int
    ts_ms: int
    halted: bool
    reason: str
    needs_person: bool
    detail: str = ""


class CommandDone(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a command was carried out."""

    id: str
    ts_ms: int
    detail: str


class CommandRefused(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a command was not carried out, and why."""

    id: str
    ts_ms: int
    reason: str


class EventRefused(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: (part of) an event from outside cannot be true and changed nothing.

    instrument : whose bar it is; -1: the whole event.
    """

    instrument: int
    ts_ms: int
    reason: str
