"""Journals of older formats as this version would have written them, for reading.

Format 4: bars said whether they only warm the features up, and nothing else of what they are for.

Format 3, besides: an order was rejected or cancelled by an event of its own, an execution had no id
and said what was left of its order, and what an order and the ledger went through was not journaled
as effects. Reports and ``ares why`` read the result; it cannot be stepped or certified by this
version.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from ares.domain.events import (
    BarsClosed,
    BarsKind,
    Effect,
    EngineStarted,
    Event,
    RunStarted,
    SeriesPublished,
)
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    ModelPublished,
    ModelRefused,
    RetrainingEnded,
    RetrainingStarted,
    SlotChangeRequested,
)
from ares.domain.order_events import (
    AccountSeen,
    AmendRefused,
    CancelOrder,
    CancelRefused,
    ClockSkewMeasured,
    CommandGiven,
    ExecutionBooked,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    OrderUnknown,
    Stopping,
    SubmitOrder,
    TimeReached,
    VenueDown,
    VenueUp,
)

EventRecord = tuple[int, int, int, int, Event]
"""A record's seq, engine's time, causation, correlation and event."""


class Upcast(Protocol):
    """Reads the records of one journal of an older format, in their order."""

    def event(self, raw: bytes) -> EventRecord:
        """Return an event's record; raises DecodeError for what is no event of its format."""

    def effects(self, raw: bytes) -> bytes:
        """Return the effects of the event that was read before, as this version writes them.

        Raises DecodeError for what are no effects of its format.
        """


def upcast_of(version: int) -> Upcast:
    """Return what reads a journal of a format before this version's."""
    return Upcast3() if version == 3 else Upcast4()


class BarsClosed4(msgspec.Struct, frozen=True, tag="BarsClosed", gc=False):
    """All base bars that closed at one instant; ``warming``: nothing was decided."""

    ts_ms: int
    ohlcv: bytes
    present: bytes
    flat: bytes
    warming: bool = False

    @property
    def today(self) -> BarsClosed:
        """Return it in today's form."""
        kind: BarsKind = "warm" if self.warming else "closing"
        return BarsClosed(self.ts_ms, self.ohlcv, self.present, self.flat, kind)


Event4 = (
    RunStarted
    | EngineStarted
    | BarsClosed4
    | SeriesPublished
    | OrderAccepted
    | OrderFilled
    | OrderEnded
    | OrderUnknown
    | OrderAbsent
    | CancelRefused
    | OrderAmended
    | AmendRefused
    | VenueDown
    | VenueUp
    | AccountSeen
    | ClockSkewMeasured
    | TimeReached
    | CommandGiven
    | Stopping
    | ModelPublished
    | ModelRefused
    | SlotChangeRequested
    | DriftMeasured
    | RetrainingStarted
    | RetrainingEnded
    | AlertRaised
)

_event4 = msgspec.msgpack.Decoder(tuple[int, int, int, int, Event4])


class Upcast4:
    """Reads the records of a journal of format 4."""

    def event(self, raw: bytes) -> EventRecord:
        """Return an event's record."""
        seq, at_ms, causation, correlation, old = _event4.decode(raw)
        event = old.today if isinstance(old, BarsClosed4) else old
        return seq, at_ms, causation, correlation, event

    def effects(self, raw: bytes) -> bytes:
        """Return the effects: they are today's."""
        return raw


class EngineStarted3(msgspec.Struct, frozen=True, tag="EngineStarted"):
    """The engine resumed a run."""

    hashes: dict[str, str]
    after_seq: int


class OrderFilled3(msgspec.Struct, frozen=True, tag="OrderFilled", gc=False):
    """The venue filled (part of) an order; ``remaining``: signed lots still working."""

    client_id: str
    ts_ms: int
    lots: int
    price_ticks: int
    fee_units: int
    remaining: int


class OrderRejected3(msgspec.Struct, frozen=True, tag="OrderRejected", gc=False):
    """The venue rejected or expired an order of which nothing was filled."""

    client_id: str
    ts_ms: int
    price_ticks: int
    reason: str


