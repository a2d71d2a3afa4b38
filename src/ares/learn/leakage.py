"""The leak test: cut the future off, or replace it by noise; no earlier value may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.domain.utc import utc_text
from ares.kernel.bars import F64, I64, Bars
from ares.kernel.features import features_of
from ares.kernel.features.user import UserFeatures

CUTS = 12
WEEK_MS = 7 * DAY_MS
WEEKS_MOVED = (3_840, 7_680)
"""By how much bars are moved: to years of which no file has data.

Whole cycles of the kernel's averages, which begin afresh at fixed times of the clock (every 240
bars) and lie in rings of up to 256: 3,840 weeks are both for every timeframe up to a day.
"""

GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class TimedRows:
    """The rows that a function computes from bars, and the instant at which each is known.

    row_ms   : (n_rows,) identifies a row in every run (its bar's open time), strictly rising.
    known_ms : (n_rows,) or (n_rows, n_columns) the row may use bars that closed up to then: for a
               feature the close of its bar, for a label the end of its horizon, for a value
               scaled by a training set the end of that set.
    values   : (n_rows, n_columns).
    """

    row_ms: I64
    known_ms: I64
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Leak:
    """A column that changed when only bars after it were changed.

    way           : how the future was changed.
    cut_ms        : instant from which the future was changed.
    row_ms        : the first row that changed; rows : how many did, at this cut.
    before, after : its value with the true and with the changed future; None: no such row.
    """

    column: str
    way: str
    cut_ms: int
    row_ms: int
    rows: int
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class LeakReport:
    """The result of the leak test: for each leaking column the first leak.

    columns  : every column tested.
    cuts     : how many times the future was changed.
    compared : how many values were compared.
    """

    columns: tuple[str, ...]
    cuts: int
    compared: int
    leaks: tuple[Leak, ...]

    @property
    def clean(self) -> bool:
        """Return True where nothing leaks."""
        return not self.leaks

    @property
    def leaking(self) -> tuple[str, ...]:
        """Return the names of the columns that leak."""
        return tuple(leak.column for leak in self.leaks)

    def line(self) -> str:
        """Return the finding as one line."""
        if self.clean:
            return (
                f"no leak in {len(self.columns)} columns, {self.compared} values, {self.cuts} cuts"
            )
        first = self.leaks[0]
        when = utc_text(first.row_ms)
        return (
            f"look-ahead leakage in {len(self.leaks)} of {len(self.columns)} columns "
            f"({', '.join(self.leaking)}): '{first.column}' of {when} changed from {first.before} "
            f"to {first.after} {first.way}"
        )


def leak_test(
    compute: Callable[[Bars], TimedRows],
    bars: Bars,
    names: Sequence[str],
    interval_ms: int,
    *,
    cuts: int = CUTS,
    seed: int = 0,
) -> LeakReport:
    """Change the future of ``bars`` and test whether a value that was known before it changes.

    compute : bars to rows; called twice on all bars (it must be deterministic), then for each of
              ``cuts`` cuts on the bars before it, and on those followed by noise.
    names   : of the columns of ``compute(bars).values``.
    seed    : of the noise.

    >>> n = np.arange(300.0)
    >>> bars = Bars.make(np.arange(300) * 60_000, n + 9, n + 9, n + 9, n + 9, n)
    >>> centred = at_close(lambda bars: bars.close[:, None] - bars.close.mean(), 60_000)
    >>> leak_test(centred, bars, ["centred"], 60_000).leaking
    ('centred',)
    """
    reference = compute(_copied(bars))
    found: dict[str, Leak] = {}
    compared = 0
    futures = _futures(bars, interval_ms, cuts, np.random.default_rng(seed))
    for way, cut_ms, changed in futures:
        again = compute(changed)
        compared += _compare(reference, again, names, way, cut_ms, found)
    return LeakReport(tuple(names), cuts, compared, tuple(found.values()))


def at_close(
    compute: Callable[[Bars], NDArray[Any]],
    interval_ms: int,
    horizon_bars: int | Sequence[int] = 0,
) -> Callable[[Bars], TimedRows]:
    """Return ``compute`` with one timed row a bar, known at the bar's close.

    compute      : bars to (n_bars,) or (n_bars, n_columns).
    horizon_bars : how many bars later a column is known (labels): one for all, or one each.
    """

    def timed(bars: Bars) -> TimedRows:
        values = np.asarray(compute(bars))
        values = values.reshape(len(bars), -1)
        later = np.broadcast_to(np.asarray(horizon_bars), (values.shape[1],)) + 1
        return TimedRows(bars.ts_ms, bars.ts_ms[:, None] + later * interval_ms, values)

    return timed


def check_user_features(features: UserFeatures, bars: Bars, interval_ms: int) -> LeakReport:
    """Return the clean report of a user's features, or raise UserError naming those that are not
    the same for the same bars, or leak.

    bars : a few hundred bars of the timeframe are enough.
    """

    def exact(part: Bars) -> F64:
        if not features.takes_rows:
            return features.exact(part, interval_ms)
        timeframe = next(timeframe for timeframe in Timeframe if timeframe.ms == interval_ms)
        table = features_of(part, timeframe, None)
        return features.exact(part, interval_ms, table.warm, table.values)

    _require_deterministic(features, bars, exact)
    columns = at_close(lambda part: exact(part).astype(np.float32), interval_ms)
    report = leak_test(columns, bars, features.names, interval_ms)
    if not report.clean:
        raise UserError(
            f"{features.path}: {report.line()}: a feature may use only the bars that it is given"
        )
    moved = moved_columns(exact, bars, features.names)
    if moved:
        (name, weeks, ts_ms), *_ = moved
        line = next(feature.source_line() for feature in features.features if feature.name == name)
        raise UserError(
            f"{features.path}: look-ahead leakage in {len(moved)} of {len(features.names)} columns"
            f" ({', '.join(name for name, _, _ in moved)}): '{name}' ({line}) changes at the bar"
            f" of {utc_text(ts_ms)} when the same bars are moved by {weeks} weeks: it looks"
            " something up by time. Data from outside are external series, see docs/SERIES.md"
        )
    return report


def moved_columns(
    compute: Callable[[Bars], NDArray[Any]], bars: Bars, names: Sequence[str]
) -> list[tuple[str, int, int]]:
    """Return (column, weeks, first bar) of each column that changes when the bars are moved by
    whole weeks to other years.

    A function of past bars and of the time of the week does not change; a look-up by time does.

    compute : bars to (n_bars, n_columns).
    """
    before = np.asarray(compute(_copied(bars)))
    found: dict[str, tuple[str, int, int]] = {}
    for weeks in WEEKS_MOVED:
        after = np.asarray(compute(moved_by(bars, weeks)))
        changed = ~_same(before, after)
        for f in np.flatnonzero(changed.any(axis=0)).tolist():
            first = int(np.flatnonzero(changed[:, f])[0])
            found.setdefault(names[f], (names[f], weeks, int(bars.ts_ms[first])))
    return list(found.values())


def moved_by(bars: Bars, weeks: int) -> Bars:
    """Return the bars as if they had opened so many weeks later."""
    return replace(_copied(bars), ts_ms=bars.ts_ms + weeks * WEEK_MS)


def _require_deterministic(
    features: UserFeatures, bars: Bars, exact: Callable[[Bars], F64]
) -> None:
    """Raise UserError where two calls with the same bars differ, before any rounding."""
    first, second = exact(_copied(bars)), exact(_copied(bars))
    changed = ~_same(first, second)
    if not changed.any():
        return
    f = int(np.flatnonzero(changed.any(axis=0))[0])
    t = int(np.flatnonzero(changed[:, f])[0])
    feature = features.features[f]
    raise UserError(
        f"{features.path}: '{feature.name}' ({feature.source_line()}) is not deterministic: at the "
        f"bar of {utc_text(int(bars.ts_ms[t]))} it returned {float(first[t, f])!r}, then "
        f"{float(second[t, f])!r} for the same bars: use no clock, no random numbers, and keep "
        "nothing between calls"
    )


def _futures(
    bars: Bars, interval_ms: int, cuts: int, noise: np.random.Generator
) -> Iterator[tuple[str, int, Bars]]:
    """Yield the ways of changing the future: how, from when on, the changed bars."""
    n = len(bars)
    if n < 2:
        raise ValueError("the leak test needs two bars or more")
    yield "when it was computed again", int(bars.ts_ms[-1]) + (1 << 40), _copied(bars)
    for k in range(cuts):
        # Cuts are spread evenly and off every round number, most of them past any warmup.
        keep = 1 + int((n - 1) * ((k + 1) * GOLDEN % 1.0) ** 0.5)
        cut_ms = int(bars.ts_ms[keep - 1]) + interval_ms
        yield "when the future was cut off", cut_ms, _copied(bars[:keep])
        if keep < n:
            yield "when the future was replaced", cut_ms, _with_noise(bars, keep, noise)


def _with_noise(bars: Bars, keep: int, noise: np.random.Generator) -> Bars:
    """Return the bars with a volatile random walk in place of all after the first ``keep``."""
    n = len(bars) - keep
    steps = 0.02 * noise.standard_normal(n)
    close = bars.close[keep - 1] * np.exp(np.clip(np.cumsum(steps), -8.0, 8.0))
    open_ = close * np.exp(0.01 * noise.standard_normal(n))
    spread = np.exp(np.abs(0.01 * noise.standard_normal((2, n))))
    volume = (1.0 + bars.volume.max()) * np.exp(noise.standard_normal(n))
    future = Bars.make(
        bars.ts_ms[keep:],
        open_,
        np.maximum(open_, close) * spread[0],
        np.minimum(open_, close) / spread[1],
        close,
        volume,
    )
    return Bars.concat([bars[:keep], future])


def _compare(
    reference: TimedRows,
    again: TimedRows,
    names: Sequence[str],
    way: str,
    cut_ms: int,
    found: dict[str, Leak],
) -> int:
    """Record the first leak of each column; return how many values were compared."""
    columns = reference.values.shape[1]
    if columns != len(names) or again.values.shape[1] != columns:
        raise ValueError(f"{len(names)} names for {columns} and {again.values.shape[1]} columns")
    rows = np.union1d(reference.row_ms, again.row_ms)
    before, before_ms = _aligned(reference, rows)
    after, after_ms = _aligned(again, rows)
    known = before_ms <= cut_ms  # exactly these must be known again, with the same value and time
    known_again = after_ms <= cut_ms
    moved = known != known_again
    moved |= known & (~_same(before, after) | (before_ms != after_ms))
    for f in np.flatnonzero(moved.any(axis=0)).tolist():
        if names[f] not in found:
            at = np.flatnonzero(moved[:, f])
            r = at[0]
            found[names[f]] = Leak(
                names[f],
                way,
                cut_ms,
                int(rows[r]),
                len(at),
                float(before[r, f]) if before_ms[r, f] < _NEVER else None,
                float(after[r, f]) if after_ms[r, f] < _NEVER else None,
            )
    return int(known.sum())


_NEVER = np.iinfo(np.int64).max


def _aligned(timed: TimedRows, rows: I64) -> tuple[NDArray[Any], I64]:
    """Return values and known times over ``rows``; a row that is missing is never known."""
    number = np.searchsorted(rows, timed.row_ms)
    values = np.zeros((len(rows), timed.values.shape[1]), timed.values.dtype)
    known_ms = np.full(values.shape, _NEVER)
    values[number] = timed.values
    known_ms[number] = timed.known_ms if timed.known_ms.ndim == 2 else timed.known_ms[:, None]
    return values, known_ms


def _same(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where two arrays are equal to the bit, every NaN being the same."""
    if a.dtype.kind != "f":
        return np.asarray(a == b)
    bits = a.view(f"i{a.itemsize}") == b.view(f"i{b.itemsize}")
    return np.asarray(bits | (np.isnan(a) & np.isnan(b)))


def _copied(bars: Bars) -> Bars:
    return bars[np.arange(len(bars))]
