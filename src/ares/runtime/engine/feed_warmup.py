"""The first state of a run: features, volatility and series as known before the first event."""

from __future__ import annotations

from collections.abc import Sequence

from ares.core.bar_windows import fill
from ares.core.series import on_series
from ares.core.state import State
from ares.domain.errors import UserError
from ares.domain.events import SeriesPublished
from ares.domain.instrument import Instrument
from ares.domain.timeframe import Timeframe
from ares.kernel.bar_aggregation import warm_up
from ares.kernel.bars import Bars
from ares.kernel.features import WARMUP_BARS
from ares.kernel.features.observations import SeriesHistory
from ares.kernel.live import observe_closes
from ares.kernel.trade import to_grid, volatility_start_ms
from ares.runtime.engine.series import series_event
from ares.store.candles import CandleStore
from ares.store.history import filled_bars, history

WARM_BARS = 4 * WARMUP_BARS
"""Bars before the feed from which features are computed: recursive averages have converged."""


def warm_features(
    state: State,
    store: CandleStore,
    instruments: Sequence[Instrument],
    reference: Instrument | None,
    warm_ms: int,
) -> None:
    """Update features and volatility with the candles before ``warm_ms``."""
    for j, timeframe in enumerate(state.setup.timeframes):
        from_ms = warm_ms - WARM_BARS * timeframe.ms
        lead = None
        if reference is not None:
            lead = _bars_before(store, reference, timeframe, from_ms, warm_ms)
        for i, instrument in enumerate(instruments):
            if timeframe.ms < state.intervals.base_ms[i]:
                continue
            bars = _bars_before(store, instrument, timeframe, from_ms, warm_ms)
            k = i * len(state.setup.timeframes) + j
            warm_up(state.bar_series, k, bars, lead)
            if state.bar_windows is not None:
                fill(state.bar_windows, k, bars)
    for i, instrument in enumerate(instruments):
        interval = _interval(int(state.intervals.base_ms[i]))
        from_ms = volatility_start_ms(state.setup.from_ms)
        bars = filled_bars(store, instrument, interval, from_ms, warm_ms)
        decimals = state.setup.instruments[i].spec.price_decimals
        observe_closes(i, to_grid(bars.close, decimals), state.trade, state.params)
    if state.setup.challenger_lanes:
        _copy_to_challenger_lanes(state)


def warm_series(state: State, history: SeriesHistory, warm_ms: int) -> SeriesHistory:
    """Apply the observations known by ``warm_ms``; return the later ones."""
    on_series(state, series_event(history, -1, warm_ms) or SeriesPublished(warm_ms, b""))
    return tuple(rows[rows.known_ms > warm_ms] for rows in history)


def _copy_to_challenger_lanes(state: State) -> None:
    """Give the second lane of every instrument the features and volatility of the first."""
    arrays = [state.bar_series.aggregates, state.bar_series.features]
    arrays += [] if state.bar_windows is None else [state.bar_windows]
    for array in arrays:
        half = len(array) // 2
        array[half:] = array[:half]
    n, book = state.setup.n_instruments, state.trade.book
    for column in ("n_bars", "var_fast", "var_slow", "last_close"):
        book[column][n:] = book[column][:n]


def _bars_before(
    store: CandleStore, instrument: Instrument, timeframe: Timeframe, from_ms: int, to_ms: int
) -> Bars:
    """Return the bars before ``to_ms`` that are contiguous with it; none where there is a gap."""
    try:
        return history(store, instrument, timeframe, from_ms, to_ms).bars
    except UserError:
        return Bars.empty()


def _interval(ms: int) -> str:
    return next(t.value for t in Timeframe if t.ms == ms)
