"""Journals of format 3 as this version would have written them, for reading.

Their events and effects have the names of today's, but for these: an order was rejected or
cancelled by an event of its own, an execution had no id and said what was left of its order, and
what an order and the ledger went through was not journaled as effects. Reports and ``ares why``
read the result; it cannot be stepped or certified by this version.
"""

from __future__ import annotations

import msgspec

from ares.domain.events import (
    BarsClosed,
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
    CancelOrder,
    ExecutionBooked,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    SubmitOrder,
)


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
    | BarsClosed
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

_event = msgspec.msgpack.Decoder(tuple[int, Event3])
_effects = msgspec.msgpack.Decoder(tuple[int, list[Effect]])


class _Sent(msgspec.Struct):
    """An open order: its instrument, and what was filled of it."""

    instrument: int
    filled_lots: int = 0


class Upcast:
    """Reads the records of one journal of format 3, in their order."""

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}
        self._moved: list[Effect] = []
        self._at_ms = 0

    def event(self, raw: bytes) -> tuple[int, int, int, int, Event]:
        """Return a record's seq, engine's time, causation, correlation and event.

        The engine's time was not journaled: it is that of the newest event which has one.
        Raises DecodeError for what is no event of format 3.
        """
        seq, old = _event.decode(raw)
        self._moved = []
        event = self._converted(seq, old)
        self._at_ms = max(self._at_ms, getattr(event, "ts_ms", 0))
        return seq, self._at_ms, 0, 0, event

    def effects(
        self, head: tuple[int, int, int, int, Event], raw: bytes
    ) -> tuple[int, list[Effect]]:
        """Return the seq and effects of the event that was read before, its order's included.

        Raises DecodeError for what is no effect of format 3.
        """
        seq, effects = _effects.decode(raw)
        ts_ms = getattr(head[4], "ts_ms", 0)
        found = self._moved
        for effect in effects:
            found.append(effect)
            if isinstance(effect, SubmitOrder):
                self._sent[effect.client_id] = _Sent(effect.instrument)
            elif isinstance(effect, CancelOrder):
                self._move(effect.client_id, "cancelling", ts_ms)
        self._moved = []
        return seq, found

    def _converted(self, seq: int, old: Event3) -> Event:
        """Return an event in today's form; note what its order went through."""
        match old:
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
