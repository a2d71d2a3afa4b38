"""A history run before its first event: its setup, its feed, and its first state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import msgspec

from ares.core.initial_state import new_state
from ares.core.orders import nonce_after, owner_of
from ares.core.series import NEVER_MS
from ares.core.snapshot import snapshot
from ares.core.state import State
from ares.domain.errors import UserError
from ares.domain.events import SeriesPublished
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble
from ares.domain.run import NO_END, ChallengerRules, RunInstrument, RunSetup
from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.domain.utc import utc_text
from ares.domain.venue import SIMULATED, VenueTraits
from ares.kernel.bars import Bars
from ares.kernel.ensemble import FRESH_INTERVALS
from ares.kernel.features.columns import require_same_columns
from ares.kernel.features.observations import NO_HISTORY, SeriesHistory
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Rules
from ares.runtime.engine.bar_panel import BarPanel, panel_of
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.feed_warmup import warm_features, warm_series
from ares.runtime.engine.series import series_event
from ares.store.candles import CandleStore
from ares.store.history import base_bars, filled_bars


@dataclass(frozen=True, slots=True)
class SlotChoice:
    """An instrument of the run with the ensemble in its slot (None: its bars are only read).

    previous : the champion before it, which a rollback restores.
    """

    instrument: Instrument
    ensemble: Ensemble | None
    is_champion: bool
    previous: Ensemble | None = None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run that can start: its setup, its feed, and the state before its first event.

    history : of each external series, what becomes known during the run. The rest is in the state.
    """

    setup: RunSetup
    feed: BarPanel
    state: State
    history: SeriesHistory = NO_HISTORY

    def series_event(self, t: int) -> SeriesPublished | None:
        """Return what becomes known between row ``t - 1`` of the feed and row ``t``."""
        if not any(map(len, self.history)):
            return None
        after_ms = int(self.feed.close_ms[t - 1]) if t else self.setup.warm_ms
        return series_event(self.history, after_ms, int(self.feed.close_ms[t]))

    def quiet_until_ms(self, t: int) -> int:
        """Return when the next observation of a series becomes known, after row ``t``."""
        closed_ms, until_ms = self.feed.close_ms[t], NEVER_MS
        for observations in self.history:
            k = int(observations.known_ms.searchsorted(closed_ms, side="right"))
            if k < len(observations):
                until_ms = min(until_ms, int(observations.known_ms[k]))
        return until_ms

    def warming(self, t: int) -> bool:
        """Return whether row ``t`` of the feed only warms up: it closes before the window."""
        return int(self.feed.close_ms[t]) <= self.setup.from_ms


def plan_run(
    store: CandleStore,
    choices: Sequence[SlotChoice],
    timeframes: Sequence[Timeframe],
    reference: Instrument | None,
    from_ms: int,
    to_ms: int | None,
    cash_quote: float,
    rules: Rules,
    validation_discount: float,
    settings_hash: str,
    user: UserFeatures | None = None,
    challenger_lanes: bool = False,
    challenger_rules: ChallengerRules | None = None,
    series: Sequence[SeriesSpec] = (),
    history: SeriesHistory = NO_HISTORY,
    spec_of: Callable[[Instrument], InstrumentSpec] | None = None,
    traits: VenueTraits = SIMULATED,
) -> RunPlan:
    """Return the plan of a run over stored candles, not yet ``named``.

    to_ms : None: it has no end. Its feed is what comes before ``from_ms`` and warms up.
    user : the user's own features; their columns follow the kernel's.
    challenger_lanes : each instrument gets a second lane, for ensembles published during the run.
    challenger_rules : how ensembles change slots by themselves; None: they do not.
    series  : external series of the run's models.
    history : of each, in lanes as the choices are, all that is known by the window's end.
    spec_of : the grid of an instrument at its venue; None: that of the stored candles.
    traits  : of the venue.

    Raises UserError where there is nothing to run on, or with.
    """
    if to_ms is not None and from_ms >= to_ms:
        raise UserError(f"--from {utc_text(from_ms)} is not before --to {utc_text(to_ms)}")
    keys = [choice.instrument for choice in choices]
    first_ms, end_ms = (_midnight(from_ms - 1), from_ms) if to_ms is None else (from_ms, to_ms)
    bases = [base_bars(store, key, _midnight(first_ms), end_ms)[0] for key in keys]
    warm_ms, bars = _feed_bars(store, keys, bases, timeframes, from_ms, end_ms)
    instruments = _lanes(spec_of or store.spec, choices, bases, challenger_lanes, user)
    setup = RunSetup(
        environment="",
        instruments=instruments,
        timeframes=tuple(timeframes),
        reference=keys.index(reference) if reference in keys else -1,
        from_ms=from_ms,
        to_ms=to_ms or NO_END,
        warm_ms=warm_ms,
        cash_quote=cash_quote,
        rules={name: float(value) for name, value in asdict(rules).items()},
        validation_discount=validation_discount,
        hashes=code_hashes(user) | {"settings": settings_hash},
        user_features=() if user is None else user.names,
        challenger_lanes=challenger_lanes,
        challenger_rules=challenger_rules,
        sentiment=next((spec for spec in series if isinstance(spec, SentimentSpec)), None),
        value_series=tuple(spec for spec in series if isinstance(spec, ValueSpec)),
        traits=traits,
    )
    feed, state = _feed(setup, bars), new_state(setup)
    warm_features(state, store, keys, reference, warm_ms)
    return _warm_plan(state, feed, history)


