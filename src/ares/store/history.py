"""The longest history of a timeframe that the stored intervals give, and where they disagree."""

from __future__ import annotations

import msgspec
import numpy as np

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import I64, Bars, Bools
from ares.kernel.resample import GAP_MS_MAX, fill_gaps, resample
from ares.store.candles import CandleStore

PRICE_TOLERANCE = 1e-9
VOLUME_TOLERANCE = 1e-3
"""Relative: prices of two intervals must be equal; venues correct a bar's volume afterwards."""


class IntervalDisagreement(msgspec.Struct, frozen=True):
    """Two stored intervals that give different bars of one timeframe; the finer one is taken.

    compared, different : bars that both give, and how many of those differ.
    first_ms, last_ms   : open times of the first and the last bar that differ.
    column              : what differs in the first, with both values.
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
        """Return the line for a person."""
        at = np.datetime64(self.first_ms, "ms").item().strftime("%Y-%m-%d %H:%M")
        return (
            f"{self.instrument.key} {self.timeframe}: {self.fine} and {self.coarse} disagree on "
            f"{self.different} of {self.compared} bars, first {at} UTC: {self.column} "
            f"{self.fine_value:.10g} and {self.coarse_value:.10g}; {self.fine} is used"
        )


class History(msgspec.Struct, frozen=True):
    """Bars of one timeframe with where they come from.

    bars          : gap-filled (see kernel.resample), complete bars only.
    sources       : the stored intervals that gave them, finest first.
    disagreements : one per pair of intervals that do not give the same bars.
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
    closed by ``to_ms`` (so that nothing after ``to_ms`` can be seen).

    Every stored interval at or below the timeframe gives the bars that it can. Where several give
    one, a bar without made parts goes before one with them, and then the finest interval's before
    a coarser one's. Raises UserError when no stored interval can give the timeframe.
    """
    intervals = store.intervals(instrument)
    usable = [i for i in intervals if Timeframe(i).ms <= timeframe.ms]
    if not usable:
        store.spec(instrument)
        held = ", ".join(intervals) or "none"
        raise UserError(
            f"{instrument.key} has no candles of which {timeframe} can be made "
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

    Where none covers it all, the one that covers most of it. An open end of the window is where
    the instrument's candles begin or end. A gap that is not filled (over two days) is not covered.
    Raises UserError when no candle lies in the window.
    """
    series = [s for s in store.series() if s.instrument == instrument]
    if not series:
        store.spec(instrument)
        raise UserError(f"{instrument.key} has no candles: `ares data import PATH`")
    start_ms = min(s.first_ms for s in series) if from_ms is None else from_ms
    end_ms = max(s.last_ms + Timeframe(s.interval).ms for s in series) if to_ms is None else to_ms
    best: tuple[int, Timeframe, Bars] | None = None
    for one in series:
        timeframe = Timeframe(one.interval)
        bars = filled_bars(store, instrument, one.interval, start_ms, end_ms)
        covered_ms = len(bars) * timeframe.ms
        wanted_ms = (
            end_ms // timeframe.ms * timeframe.ms - -(-start_ms // timeframe.ms) * timeframe.ms
        )
        if covered_ms and covered_ms >= wanted_ms:
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
    """Return how the bars that both intervals give of ``timeframe`` differ; None when they agree.

    fine, coarse : bars of the timeframe, without made parts.
    """
    ours = fine[np.isin(fine.ts_ms, coarse.ts_ms, assume_unique=True)]
    theirs = coarse[np.isin(coarse.ts_ms, fine.ts_ms, assume_unique=True)]
    differs = np.zeros(len(ours), np.bool_)
    place: tuple[int, str] | None = None
    for name in ("open", "high", "low", "close", "volume"):
        tolerance = VOLUME_TOLERANCE if name == "volume" else PRICE_TOLERANCE
        a, b = getattr(ours, name), getattr(theirs, name)
        off = np.abs(a - b) > tolerance * np.abs(b)
        if off.any() and (place is None or int(np.argmax(off)) < place[0]):
            place = (int(np.argmax(off)), name)
        differs |= off
    if place is None:
        return None
    k, name = place
    return IntervalDisagreement(
        *(instrument, timeframe, *intervals, len(ours), int(differs.sum())),
        *(int(ours.ts_ms[k]), int(ours.ts_ms[differs][-1]), name),
        *(float(getattr(ours, name)[k]), float(getattr(theirs, name)[k])),
    )


def filled_bars(
    store: CandleStore,
    instrument: Instrument,
    interval: str,
    from_ms: int | None,
    to_ms: int | None,
) -> Bars:
    """Return gap-filled bars that open in a window, also where a gap reaches over its edge."""
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
    """Return the bars that one interval gives, and which of them have no made part."""
    lowest = Timeframe(interval)
    first_ms = None if from_ms is None else _ceil(from_ms, timeframe)
    last_ms = None if to_ms is None else _floor(to_ms, timeframe)
    filled = filled_bars(store, instrument, interval, first_ms, last_ms)
    bars = resample(filled, lowest.ms, timeframe.ms)
    real_before = np.concatenate([[0], np.cumsum(~filled.flat)])
    start = np.searchsorted(filled.ts_ms, bars.ts_ms)
    parts = timeframe.ms // lowest.ms
    return bars, real_before[start + parts] - real_before[start] == parts


def _whole(part: tuple[Bars, Bools]) -> Bars:
    bars, whole = part
    return bars[whole]


def _merge(
    parts: list[Bars], whole: list[Bools], intervals: list[str]
) -> tuple[Bars, tuple[str, ...]]:
    """Return one bar per time: the first in order of (whole, finest)."""
    every = Bars.concat(parts)
    made = ~np.concatenate(whole)
    source = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.lexsort((source, made, every.flat, every.ts_ms))
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
    return str(np.datetime64(ts_ms, "ms").astype("datetime64[m]")).replace("T", " ")
