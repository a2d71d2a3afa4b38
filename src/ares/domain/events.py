"""Events, which the engine takes in, and effects, which it returns: commands and facts.

Arrays travel as the bytes of little-endian NumPy columns: an event of a thousand instruments
costs no more to encode than one of four.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ares.domain.feed_events import (
    BarCorrected,
    ClockSet,
    FeedChanged,
    InstrumentChanged,
    PriceSeen,
)
from ares.domain.holding_events import DifferenceFound, DifferenceSettled, HoldingTaken, ResidueLeft
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
    TrainingRequested,
)
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    CancelRefused,
    ClockSkewMeasured,
    CommandDone,
    CommandGiven,
    CommandRefused,
    EventRefused,
    ExecutionBooked,
    GasPaid,
    HaltChanged,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    OrderUnknown,
    QueryOrder,
    StopMissing,
    Stopping,
    StopTriggered,
    SubmitOrder,
    TimeReached,
    VenueDown,
    VenueUp,
)
from ares.domain.run import RunSetup


class RunStarted(msgspec.Struct, frozen=True, tag=True):
    """The first event of every journal."""

    setup: RunSetup


class EngineStarted(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The engine took up a run again. Every start opens an epoch.

    hashes : of the code, settings and the user's features in this epoch.
    after_seq : of the last event before it.
    restarted : statistics that began anew, after a crash of another version of the code.
    nonce  : makes the client ids of this epoch unique, see ``core.orders.client_id``. Another one
             at every start: a journal restored from a backup must not issue an id again.
    clock_ms : what the machine's clock said, where it was not believed: the engine's time goes on
             from the journal. 0: it was believed.
    """

    hashes: dict[str, str]
    after_seq: int
    nonce: str
    restarted: tuple[str, ...] = ()
    clock_ms: int = 0


BarsKind = Literal["closing", "warm", "catch_up", "late"]


class BarsClosed(msgspec.Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """All base bars that closed at one instant.

    ts_ms   : the closing instant.
    ohlcv   : (n_instruments, 5) float64 open, high, low, close, volume.
    present : (n_instruments,) bool; False where an instrument has no bar.
    flat    : (n_instruments,) bool; True where the bar fills a gap.
    kind    : what the engine does with it.
              closing : features, account, breakers, decisions.
              warm    : before the run's window: features and volatility only.
              catch_up: the engine did not run, or the feed was lost, when it closed: as closing,
                        but no position is opened, and an exit is sent at the end only.
              late    : of instruments that missed an instant which has passed: features and
                        volatility only.
    catch_up_ends : the last one of a catch-up.
    """

    ts_ms: int
    ohlcv: bytes
    present: bytes
    flat: bytes
    kind: BarsKind = "closing"
    catch_up_ends: bool = False

    @property
    def decides(self) -> bool:
        """Return whether the account is valued and models are followed."""
        return self.kind in {"closing", "catch_up"}


class SeriesPublished(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Observations of external series that have become known, before the bars that may use them.

    ts_ms : an instant by which all of them are known: of the bars that follow, or when they came.
    rows  : (n_rows,) of ``kernel.features.series.OBSERVATION``.
    """

    ts_ms: int
    rows: bytes


Event = (
    RunStarted
    | EngineStarted
    | BarsClosed
    | SeriesPublished
    | FeedChanged
    | BarCorrected
    | ClockSet
    | PriceSeen
    | InstrumentChanged
    | OrderAccepted
    | OrderFilled
    | OrderEnded
    | OrderUnknown
    | OrderAbsent
    | StopTriggered
    | CancelRefused
    | OrderAmended
    | AmendRefused
    | VenueDown
    | VenueUp
    | AccountSeen
    | ClockSkewMeasured
    | GasPaid
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
BY_THRESHOLD = "a person changed the threshold"


class ModeChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: an instrument went from LEARNING to TRADING or back.

    reason : BY_CONFIDENCE, BY_THRESHOLD, or the slot change that replaced or removed its champion.
    """

    instrument: int
    ts_ms: int
    before: str
    after: str
    mode_confidence: float
    reason: str = BY_CONFIDENCE


class BreakerChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: a breaker opened, went half-open or closed; ``instrument`` -1 is the account.

    value, limit : where it opened by itself, what was compared.
    evidence : numbers that the value was computed from, by name.
    cause    : where a person did it: the command, who and why.
    """

    instrument: int
    ts_ms: int
    breaker: str
    before: str
    after: str
    value: float
    limit: float = 0.0
    evidence: dict[str, float] = {}
    cause: str = ""


class ConfigChanged(msgspec.Struct, frozen=True, tag=True):
    """Fact: a person changed a live setting of the running engine.

    key, value : the setting, as in ``ares.yaml``.
    version    : of the engine's settings after it: how many were changed since the run began.
    rules      : the kernel's rules that changed with it, by name.
    """

    ts_ms: int
    key: str
    value: str
    version: int
    who: str
    rules: dict[str, float]


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


Command = SubmitOrder | CancelOrder | AmendOrder | QueryOrder | AskAccount
"""Effects that are sent to the venue."""

Effect = (
    SubmitOrder
    | CancelOrder
    | AmendOrder
    | QueryOrder
    | AskAccount
    | OrderMoved
    | ExecutionBooked
    | StopMissing
    | DifferenceFound
    | DifferenceSettled
    | HoldingTaken
    | ResidueLeft
    | HaltChanged
    | CommandDone
    | CommandRefused
    | EventRefused
    | DecisionMade
    | SignalRefused
    | TradeClosed
    | ModeChanged
    | BreakerChanged
    | DailyLossReached
    | ConfigChanged
    | TrainingRequested
    | VirtualTradeOpened
    | SlotChanged
    | SlotChangeRefused
    | ArmsCompared
    | SeriesStale
    | SeriesRestored
)