class OrderCancelled3(msgspec.Struct, frozen=True, tag="OrderCancelled", gc=False):
    """The venue cancelled an order, as requested."""

    client_id: str
    ts_ms: int


Event3 = (
    RunStarted
    | EngineStarted3
    | BarsClosed4
    | SeriesPublished
    | OrderAccepted
    | OrderFilled3
    | OrderRejected3
    | OrderCancelled3
    | ModelPublished
    | ModelRefused
    | SlotChangeRequested
    | DriftMeasured
    | RetrainingStarted
    | RetrainingEnded
    | AlertRaised
)

_event3 = msgspec.msgpack.Decoder(tuple[int, Event3])
_effects = msgspec.msgpack.Decoder(tuple[int, list[Effect]])
_encode = msgspec.msgpack.Encoder().encode


class _Sent(msgspec.Struct):
    """An open order: its instrument, and what was filled of it."""

    instrument: int
    filled_lots: int = 0


class Upcast3:
    """Reads the records of a journal of format 3."""

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}
        self._moved: list[Effect] = []
        self._at_ms = self._ts_ms = 0

    def event(self, raw: bytes) -> EventRecord:
        """Return an event's record.

        The engine's time was not journaled: it is that of the newest event which has one.
        """
        seq, old = _event3.decode(raw)
        self._moved = []
        event = self._converted(seq, old)
        self._ts_ms = getattr(event, "ts_ms", 0)
        self._at_ms = max(self._at_ms, self._ts_ms)
        return seq, self._at_ms, 0, 0, event

    def effects(self, raw: bytes) -> bytes:
        """Return the effects, with what they led to for the event's order."""
        seq, effects = _effects.decode(raw)
        found = self._moved
        for effect in effects:
            found.append(effect)
            if isinstance(effect, SubmitOrder):
                self._sent[effect.client_id] = _Sent(effect.instrument)
            elif isinstance(effect, CancelOrder):
                self._move(effect.client_id, "cancelling", self._ts_ms)
        self._moved = []
        return _encode((seq, found))

    def _converted(self, seq: int, old: Event3) -> Event:
        """Return an event in today's form; note what its order went through."""
        match old:
            case BarsClosed4():
                return old.today
            case EngineStarted3():
                return EngineStarted(old.hashes, old.after_seq, "")
            case OrderAccepted():
                self._move(old.client_id, "accepted", old.ts_ms)
                return old
            case OrderFilled3():
                return self._filled(seq, old)
            case OrderRejected3():
                self._move(old.client_id, "rejected", old.ts_ms)
                self._sent.pop(old.client_id, None)
                return OrderEnded(
                    old.client_id, old.ts_ms, "rejected", 0, old.reason, old.price_ticks
                )
            case OrderCancelled3():
                self._move(old.client_id, "cancelled", old.ts_ms)
                sent = self._sent.pop(old.client_id, _Sent(-1))
                return OrderEnded(old.client_id, old.ts_ms, "cancelled", sent.filled_lots)
            case _:
                return old

    def _filled(self, seq: int, old: OrderFilled3) -> OrderFilled:
        """Return an execution; its id is its seq."""
        sent, exec_id = self._sent.get(old.client_id), str(seq)
        if sent is not None:
            sent.filled_lots += old.lots
            self._moved.append(
                ExecutionBooked(
                    old.client_id,
                    sent.instrument,
                    old.ts_ms,
                    old.lots,
                    old.price_ticks,
                    old.fee_units,
                    exec_id,
                )
            )
            self._move(old.client_id, "partly_filled" if old.remaining else "filled", old.ts_ms)
            if not old.remaining:
                del self._sent[old.client_id]
        return OrderFilled(
            old.client_id, old.ts_ms, old.lots, old.price_ticks, old.fee_units, exec_id
        )

    def _move(self, client_id: str, status: str, ts_ms: int) -> None:
        sent = self._sent.get(client_id)
        if sent is not None:
            self._moved.append(OrderMoved(client_id, sent.instrument, ts_ms, status))
