"""Events, which the engine takes in, and effects, which it returns: commands and facts.

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
    SlotChangeRefused,
    SlotChangeRequested,
)
from ares.domain.run import RunSetup


class RunStarted(msgspec.Struct, frozen=True, tag=True):
    """The first event of every journal."""

    setup: RunSetup


class EngineStarted(msgspec.Struct, frozen=True, tag=True):
    """The engine resumed a run; the hashes identify its code."""

    hashes: dict[str, str]
    after_seq: int


class BarsClosed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """All base bars that closed at one instant.

    ts_ms   : the closing instant.
    ohlcv   : (n_instruments, 5) float64 open, high, low, close, volume.
    present : (n_instruments,) bool; False where an instrument has no bar.
    flat    : (n_instruments,) bool; True where the bar fills a gap.
    warming : True before the run's window: features are updated, nothing is decided.
    """

    ts_ms: int
    ohlcv: bytes
    present: bytes
    flat: bytes
    warming: bool = False


class SeriesPublished(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Observations of external series that have become known, before the bars that may use them.

    ts_ms : an instant by which all of them are known: of the bars that follow, or when they came.
    rows  : (n_rows,) of ``kernel.features.series.OBSERVATION``.
    """

    ts_ms: int
    rows: bytes


class OrderAccepted(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue accepted an order."""

    client_id: str
    ts_ms: int


class OrderFilled(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue filled (part of) an order.

    lots      : signed lots of this fill.
    remaining : signed lots still working; 0 ends the order, whatever its size was.
    """

    client_id: str
    ts_ms: int
    lots: int
    price_ticks: int
    fee_units: int
    remaining: int


class OrderRejected(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue rejected or expired an order of which nothing was filled."""

    client_id: str
    ts_ms: int
    price_ticks: int
    reason: str


class OrderCancelled(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The venue cancelled an order, as requested."""

    client_id: str
    ts_ms: int


Event = (
    RunStarted
    | EngineStarted
    | BarsClosed
    | SeriesPublished
    | OrderAccepted
    | OrderFilled
    | OrderRejected
    | OrderCancelled
    | ModelPublished
    | ModelRefused
    | SlotChangeRequested
    | DriftMeasured
    | RetrainingStarted
    | RetrainingEnded
    | AlertRaised
)


class SubmitOrder(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Command: send an order. The client id makes sending it again idempotent.

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
    barrier_bps: float


class CancelOrder(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Command: cancel an order."""

    client_id: str
    instrument: int


class DecisionMade(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact of every closing instant: the models' outputs of each lane, and the account.

    outputs : (5, n_lanes) float64: probability, edge in bps, barrier distance in bps, mode
              confidence, mode (1 TRADING, 0 LEARNING); NaN: no score.
    """

    ts_ms: int
    outputs: bytes
    equity_units: int
    cash_units: int


class SignalRefused(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a signal was not allowed to trade; ``code`` is the reason."""

    instrument: int
    ts_ms: int
    code: str
    p: float
    edge_bps: float
    barrier_bps: float


class TradeClosed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a trade closed, real or virtual. Prices in ticks, averaged over the fills."""

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

    reason : BY_CONFIDENCE, or the slot change that replaced or removed its champion.
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


class VirtualTradeOpened(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a refused signal is followed as a virtual trade."""

    instrument: int
    ts_ms: int
    code: str
    edge_bps: float


class SeriesStale(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a series has nothing new for too long, or nothing at all: models score without it.

    series    : its name.
    age_hours : of the newest publication known; NaN: there was none.
    """

    series: str
    instrument: int
    ts_ms: int
    age_hours: float


class SeriesRestored(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a series that was stale has new values."""

    series: str
    instrument: int
    ts_ms: int
    age_hours: float


Command = SubmitOrder | CancelOrder
Effect = (
    SubmitOrder
    | CancelOrder
    | DecisionMade
    | SignalRefused
    | TradeClosed
    | ModeChanged
    | BreakerChanged
    | DailyLossReached
    | VirtualTradeOpened
    | SlotChanged
    | SlotChangeRefused
    | ArmsCompared
    | SeriesStale
    | SeriesRestored
)
