"""The longest history of a timeframe from the stored intervals, and where they disagree."""

from __future__ import annotations

import msgspec
import numpy as np

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.domain.utc import utc_text
from ares.kernel.bars import I64, Bars, Bools
from ares.kernel.resample import GAP_MS_MAX, fill_gaps, resample
from ares.store.candles import CandleStore

PRICE_TOLERANCE = 1e-9
VOLUME_TOLERANCE = 1e-3
"""Relative tolerances. Venues correct a bar's volume later, but not its prices."""


class IntervalDisagreement(msgspec.Struct, frozen=True):
    """Two stored intervals with different bars of one timeframe; the finer one is used.

    compared, different : number of bars in both, and of those that differ.
    first_ms, last_ms   : open times of the first and the last bar that differ.
    column              : the column that differs in the first, with both values.
    """

    instrument: Instrument
    timeframe: Timeframe
    fine: str
    coarse: str
    compared: int
    different: int
    first_ms: int
    last_ms: int
    column: str
    fine_value: float
    coarse_value: float

    def __str__(self) -> str:
        """Return the disagreement in one line."""
        at = utc_text(self.first_ms)
        return (
            f"{self.instrument.key} {self.timeframe}: {self.fine} and {self.coarse} disagree on "
            f"{self.different} of {self.compared} bars, first {at} UTC: {self.column} "
            f"{self.fine_value:.10g} and {self.coarse_value:.10g}; {self.fine} is used"
        )


class History(msgspec.Struct, frozen=True):
    """Bars of one timeframe and their sources.

    bars          : gap-filled (see kernel.resample), complete bars only.
    sources       : the stored intervals they come from, finest first.
    disagreements : one per pair of intervals with different bars.
    """

    bars: Bars
    sources: tuple[str, ...]
    disagreements: tuple[IntervalDisagreement, ...]


