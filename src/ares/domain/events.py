"""What comes in (Event) and what goes out (Effect): the only words the engine speaks.

Arrays travel as the bytes of little-endian NumPy columns: an event of a thousand instruments
costs no more to encode than one of four.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ares.domain.model import Ensemble
from ares.domain.run import RunSetup

Station = Literal["empty", "shadow", "canary", "champion", "former", "withdrawn"]
"""Where the ensemble of a lane stands. ``former``: a champion whose place another has taken;
``withdrawn``: one whose evidence turned. Only a champion and a canary trade with money.
"""

Move = Literal["published", "canary", "promoted", "rolled_back", "withdrawn", "dismissed"]
"""What happened to an ensemble while the engine ran."""

Trigger = Literal["loss_immediate", "drift", "performance", "schedule", "manual"]


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


class ModelPublished(msgspec.Struct, frozen=True, tag=True):
    """An ensemble may be served: its files were loaded, verified, warmed and tried before.

    instrument   : row of the instrument (below ``RunSetup.width``).
    station      : shadow: it challenges the champion; champion: it takes its place at once.
    refit        : the champion's own recipe on newer data.
    verdict_hash : of the verdict that let it pass; empty: none has, and it stays in the shadow.
    """

    ts_ms: int
    instrument: int
    ensemble: Ensemble
    station: Literal["shadow", "champion"]
    refit: bool
    verdict_hash: str
    who: str
    why: str


class ModelRefused(msgspec.Struct, frozen=True, tag=True):
    """A published ensemble could not be served; the slots are as they were."""

    ts_ms: int
    instrument: int
    ensemble_hash: str
    reason: str


class SlotOrdered(msgspec.Struct, frozen=True, tag=True):
    """A person moves an instrument's ensembles: the challenger on, or the champion back."""

    ts_ms: int
    instrument: int
    order: Literal["promote", "rollback", "dismiss"]
    who: str
    why: str


class DriftMeasured(msgspec.Struct, frozen=True, tag=True):
    """The learner compared what came lately with what the champion was trained on.

    score : PSI / (PSI + 0.1) of the features, by their importance.   feature : the one that
    moved most.   error_before, error_after : mean error of the model around the change that ADWIN
    found; equal where it found none.
    """

    ts_ms: int
    instrument: int
    score: float
    feature: str
    error_before: float
    error_after: float
    changed: bool


class RetrainingStarted(msgspec.Struct, frozen=True, tag=True):
    """The learner began to train for an instrument; ``reason`` says what triggered it."""

    ts_ms: int
    instrument: int
    trigger: Trigger
    reason: str


class RetrainingEnded(msgspec.Struct, frozen=True, tag=True):
    """A retraining came to its end, ``outcome`` says to which.

    triggered_ms : when it began.    duration_ms : of virtual time in a history run.
    rows         : labelled bars that it learned from, over all members.
    epochs       : of its members' fits, the most.
    confidence   : mode confidence that its own validation gives it, before any discount.
    failed       : lines of the verdict that said no.
    """

    ts_ms: int
    instrument: int
    trigger: Trigger
    triggered_ms: int
    duration_ms: int
    rows: int
    confidence: float
    ensemble_hash: str
    verdict_hash: str
    passed: bool
    failed: tuple[str, ...]
    outcome: Literal["published", "refused", "unchanged", "failed"]
    note: str = ""
    epochs: int = 0


class AlertRaised(msgspec.Struct, frozen=True, tag=True):
    """A watcher wants a person to look: ``value`` has passed ``limit``."""

    ts_ms: int
    instrument: int
    code: str
    value: float
    limit: float
    message: str


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


class ModeChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact: an instrument went from LEARNING to TRADING or back."""

    instrument: int
    ts_ms: int
    before: str
    after: str
    mode_confidence: float


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


class SlotChanged(msgspec.Struct, frozen=True, tag=True):
    """Fact: an instrument's ensembles moved; its lanes as they are now.

    subject  : hash of the ensemble that moved.
    lanes    : hashes of those who sit in the instrument's lanes; empty: nobody.
    stations : where they stand.
    previous : hash of the champion that a rollback would bring back; empty: none.
    """

    instrument: int
    ts_ms: int
    move: Move
    subject: str
    lanes: tuple[str, ...]
    stations: tuple[Station, ...]
    previous: str
    who: str
    why: str


class SlotRefused(msgspec.Struct, frozen=True, tag=True):
    """Fact: an ensemble or an order for a slot was refused; nothing was changed."""

    instrument: int
    ts_ms: int
    ensemble_hash: str
    reason: str


class ArmsCompared(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fact, once a day and when slots move: how champion and challenger compare since both ran.

    champion_bps, challenger_bps : net result of a unit of notional since ``since_ms``, open
                   trades at their present value, real and virtual alike.
    e_better, e_worse : anytime-valid evidence that the challenger is better, or worse.
    """

    instrument: int
    ts_ms: int
    since_ms: int
    champion_bps: float
    challenger_bps: float
    steps: int
    e_better: float
    e_worse: float


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
