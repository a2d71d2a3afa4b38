"""What a run is made of: written into its journal first, so that the run can be made again."""

from __future__ import annotations

import msgspec

from ares.domain.instrument import InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.sentiment import SentimentSpec
from ares.domain.timeframe import Timeframe


class RunInstrument(msgspec.Struct, frozen=True, omit_defaults=True):
    """One lane of a run: an instrument with the slot of an ensemble.

    base_ms     : length of the bars that the engine is fed with.
    ensemble    : the ensemble in its slot; None: no signals.
    is_champion : True: its signals may trade; False: it is a challenger, virtual trades only.
    previous    : the champion before it, to which the engine may go back by itself.
    """

    spec: InstrumentSpec
    base_ms: int
    ensemble: Ensemble | None
    is_champion: bool
    previous: Ensemble | None = None


class ChallengerRules(msgspec.Struct, frozen=True):
    """How an ensemble comes to money, and leaves it again, while the engine runs.

    shadow_ms    : a challenger makes virtual trades for so long before it is a canary.
    canary_ms    : a canary trades beside the champion for so long before it is champion.
    canary_share : share of a trade's size that a canary gets; the champion has the rest.
    confidence_min : below this mode confidence the evidence has turned.
    false_alarm_trades : trades of a champion that earns nothing, on average, until the test for a
                   turned edge alarms by chance.
    alpha_worse  : chance allowed of ever calling a canary that is as good worse.
    """

    shadow_ms: int
    canary_ms: int
    canary_share: float
    confidence_min: float
    false_alarm_trades: float
    alpha_worse: float


class RunSetup(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything outside the events that a run depends on.

    environment : ``history/<run>``.
    from_ms, to_ms : window of closing instants; ``warm_ms`` is when feeding (without trading)
                  begins, the UTC midnight at or before ``from_ms``.
    reference   : index of the instrument that cross-instrument features look at; -1: none.
    rules       : the kernel's rules by name, as in ``kernel.trade.Rules``.
    hashes      : of kernel sources, engine sources, features and settings; where there are any,
                  of the module with the user's features.
    first_state : SHA-256 of the snapshot that the first event is stepped on.
    user_features : names of the user's own features, in the order of their columns.
    challengers : True: the second half of ``instruments`` repeats the first, lane for lane: row
                  ``width + i`` is for the ensemble that challenges the champion of row ``i``.
    rollout     : None: slots are as they began until somebody says otherwise.
    sentiment   : how the columns of sentiment behind all others are made; None: there are none.
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
    challengers: bool = False
    rollout: ChallengerRules | None = None
    sentiment: SentimentSpec | None = None

    @property
    def width(self) -> int:
        """Return the number of instruments: an event has a bar for each, lanes share it."""
        return len(self.instruments) // (2 if self.challengers else 1)
