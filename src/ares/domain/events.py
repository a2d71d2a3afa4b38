"""What comes in (Event) and what goes out (Effect): the only words the engine speaks.

Arrays travel as the bytes of little-endian NumPy columns: an event of a thousand instruments
costs no more to encode than one of four.
"""

from __future__ import annotations

import msgspec

from ares.domain.model_events import (
    AlertRaised,
    ArmsCompared,
    DriftMeasured,
    ModelPublished,
    ModelRefused,
    RetrainingEnded,
    RetrainingStarted,
    SlotChanged,
    SlotOrdered,
    SlotRefused,
)
from ares.domain.run import RunSetup


class RunStarted(msgspec.Struct, frozen=True, tag=True):
    """The first event of every journal."""

    setup: RunSetup


class EngineStarted(msgspec.Struct, frozen=True, tag=True):
    """The engine took up a run again; the hashes say with which code."""

    hashes: dict[str, str]
    after_seq: int


class BarsClosed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """All base bars that closed at one instant.

    ts_ms   : the closing instant.
    ohlcv   : (n_instruments, 5) float64 open, high, low, close, volume.
    present : (n_instruments,) bool; False where an instrument has no bar.
    flat    : (n_instruments,) bool; True where the bar was made to fill a gap.
    warming : True before the run's first instant: features are fed, nothing is decided.
    """

    ts_ms: int
    ohlcv: bytes
    present: bytes
    flat: bytes
    warming: bool = False


class NewsPublished(msgspec.Struct, frozen=True, tag=True, gc=False):
    """News that have become known, before the bars that may know them.

    ts_ms : an instant by which all of them are known: of the bars that follow, or when they came.
    rows  : (n_rows, 4) int64 known_ms, published_ms, score in millionths, instrument (-1: all).
    """

    ts_ms: int
    rows: bytes


class OrderAccepted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue took an order in."""

    client_id: str
    ts_ms: int


class OrderFilled(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue filled (part of) an order.

    lots      : signed lots of this fill.
    remaining : signed lots still working; 0 ends the order, whatever it had asked for.
    """

    client_id: str
    ts_ms: int
    lots: int
    price_ticks: int
    fee_units: int
    remaining: int


class OrderRejected(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue did not take, or dropped, an order of which nothing was filled."""

    client_id: str
    ts_ms: int
    price_ticks: int
    reason: str


class OrderCancelled(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue took an order away as asked."""

    client_id: str
    ts_ms: int


Event = (
    RunStarted
    | EngineStarted
    | BarsClosed
    | NewsPublished
    | OrderAccepted
    | OrderFilled
    | OrderRejected
    | OrderCancelled
    | ModelPublished
    | ModelRefused
    | SlotOrdered
    | DriftMeasured
    | RetrainingStarted
    | RetrainingEnded
    | AlertRaised
)


class SubmitOrder(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Command: send an order. The client id makes it the same order however often it is sent.

    kind        : entry, exit or stop.
    lots        : signed.
    price_ticks : limit of an entry (0: none), trigger of a stop.
    """

    client_id: str
    instrument: int
    kind: str
    lots: int
    price_ticks: int
    reason: str
    p: float
    edge_bps: float
    width_bps: float


class CancelOrder(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Command: take an order away."""

    client_id: str
    instrument: int


class Decided(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact of every closing instant: what was thought, per instrument, and what we are worth.

    said : (5, n_instruments) float64: p, edge in bps, width in bps, mode confidence, mode
           (1 TRADING, 0 LEARNING); NaN: no opinion.
    """

    ts_ms: int
    said: bytes
    equity_units: int
    cash_units: int


class Refused(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a signal wanted to trade and was not let; ``code`` says why."""

    instrument: int
    ts_ms: int
    code: str
    p: float
    edge_bps: float
    width_bps: float


class TradeClosed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a trade is over, real or virtual. Prices in ticks, averaged over the fills."""

    instrument: int
    virtual: bool
    entry_ms: int
    exit_ms: int
    entry_price: float
    exit_price: float
    lots: int
    pnl_units: int
    fees_units: int
    net_bps: float
    p: float
    edge_bps: float
    reason: str
    code: str
    mode_confidence: float


BY_CONFIDENCE = "mode confidence passed its threshold"


class ModeChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: an instrument went from LEARNING to TRADING or back.

    reason : BY_CONFIDENCE: by its trades; else the move that gave it another champion, or none.
    """

    instrument: int
    ts_ms: int
    before: str
    after: str
    mode_confidence: float
    reason: str = BY_CONFIDENCE


class BreakerChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a breaker opened, went half-open or closed; ``instrument`` -1 is the account."""

    instrument: int
    ts_ms: int
    breaker: str
    before: str
    after: str
    value: float


class DailyLossReached(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: the day's loss limit was reached; no entries until the next UTC day."""

    ts_ms: int
    share: float


class VirtualOpened(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a refused signal is followed as a virtual trade."""

    instrument: int
    ts_ms: int
    code: str
    edge_bps: float


class SentimentMissing(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: nothing new for too long, or never: models with sentiment answer by prices alone.

    age_hours : of the newest publication known; NaN: there was none.
    """

    instrument: int
    ts_ms: int
    age_hours: float


class SentimentBack(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: there are news again that models with sentiment hear."""

    instrument: int
    ts_ms: int
    age_hours: float


Command = SubmitOrder | CancelOrder
Effect = (
    SubmitOrder
    | CancelOrder
    | Decided
    | Refused
    | TradeClosed
    | ModeChanged
    | BreakerChanged
    | DailyLossReached
    | VirtualOpened
    | SlotChanged
    | SlotRefused
    | ArmsCompared
    | SentimentMissing
    | SentimentBack
)
