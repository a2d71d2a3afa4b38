"""The setup of a run: the first record of its journal, so that the run can be reproduced."""

from __future__ import annotations

import msgspec

from ares.domain.instrument import InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec, all_series
from ares.domain.timeframe import Timeframe
from ares.domain.venue import SIMULATED, VenueTraits


class RunInstrument(msgspec.Struct, frozen=True, omit_defaults=True):
    """One lane of a run: an instrument and the ensemble in its slot.

    base_ms     : length of the bars that the feed delivers.
    ensemble    : the ensemble in its slot; None: no signals.
    is_champion : True: its signals may trade; False: it is a challenger, virtual trades only.
    previous    : the champion before it, which an automatic rollback restores.
    """

    spec: InstrumentSpec
    base_ms: int
    ensemble: Ensemble | None
    is_champion: bool
    previous: Ensemble | None = None


class ChallengerRules(msgspec.Struct, frozen=True):
    """When a challenger advances to champion, and when an ensemble is withdrawn.

    shadow_ms    : how long a challenger makes virtual trades before it becomes a canary.
    canary_ms    : how long a canary trades next to the champion before it becomes champion.
    canary_share : share of a trade's size that a canary gets; the champion has the rest.
    confidence_min : an ensemble whose mode confidence is below this is withdrawn.
    false_alarm_trades : mean number of trades, at a mean net return of zero, until the test for a
                   lost edge raises a false alarm.
    alpha_worse  : probability of ever declaring an equally good canary worse.
    """

    shadow_ms: int
    canary_ms: int
    canary_share: float
    confidence_min: float
    false_alarm_trades: float
    alpha_worse: float


NO_END = 0
"""``RunSetup.to_ms`` of a run that goes on until it is stopped."""


class RunSetup(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that a run depends on, except its events.

    environment : ``history/<run>``, or ``paper``.
    from_ms, to_ms : window of closing instants; to_ms may be NO_END.
    warm_ms     : when the feed begins, without trading: a UTC midnight at or before ``from_ms``.
    reference   : index of the instrument that cross-instrument features use; -1: none.
    rules       : the kernel's rules by name, as in ``kernel.trade.Rules``.
    hashes      : of kernel code, engine code, features, settings and, where it is used, the
                  module with the user's features.
    first_state : SHA-256 of the snapshot to which the first event is applied.
    user_features : names of the user's own features, in the order of their columns.
    challenger_lanes : True: the second half of ``instruments`` repeats the first. Lane
                  ``n_instruments + i`` is for the ensemble that challenges the champion of lane
                  ``i``.
    challenger_rules : when a challenger advances, and when an ensemble is withdrawn; None: slots
                  change only when a person requests it.
    sentiment, value_series : external series, the last columns, see ``series``.
    owner       : 8 hex digits of workspace and environment, the beginning of every client id.
    nonce       : makes the client ids of the first epoch unique, see ``EngineStarted``.
    traits      : of the venue.
    adopts_existing : coins that the account holds at its first sight become positions.
    entry_rest_ms : an entry rests post-only at its deciding close for so long, in wall time; 0: it
                  takes at once.
    """

    environment: str
    instruments: tuple[RunInstrument, ...]
    timeframes: tuple[Timeframe, ...]
    reference: int
    from_ms: int
    to_ms: int
    warm_ms: int
    cash_quote: float
    rules: dict[str, float]
    validation_discount: float
    hashes: dict[str, str]
    first_state: str = ""
    user_features: tuple[str, ...] = ()
    challenger_lanes: bool = False
    challenger_rules: ChallengerRules | None = None
    sentiment: SentimentSpec | None = None
    value_series: tuple[ValueSpec, ...] = ()
    owner: str = ""
    nonce: str = ""
    traits: VenueTraits = SIMULATED
    adopts_existing: bool = False
    entry_rest_ms: int = 0

    @property
    def series(self) -> tuple[SeriesSpec, ...]:
        """Return the external series in the order of their columns."""
        return all_series(self.sentiment, self.value_series)

    @property
    def keys(self) -> list[str]:
        """Return the keys of the instruments, one for each."""
        return [lane.spec.instrument.key for lane in self.instruments[: self.n_instruments]]

    @property
    def n_instruments(self) -> int:
        """Return the number of instruments. An event has one bar for each; its lanes share it."""
        return len(self.instruments) // (2 if self.challenger_lanes else 1)