def _warm_plan(state: State, feed: BarPanel, history: SeriesHistory) -> RunPlan:
    """Return the plan of a state with warm features: series as of the feed's start, its hash."""
    end_ms = int(feed.close_ms[-1])
    rest = tuple(rows.until(end_ms) for rows in warm_series(state, history, state.setup.warm_ms))
    first_state = hashlib.sha256(snapshot(state)).hexdigest()
    state.setup = msgspec.structs.replace(state.setup, first_state=first_state)
    return RunPlan(state.setup, feed, state, rest)


def _lanes(
    spec_of: Callable[[Instrument], InstrumentSpec],
    choices: Sequence[SlotChoice],
    bases: Sequence[Timeframe],
    challenger_lanes: bool,
    user: UserFeatures | None,
) -> tuple[RunInstrument, ...]:
    """Return the run's lanes; the second half, for challengers, is empty.

    Raises UserError where an ensemble was made with other features.
    """
    lanes = []
    for choice, base in zip(choices, bases, strict=True):
        if choice.ensemble is not None:
            subject = f"the ensemble of {choice.instrument.key}"
            require_same_columns(subject, (), choice.ensemble.features_hash, user)
        spec = spec_of(choice.instrument)
        lanes.append(
            RunInstrument(spec, base.ms, choice.ensemble, choice.is_champion, choice.previous)
        )
    if not challenger_lanes:
        return tuple(lanes)
    empty = [RunInstrument(lane.spec, lane.base_ms, None, is_champion=False) for lane in lanes]
    return (*lanes, *empty)


def _feed_bars(
    store: CandleStore,
    keys: Sequence[Instrument],
    bases: Sequence[Timeframe],
    timeframes: Sequence[Timeframe],
    from_ms: int,
    to_ms: int,
) -> tuple[int, list[Bars]]:
    """Return where the feed begins, and each instrument's base bars from there on.

    It begins so long before the window that every timeframe has a score in its first instant, as
    in a backtest; later (at a midnight, at the latest the window's own) where base bars are
    missing, because features start anew after a gap.
    """
    lead_ms = FRESH_INTERVALS * max(timeframe.ms for timeframe in timeframes)
    warm_ms = _midnight(from_ms - lead_ms)
    while True:
        bars = [
            filled_bars(store, key, base.value, warm_ms, to_ms - base.ms + 1)
            for key, base in zip(keys, bases, strict=True)
        ]
        late = any(len(part) and warm_ms < part.ts_ms[0] <= from_ms for part in bars)
        if not late or warm_ms >= _midnight(from_ms):
            return warm_ms, bars
        warm_ms += DAY_MS


def _feed(setup: RunSetup, bars: Sequence[Bars]) -> BarPanel:
    """Return the feed of a run's lanes; raise UserError where its window has no candles."""
    lanes = setup.instruments[: setup.n_instruments]
    feed = panel_of(bars, [lane.base_ms for lane in lanes], [lane.spec for lane in lanes])
    if setup.to_ms != NO_END and not (feed.close_ms > setup.from_ms).any():
        window = f"{utc_text(setup.from_ms)} and {utc_text(setup.to_ms)}"
        raise UserError(f"no candles between {window}")
    return feed.for_lanes(setup)


def _midnight(ts_ms: int) -> int:
    return ts_ms // DAY_MS * DAY_MS


def named(plan: RunPlan, environment: str, workspace: str = "", nonce: str = "") -> RunPlan:
    """Return the plan as a run of ``environment``; the name changes nothing but order ids.

    workspace, nonce : part of the order ids where other engines may use the same venue. In history
                the same run has the same ids.
    """
    setup = msgspec.structs.replace(
        plan.setup,
        environment=environment,
        owner=owner_of(workspace, environment),
        nonce=nonce or nonce_after(plan.setup.first_state, 0),
    )
    plan.state.setup = setup
    return RunPlan(setup, plan.feed, plan.state, plan.history)


def same_run(first: RunSetup, second: RunSetup) -> bool:
    """Return whether two setups describe the same run: all but the environment's name."""

    def unnamed(setup: RunSetup) -> RunSetup:
        return msgspec.structs.replace(setup, environment="", owner="", nonce="")

    return unnamed(first) == unnamed(second)


def default_window(store: CandleStore, keys: Sequence[Instrument], days: int) -> tuple[int, int]:
    """Return the last ``days`` that all instruments have candles for, from a UTC midnight on."""
    ends = [
        max(s.last_ms + Timeframe(s.interval).ms for s in store.series() if s.instrument == key)
        for key in keys
    ]
    to_ms = min(ends)
    return (to_ms - days * DAY_MS) // DAY_MS * DAY_MS, to_ms
