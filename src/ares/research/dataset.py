"""Features and labels of candles as tables, for training a model of one's own."""

from __future__ import annotations

import numpy as np
import polars as pl

from ares.domain.errors import UserError
from ares.kernel.features import FEATURE_NAMES, VOLATILITY_20, features_of
from ares.learn.labels import barrier_width, label_decisions
from ares.learn.recipe import default_label
from ares.research.market import Candles

CLOSE = "close_time"


def features_table(candles: Candles, reference: Candles | None = None) -> pl.DataFrame:
    """Return a row for each bar: ``close_time`` (UTC), the kernel's features as float32 in the
    order of ``FEATURE_NAMES``, and ``warm``: all of them are past their warm-up.

    reference : of the cross-instrument features; None: the candles themselves, as for the
                reference instrument.

    Raises UserError where the reference's bars are of another length.
    """
    if reference is not None and reference.timeframe is not candles.timeframe:
        raise UserError(
            f"{reference.key} has {reference.timeframe.value} candles, {candles.key} "
            f"{candles.timeframe.value}: load both with one interval"
        )
    lead = (reference or candles).bars
    table = features_of(candles.bars, candles.timeframe, lead)
    columns = {name: table.values[:, number] for number, name in enumerate(FEATURE_NAMES)}
    return pl.DataFrame({CLOSE: _utc(candles.close_ms), **columns, "warm": table.warm})


def labels_table(
    candles: Candles, *, cost_bps: float = 22.0, horizon: float = 1.0, width: float = 1.0
) -> pl.DataFrame:
    """Return a row for each bar whose trade has ended: the trade that Ares' labels describe.

    The columns: ``close_time`` of the deciding bar, ``end_time`` at which the outcome was known,
    ``net`` return after costs and barrier ``width`` as fractions, ``won``.

    cost_bps : of a round trip.    horizon, width : as ``learning.horizon`` and ``learning.width``.

    A row may be learned from only by a model that is made after its ``end_time``.
    """
    label = default_label(candles.timeframe, cost_bps, "triple_barrier", horizon, width)
    bars, interval_ms = candles.bars, candles.timeframe.ms
    volatility = features_of(bars, candles.timeframe, None).values[:, VOLATILITY_20]
    widths = barrier_width(volatility, label.horizon_bars, label.width_sigmas, label.width_min_bps)
    found = label_decisions(
        candles.close_ms, widths, bars, interval_ms, label, label.horizon_bars * interval_ms
    )
    known = found.known & np.isfinite(widths)
    return pl.DataFrame(
        {
            CLOSE: _utc(candles.close_ms[known]),
            "end_time": _utc(found.ends_ms[known]),
            "net": found.net[known],
            "width": found.barrier_width[known],
            "won": found.net[known] > 0.0,
        }
    )


def _utc(ms: np.ndarray) -> pl.Series:
    return pl.Series(ms.astype("datetime64[ms]")).dt.replace_time_zone("UTC")
