"""A history run before its first event: what it is made of, its feed, and its warm first state."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec

import ares
from ares.core.series import on_series
from ares.core.state import State, new_state, snapshot
from ares.core.windows import fill
from ares.domain.code_hash import folders_hash
from ares.domain.errors import UserError
from ares.domain.events import SeriesPublished
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.run import ChallengerRules, RunInstrument, RunSetup
from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.kernel.bar_aggregation import warm_up
from ares.kernel.bars import Bars
from ares.kernel.ensemble import FRESH_INTERVALS
from ares.kernel.features import FEATURES_HASH, WARMUP_BARS
from ares.kernel.features.columns import require_same_columns
from ares.kernel.features.observations import NO_HISTORY, SeriesHistory
from ares.kernel.features.user import UserFeatures
from ares.kernel.jit import kernel_hash
from ares.kernel.live import observe_closes
from ares.kernel.trade import Rules, to_grid, volatility_start_ms
from ares.runtime.engine.feed import Feed, feed_of
from ares.runtime.engine.series import series_event
from ares.store.candles import CandleStore
from ares.store.history import base_bars, filled_bars, history

WARM_BARS = 4 * WARMUP_BARS
"""Bars of history that features start from: recursive averages have long forgotten their start."""


USER_HASH = "user_features"
"""Among a run's hashes: of the module with the user's features."""


@dataclass(frozen=True, slots=True)
class SlotChoice:
    """An instrument of the run with the ensemble in its slot (None: it is only watched).

    previous : the champion before it, to which the engine may go back.
    """

    instrument: Instrument
    ensemble: Ensemble | None
    is_champion: bool
    previous: Ensemble | None = None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run that can start: its setup, its feed, and the state that its first event meets.

    history : of each external series, what becomes known while it runs; the state holds the rest.
    """

    setup: RunSetup
    feed: Feed
    state: State
    history: SeriesHistory = NO_HISTORY

    def series_event(self, t: int) -> SeriesPublished | None:
        """Return what becomes known between row ``t - 1`` of the feed and row ``t``."""
        if not any(map(len, self.history)):
            return None
        after_ms = int(self.feed.close_ms[t - 1]) if t else self.setup.warm_ms
        return series_event(self.history, after_ms, int(self.feed.close_ms[t]))

    def warming(self, t: int) -> bool:
        """Return whether row ``t`` of the feed only warms: it closes at or before the window."""
        return int(self.feed.close_ms[t]) <= self.setup.from_ms


def plan_run(
    store: CandleStore,
    choices: Sequence[SlotChoice],
    timeframes: Sequence[Timeframe],
    reference: Instrument | None,
    from_ms: int,
    to_ms: int,
    cash_quote: float,
    rules: Rules,
    validation_discount: float,
    settings_hash: str,
    user: UserFeatures | None = None,
    challenger_lanes: bool = False,
    challenger_rules: ChallengerRules | None = None,
    series: Sequence[SeriesSpec] = (),
    history: SeriesHistory = NO_HISTORY,
) -> RunPlan:
    """Return the plan of a run over stored candles, not yet ``named``.

    user : the user's own features, behind the kernel's.
    challenger_lanes : each instrument gets a second lane, for what is published while it runs.
    rollout     : how ensembles move by themselves; None: they do not.
    series      : external series of the run's models.
    history     : of each, in lanes as the choices are, all that is known by the window's end.

    Raises UserError where there is nothing to run on, or with.
    """
    if from_ms >= to_ms:
        raise UserError(f"--from {utc_minute(from_ms)} is not before --to {utc_minute(to_ms)}")
    bases = [base_bars(store, one.instrument, _midnight(from_ms), to_ms)[0] for one in choices]
    warm_ms, bars = _feed_bars(store, choices, bases, timeframes, from_ms, to_ms)
    for choice in choices:
        if choice.ensemble is not None:
            who = f"the ensemble of {choice.instrument.key}"
            require_same_columns(who, (), choice.ensemble.features_hash, user)
    keys = [one.instrument for one in choices]
    instruments = tuple(
        RunInstrument(
            store.spec(one.instrument), base.ms, one.ensemble, one.is_champion, one.previous
        )
        for one, base in zip(choices, bases, strict=True)
    )
    empty = tuple(
        msgspec.structs.replace(one, ensemble=None, is_champion=False, previous=None)
        for one in instruments
    )
    setup = RunSetup(
        environment="",
        instruments=instruments + empty if challenger_lanes else instruments,
        timeframes=tuple(timeframes),
        reference=keys.index(reference) if reference in keys else -1,
        from_ms=from_ms,
        to_ms=to_ms,
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
    )
    specs = [one.spec for one in instruments]
    base_ms = [one.base_ms for one in instruments]
    feed = feed_of(bars, base_ms, specs).lanes(setup)
    if not (feed.close_ms > from_ms).any():
        raise UserError(f"no candles between {utc_minute(from_ms)} and {utc_minute(to_ms)}")
    state = new_state(setup)
    _warm(state, store, keys, reference, warm_ms)
    earlier = series_event(history, -1, warm_ms) or SeriesPublished(warm_ms, b"")
    on_series(state, earlier)
    end_ms = int(feed.close_ms[-1])
    history = tuple(rows[rows.known_ms > warm_ms].until(end_ms) for rows in history)
    first = hashlib.sha256(snapshot(state)).hexdigest()
    state.setup = msgspec.structs.replace(setup, first_state=first)
    return RunPlan(state.setup, feed, state, history)