def history(
    store: CandleStore,
    instrument: Instrument,
    timeframe: Timeframe,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> History:
    """Return the longest history of ``timeframe``: bars that open at or after ``from_ms`` and have
    closed by ``to_ms`` (no data after ``to_ms`` is used).

    Every stored interval at or below the timeframe contributes bars. Where several have the same
    bar, one without filled parts is preferred, and then that of the finest interval. Raises
    UserError when no stored interval is at or below the timeframe.
    """
    intervals = store.intervals(instrument)
    usable = [i for i in intervals if Timeframe(i).ms <= timeframe.ms]
    if not usable:
        store.spec(instrument)
        held = ", ".join(intervals) or "none"
        raise UserError(
            f"{instrument.key} has no candles for {timeframe} bars "
            f"(stored intervals: {held}): import {timeframe} or shorter"
        )
    parts = [_part(store, instrument, i, timeframe, from_ms, to_ms) for i in usable]
    merged, sources = _merge([bars for bars, _ in parts], [whole for _, whole in parts], usable)
    found = [
        disagreement
        for k, fine in enumerate(usable)
        for j, coarse in enumerate(usable[k + 1 :], k + 1)
        if (
            disagreement := compare(
                instrument, timeframe, (fine, coarse), _whole(parts[k]), _whole(parts[j])
            )
        )
    ]
    return History(fill_gaps(merged, timeframe.ms), sources, tuple(found))


def base_bars(
    store: CandleStore, instrument: Instrument, from_ms: int | None, to_ms: int | None
) -> tuple[Timeframe, Bars]:
    """Return the finest stored interval that covers the window, with its gap-filled bars.

    If none covers all of it, the one that covers most. None as an end of the window is the first
    or last candle of the instrument. A gap longer than two days is not filled, and not covered.
    Raises UserError when no candle is in the window.
    """
    series = [s for s in store.series() if s.instrument == instrument]
    if not series:
        store.spec(instrument)
        raise UserError(f"{instrument.key} has no candles: run `ares data import PATH`")
    start_ms = min(s.first_ms for s in series) if from_ms is None else from_ms
    end_ms = max(s.last_ms + Timeframe(s.interval).ms for s in series) if to_ms is None else to_ms
    best: tuple[int, Timeframe, Bars] | None = None
    for stored in series:
        timeframe = Timeframe(stored.interval)
        bars = filled_bars(store, instrument, stored.interval, start_ms, end_ms)
        covered_ms = len(bars) * timeframe.ms
        window_ms = (
            end_ms // timeframe.ms * timeframe.ms - -(-start_ms // timeframe.ms) * timeframe.ms
        )
        if covered_ms and covered_ms >= window_ms:
            return timeframe, bars
        if covered_ms and (best is None or covered_ms > best[0]):
            best = (covered_ms, timeframe, bars)
    if best is None:
        spans = "; ".join(f"{s.interval} {_day(s.first_ms)} to {_day(s.last_ms)}" for s in series)
        raise UserError(
            f"{instrument.key} has no candles between {_day(start_ms)} and {_day(end_ms)} "
            f"(stored: {spans}): choose another window"
        )
    return best[1], best[2]


def compare(
    instrument: Instrument,
    timeframe: Timeframe,
    intervals: tuple[str, str],
    fine: Bars,
    coarse: Bars,
) -> IntervalDisagreement | None:
    """Return how the bars of ``timeframe`` from two intervals differ; None when they agree.

    fine, coarse : bars of the timeframe, without filled parts.
    """
    fine = fine[np.isin(fine.ts_ms, coarse.ts_ms, assume_unique=True)]
    coarse = coarse[np.isin(coarse.ts_ms, fine.ts_ms, assume_unique=True)]
    differs = np.zeros(len(fine), np.bool_)
    first: tuple[int, str] | None = None
    for name in ("open", "high", "low", "close", "volume"):
        tolerance = VOLUME_TOLERANCE if name == "volume" else PRICE_TOLERANCE
        a, b = getattr(fine, name), getattr(coarse, name)
        off = np.abs(a - b) > tolerance * np.abs(b)
        if off.any() and (first is None or int(np.argmax(off)) < first[0]):
            first = (int(np.argmax(off)), name)
        differs |= off
    if first is None:
        return None
    k, name = first
    return IntervalDisagreement(
        *(instrument, timeframe, *intervals, len(fine), int(differs.sum())),
        *(int(fine.ts_ms[k]), int(fine.ts_ms[differs][-1]), name),
        *(float(getattr(fine, name)[k]), float(getattr(coarse, name)[k])),
    )


def filled_bars(
    store: CandleStore,
    instrument: Instrument,
    interval: str,
    from_ms: int | None,
    to_ms: int | None,
) -> Bars:
    """Return gap-filled bars that open in a window, including gaps across its edges."""
    margin_ms = GAP_MS_MAX + Timeframe(interval).ms
    bars = store.load(
        instrument,
        interval,
        None if from_ms is None else from_ms - margin_ms,
        None if to_ms is None else to_ms + margin_ms,
    )
    return fill_gaps(bars, Timeframe(interval).ms).between(from_ms, to_ms)


def _part(
    store: CandleStore,
    instrument: Instrument,
    interval: str,
    timeframe: Timeframe,
    from_ms: int | None,
    to_ms: int | None,
) -> tuple[Bars, Bools]:
    """Return the bars from one interval, and which of them have no filled part."""
    stored = Timeframe(interval)
    first_ms = None if from_ms is None else _ceil(from_ms, timeframe)
    last_ms = None if to_ms is None else _floor(to_ms, timeframe)
    filled = filled_bars(store, instrument, interval, first_ms, last_ms)
    bars = resample(filled, stored.ms, timeframe.ms)
    real_before = np.concatenate([[0], np.cumsum(~filled.flat)])
    start = np.searchsorted(filled.ts_ms, bars.ts_ms)
    parts = timeframe.ms // stored.ms
    return bars, real_before[start + parts] - real_before[start] == parts


def _whole(part: tuple[Bars, Bools]) -> Bars:
    bars, whole = part
    return bars[whole]


def _merge(
    parts: list[Bars], whole: list[Bools], intervals: list[str]
) -> tuple[Bars, tuple[str, ...]]:
    """Return one bar per time: the first in order of (whole, finest)."""
    every = Bars.concat(parts)
    partial = ~np.concatenate(whole)
    source = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.lexsort((source, partial, every.flat, every.ts_ms))
    first = np.ones(len(order), np.bool_)
    first[1:] = np.diff(every.ts_ms[order]) > 0
    chosen: I64 = order[first]
    used = np.unique(source[chosen])
    return every[chosen], tuple(intervals[k] for k in used)


def _floor(ts_ms: int, timeframe: Timeframe) -> int:
    return ts_ms // timeframe.ms * timeframe.ms


def _ceil(ts_ms: int, timeframe: Timeframe) -> int:
    return -(-ts_ms // timeframe.ms) * timeframe.ms


def _day(ts_ms: int) -> str:
    return utc_text(ts_ms // MINUTE_MS * MINUTE_MS)
