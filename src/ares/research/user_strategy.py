"""A strategy of the user's own as a rule: long while its score is above 0, flat otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64
from ares.kernel.features import WARMUP_BARS, features_of
from ares.kernel.features.columns import with_user
from ares.kernel.features.user import WARMUP_BARS_MAX, UserFeatures
from ares.research.market import Candles
from ares.research.signals import HistoryOf
from ares.research.strategy import Strategy, long_flat


def strategy_rule(
    candles: Sequence[Candles],
    columns: UserFeatures,
    name: str,
    history_of: HistoryOf,
    reference: str | None,
    timeframe: Timeframe | None = None,
) -> Strategy:
    """Return the strategy that is long from a close with a score above 0 to one without.

    columns   : of the strategy alone.   history_of : bars before the window, which warm it up.
    reference : key of the instrument of the cross features; None: they are neutral.
    timeframe : of the bars that it is called with; None: that of the candles.

    Raises UserError where it fails, or returns no finite number.
    """
    levels = [_levels(each, columns, history_of, reference, timeframe) for each in candles]
    return long_flat(candles, levels, name)


def _levels(
    candles: Candles,
    columns: UserFeatures,
    history_of: HistoryOf,
    reference: str | None,
    timeframe: Timeframe | None,
) -> F64:
    """Return (n_bars,) 1 from a close with a score above 0, else 0; NaN where no bar closes."""
    timeframe = timeframe or candles.timeframe
    last_ms = int(candles.close_ms[-1])
    warmup_bars = max(WARMUP_BARS, WARMUP_BARS_MAX) + 1
    from_ms = int(candles.close_ms[0]) - (warmup_bars + 1) * timeframe.ms
    bars = history_of(candles.key, timeframe, from_ms, last_ms)
    lead = None
    if reference is not None:
        same = reference == candles.key
        lead = bars if same else history_of(reference, timeframe, from_ms, last_ms)
    values, warm = with_user(features_of(bars, timeframe, lead), bars, timeframe, columns)
    closed_ms = bars.ts_ms + timeframe.ms
    known = warm & np.isin(closed_ms, candles.close_ms)
    level = np.full(len(candles.bars), np.nan)
    level[np.searchsorted(candles.close_ms, closed_ms[known])] = values[known, -1] > 0.0
    return level
