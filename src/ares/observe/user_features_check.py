"""Loads the features of a user's module, and tests them for look-ahead leakage on stored bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from ares.adapters.user_module import load_user_features
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features.user import WARMUP_BARS_MAX, UserFeatures
from ares.learn.leakage import check_user_features
from ares.store.candles import CandleStore
from ares.store.history import history

BARS_TESTED = 2 * WARMUP_BARS_MAX + 128
"""Enough for the longest window to be full in more than half of the test."""


def load_features(module: str | None, folder: Path) -> UserFeatures | None:
    """Return the features of a module; None for None.

    folder : of the workspace; a relative path of the module is relative to it.
    """
    return None if module is None else load_user_features(module, folder)


def require_no_leak(
    user: UserFeatures | None,
    store: CandleStore,
    instruments: Sequence[Instrument],
    timeframes: Iterable[Timeframe],
    to_ms: int | None = None,
) -> None:
    """Raise UserError where a feature leaks, or fails, on the newest bars closed by ``to_ms``.

    Tested on one series: the finest timeframe of the first instrument with enough bars of it.
    """
    if user is None:
        return
    longest, interval_ms = Bars.empty(), 1
    for timeframe, instrument in product(sorted(timeframes, key=lambda t: t.ms), instruments):
        bars = _newest(store, instrument, timeframe, to_ms)
        if len(bars) > len(longest):
            longest, interval_ms = bars, timeframe.ms
        if len(longest) == BARS_TESTED:
            break
    if len(longest) > 1:
        check_user_features(user, longest, interval_ms)


def _newest(
    store: CandleStore, instrument: Instrument, timeframe: Timeframe, to_ms: int | None
) -> Bars:
    """Return the newest stored bars, at most BARS_TESTED; none where there are none."""
    ends = [
        last_ms + Timeframe(interval).ms
        for interval in store.intervals(instrument)
        if (last_ms := store.last_ms(instrument, interval)) is not None
    ]
    end_ms = min([max(ends, default=0), *([] if to_ms is None else [to_ms])])
    try:
        from_ms = (end_ms // timeframe.ms - BARS_TESTED) * timeframe.ms
        return history(store, instrument, timeframe, from_ms, end_ms).bars
    except UserError:
        return Bars.empty()