def _feed_bars(
    store: CandleStore,
    choices: Sequence[SlotChoice],
    bases: Sequence[Timeframe],
    timeframes: Sequence[Timeframe],
    from_ms: int,
    to_ms: int,
) -> tuple[int, list[Bars]]:
    """Return where feeding begins, and each instrument's base bars from there on.

    It begins so long before the window that every timeframe has a score in its first instant, as
    in a backtest; later (at a midnight, at the latest the window's own) where base bars are
    missing, since a gap would let features start afresh.
    """
    lead_ms = FRESH_INTERVALS * max(timeframe.ms for timeframe in timeframes)
    warm_ms = _midnight(from_ms - lead_ms)
    while True:
        bars = [
            filled_bars(store, one.instrument, base.value, warm_ms, to_ms - base.ms + 1)
            for one, base in zip(choices, bases, strict=True)
        ]
        late = any(len(one) and warm_ms < one.ts_ms[0] <= from_ms for one in bars)
        if not late or warm_ms >= _midnight(from_ms):
            return warm_ms, bars
        warm_ms += DAY_MS


def _midnight(ts_ms: int) -> int:
    return ts_ms // DAY_MS * DAY_MS


def named(plan: RunPlan, environment: str) -> RunPlan:
    """Return the plan as a run of ``environment``; the name changes nothing but order ids."""
    setup = msgspec.structs.replace(plan.setup, environment=environment)
    plan.state.setup = setup
    return RunPlan(setup, plan.feed, plan.state, plan.history)


def _warm(
    state: State,
    store: CandleStore,
    keys: Sequence[Instrument],
    reference: Instrument | None,
    warm_ms: int,
) -> None:
    """Feed features and volatility with what was known before the first event."""
    for j, timeframe in enumerate(state.setup.timeframes):
        from_ms = warm_ms - WARM_BARS * timeframe.ms
        lead = None if reference is None else _past(store, reference, timeframe, from_ms, warm_ms)
        for i, instrument in enumerate(keys):
            if timeframe.ms < state.intervals.base_ms[i]:
                continue
            bars = _past(store, instrument, timeframe, from_ms, warm_ms)
            k = i * len(state.setup.timeframes) + j
            warm_up(state.bar_series, k, bars, lead)
            if state.windows is not None:
                fill(state.windows, k, bars)
    for i, instrument in enumerate(keys):
        interval = _interval(int(state.intervals.base_ms[i]))
        from_ms = volatility_start_ms(state.setup.from_ms)
        bars = filled_bars(store, instrument, interval, from_ms, warm_ms)
        decimals = state.setup.instruments[i].spec.price_decimals
        observe_closes(i, to_grid(bars.close, decimals), state.trade, state.params)
    if state.setup.challenger_lanes:
        _warm_challengers(state)


def _warm_challengers(state: State) -> None:
    """Give the second lane of every instrument what the first has seen."""
    arrays = [*state.bar_series]
    arrays += [] if state.windows is None else [state.windows]
    for array in arrays:
        half = len(array) // 2
        array[half:] = array[:half]
    n, book = state.setup.n_instruments, state.trade.book
    for seen in ("n_bars", "var_fast", "var_slow", "last_close"):
        book[seen][n:] = book[seen][:n]


def _past(
    store: CandleStore, instrument: Instrument, timeframe: Timeframe, from_ms: int, to_ms: int
) -> Bars:
    """Return the bars before ``to_ms`` in one piece with it; none where a gap lies between."""
    try:
        return history(store, instrument, timeframe, from_ms, to_ms).bars
    except UserError:
        return Bars.empty()


def _interval(ms: int) -> str:
    return next(t.value for t in Timeframe if t.ms == ms)


def code_hashes(user: UserFeatures | None = None) -> dict[str, str]:
    """Return the hashes of the code that a run depends on, the user's own included."""
    hashes = {"kernel": kernel_hash(), "features": FEATURES_HASH, "engine": engine_hash()}
    return hashes if user is None else hashes | {USER_HASH: user.hash}


@cache
def engine_hash() -> str:
    """Return the hash of what the engine's code above the kernel does: domain and core."""
    return folders_hash(Path(ares.__file__).parent, ["core", "domain"])


def same_run(one: RunSetup, other: RunSetup) -> bool:
    """Return whether two setups describe the same run: all but the environment's name."""
    return msgspec.structs.replace(one, environment="") == msgspec.structs.replace(
        other, environment=""
    )


def default_window(store: CandleStore, keys: Sequence[Instrument], days: int) -> tuple[int, int]:
    """Return the last ``days`` that all instruments have candles for, from a UTC midnight on."""
    ends = [
        max(s.last_ms + Timeframe(s.interval).ms for s in store.series() if s.instrument == key)
        for key in keys
    ]
    to_ms = min(ends)
    return (to_ms - days * DAY_MS) // DAY_MS * DAY_MS, to_ms


def utc_minute(ts_ms: int) -> str:
    """Return an instant as a person reads it, ``2023-04-20 00:00``."""
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
