"""Checks stored candles for errors and anomalies; each finding has its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec
import numpy as np

from ares.domain.instrument import Instrument
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars, Bools
from ares.kernel.resample import resample
from ares.store.candles import CandleStore, Series
from ares.store.history import compare

JUMP_MIN = 0.05
JUMP_MADS = 20.0
"""A jump is a move from the last close above 5% and above 20 times the median move."""

OHLC_TOLERANCE = 1e-9


class Kind(StrEnum):
    """Kind of a finding; the last five are errors, the others occur in real data."""

    GAP = "gap"
    ZERO_VOLUME = "zero volume"
    JUMP = "jump"
    DUPLICATE = "duplicate"
    UNSORTED = "unsorted"
    OFF_GRID = "off grid"
    OHLC = "ohlc"
    DISAGREEMENT = "disagreement"

    @property
    def is_error(self) -> bool:
        """Return whether candles with this finding must not be used."""
        return self not in (Kind.GAP, Kind.ZERO_VOLUME, Kind.JUMP)


class Finding(msgspec.Struct, frozen=True):
    """Consecutive bars with the same finding.

    from_ms, to_ms : open time of the first bar; close time of the last.
    count          : number of bars; of a gap, the missing ones.
    """

    instrument: Instrument
    interval: str
    kind: Kind
    from_ms: int
    to_ms: int
    count: int
    detail: str = ""


class SeriesCheck(msgspec.Struct, frozen=True):
    """A series and its findings."""

    series: Series
    findings: tuple[Finding, ...]


def check_store(
    store: CandleStore,
    instruments: Sequence[Instrument] | None = None,
    on_series: Callable[[Series], None] = lambda _: None,
) -> list[SeriesCheck]:
    """Return every stored series (of ``instruments``) with its findings, in order of time.

    on_series : called after each series, for progress.

    Raises ExternalError where the database is damaged.
    """
    store.require_intact()
    checked = []
    finer: list[tuple[Series, Bars]] = []
    for series in store.series():
        if instruments is not None and series.instrument not in instruments:
            continue
        bars = store.verify(series)
        finer = [pair for pair in finer if pair[0].instrument == series.instrument]
        findings = check_bars(series.instrument, series.interval, bars)
        for other, parts in finer:
            findings += _against(series, bars, other, parts)
        finer.append((series, bars))
        checked.append(SeriesCheck(series, tuple(sorted(findings, key=lambda f: f.from_ms))))
        on_series(series)
    return checked


def check_bars(instrument: Instrument, interval: str, bars: Bars) -> list[Finding]:
    """Return the findings in the bars of one series, which may be in any order and quality."""
    interval_ms = Timeframe(interval).ms
    step_ms = np.diff(bars.ts_ms, prepend=bars.ts_ms[:1] - interval_ms)
    found = []

    def runs(kind: Kind, bad: Bools, details: F64 | None = None) -> None:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]])))
        if details is not None:  # each bar is a finding of its own
            edges = np.repeat(np.flatnonzero(bad), 2) + np.tile([0, 1], int(bad.sum()))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            detail = "" if details is None else f"{details[first]:+.1%}"
            end_ms = int(bars.ts_ms[end - 1]) + interval_ms
            found.append(
                Finding(
                    instrument, interval, kind, int(bars.ts_ms[first]), end_ms, end - first, detail
                )
            )

    for at in np.flatnonzero(step_ms > interval_ms).tolist():
        first_ms, end_ms = int(bars.ts_ms[at - 1]) + interval_ms, int(bars.ts_ms[at])
        missing = max(1, (end_ms - first_ms) // interval_ms)
        found.append(Finding(instrument, interval, Kind.GAP, first_ms, end_ms, missing))
    runs(Kind.ZERO_VOLUME, bars.volume == 0.0)
    move = _moves(bars, step_ms == interval_ms)
    runs(Kind.JUMP, _jumps(move), move)
    runs(Kind.DUPLICATE, step_ms == 0)
    runs(Kind.UNSORTED, step_ms < 0)
    runs(Kind.OFF_GRID, bars.ts_ms % interval_ms != 0)
    runs(Kind.OHLC, _bad_shapes(bars))
    return found


def _moves(bars: Bars, follows: Bools) -> F64:
    """Return each bar's largest move from the last close as a fraction; 0 after a gap."""
    move = np.zeros(len(bars))
    with np.errstate(all="ignore"):
        up = bars.high[1:] / bars.close[:-1] - 1.0
        down = bars.low[1:] / bars.close[:-1] - 1.0
        move[1:] = np.where(np.abs(np.log1p(up)) >= np.abs(np.log1p(down)), up, down)
    return np.where(follows & np.isfinite(move) & (move > -1.0), move, 0.0)


def _jumps(move: F64) -> Bools:
    size = np.abs(np.log1p(move))
    moving = size[size > 0.0]
    usual = float(np.median(moving)) if len(moving) else 0.0
    jumps: Bools = (np.abs(move) > JUMP_MIN) & (size > JUMP_MADS * usual)
    return jumps


def _bad_shapes(bars: Bars) -> Bools:
    """Return where prices are invalid, or open and close are outside low and high."""
    prices = np.stack([bars.open, bars.high, bars.low, bars.close])
    sound = np.all(np.isfinite(prices) & (prices > 0.0), axis=0)
    room = 1.0 + OHLC_TOLERANCE
    with np.errstate(invalid="ignore"):
        held = (prices.max(axis=0) <= bars.high * room) & (prices.min(axis=0) * room >= bars.low)
        volume = np.isfinite(bars.volume) & (bars.volume >= 0.0)
    bad: Bools = ~(sound & held & volume)
    return bad


def _against(series: Series, bars: Bars, other: Series, parts: Bars) -> list[Finding]:
    """Return where a series differs from a finer one of the same instrument."""
    timeframe, lower = Timeframe(series.interval), Timeframe(other.interval)
    difference = compare(
        series.instrument,
        timeframe,
        (other.interval, series.interval),
        resample(parts, lower.ms, timeframe.ms),
        bars,
    )
    if difference is None:
        return []
    detail = (
        f"{other.interval} gives {difference.column} {difference.fine_value:.10g}, "
        f"{series.interval} has {difference.coarse_value:.10g}; "
        f"{difference.different} of {difference.compared} bars differ"
    )
    span = (difference.first_ms, difference.last_ms + timeframe.ms, difference.different)
    kind = Kind.DISAGREEMENT
    return [Finding(series.instrument, series.interval, kind, *span, detail)]
