"""What a run is made of: written into its journal first, so that the run can be made again."""

from __future__ import annotations

import msgspec

from ares.domain.instrument import InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.timeframe import Timeframe


class RunInstrument(msgspec.Struct, frozen=True):
    """One instrument of a run.

    base_ms     : length of the bars that the engine is fed with.
    ensemble    : the ensemble in its slot; None: no signals.
    is_champion : True: its signals may trade; False: it is a challenger, virtual trades only.
    """

    spec: InstrumentSpec
    base_ms: int
    ensemble: Ensemble | None
    is_champion: bool


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
