"""Checks the candles of a file: prices, order of times, interval and grid."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from ares.adapters.candle_columns import CandleTable
from ares.adapters.candle_names import parse_interval
from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from ares.domain.utc import utc_text
from ares.kernel.bars import Bools

OHLC_TOLERANCE = 1e-9
"""Relative tolerance: a high this little below a close is not an error."""


PRICE_MIN, PRICE_MAX = 1e-15, 1e12
VOLUME_MAX = 1e20
"""Far outside of what any market has shown: a file with such values is damaged."""


def check_prices(name: str, table: CandleTable) -> None:
    """Raise UserError at the first invalid price or volume."""
    bars = table.bars
    for column in ("open", "high", "low", "close", "volume"):
        values = getattr(bars, column)
        what = "a price above 0" if column != "volume" else "a volume of 0 or more"
        low_enough = values <= 0.0 if column != "volume" else values < 0.0
        bad = ~np.isfinite(values) | low_enough
        if not bad.any():
            least, most = (0.0, VOLUME_MAX) if column == "volume" else (PRICE_MIN, PRICE_MAX)
            bad = (values < least) | (values > most)
            what = f"a plausible {'volume' if column == 'volume' else 'price'} (up to {most:g})"
        if bad.any():
            at = int(np.argmax(bad))
            raise UserError(
                f"{name}, {_position(table, at)}: {column} is {values[at]:g}, not {what}: "
                "correct it, or delete the row"
            )
    room = 1.0 + OHLC_TOLERANCE
    for column in ("open", "close", "low"):
        bad = getattr(bars, column) > bars.high * room
        if bad.any():
            _bad_shape(name, table, int(np.argmax(bad)), "high", "below", column)
    for column in ("open", "close"):
        bad = getattr(bars, column) * room < bars.low
        if bad.any():
            _bad_shape(name, table, int(np.argmax(bad)), "low", "above", column)


def _bad_shape(
    name: str, table: CandleTable, at: int, edge: str, side: str, column: str
) -> NoReturn:
    edge_value, value = getattr(table.bars, edge)[at], getattr(table.bars, column)[at]
    raise UserError(
        f"{name}, {_position(table, at)}: {edge} {edge_value:.10g} is {side} {column} "
        f"{value:.10g}: "
        "correct it, or delete the row"
    )


def require_past(name: str, table: CandleTable, now_ms: int) -> None:
    """Raise UserError at the first bar that opens more than a day after ``now_ms``."""
    late = table.bars.ts_ms > now_ms + DAY_MS
    if late.any():
        raise UserError(
            f"{name}, {_position(table, int(np.argmax(late)))}: the time is in the future (now: "
            f"{utc_text(now_ms // MINUTE_MS * MINUTE_MS)} UTC): correct the times, or their unit"
        )


def in_order(name: str, table: CandleTable, repair: bool) -> tuple[CandleTable, int]:
    """Return the table with strictly rising times, and how many repeated rows were dropped."""
    ts_ms = table.bars.ts_ms
    falling = np.flatnonzero(np.diff(ts_ms) < 0)
    if len(falling) and not repair:
        at = int(falling[0]) + 1
        raise UserError(
            f"{name}, {_position(table, at)}: the time is before the row above: "
            "sort the file by time, or add --repair"
        )
    if len(falling):
        table = table.keep(np.argsort(ts_ms, kind="stable"))
    again = np.flatnonzero(np.diff(table.bars.ts_ms) == 0) + 1
    if len(again) == 0:
        return table, 0
    for column in ("open", "high", "low", "close", "volume"):
        values = getattr(table.bars, column)
        other = again[values[again] != values[again - 1]]
        if len(other):
            at = int(other[0])
            raise UserError(
                f"{name}, {_position(table, at)}: the same time as {table.unit} "
                f"{table.number[at - 1]} with another {column} ({values[at - 1]:.10g}, then "
                f"{values[at]:.10g}): delete the wrong row"
            )
    if not repair:
        at = int(again[0])
        more = f", and {len(again) - 1} more" if len(again) > 1 else ""
        raise UserError(
            f"{name}, {_position(table, at)}: repeats {table.unit} {table.number[at - 1]}{more}: "
            "delete it, or add --repair"
        )
    first: Bools = np.ones(len(table.bars), np.bool_)
    first[again] = False
    return table.keep(first), len(again)


def interval_of(name: str, table: CandleTable, named: str | None) -> str:
    """Return the interval, checked against the times; from the times alone where none is named."""
    ts_ms = table.bars.ts_ms
    steps_ms = np.diff(ts_ms)
    divisor_ms = int(np.gcd.reduce(steps_ms)) if len(steps_ms) else 0
    likely = [t for t in Timeframe if len(steps_ms) and t.ms == int(steps_ms.min())]
    if named is None:
        if len(steps_ms) < 2 or not likely or divisor_ms != likely[0].ms:
            raise UserError(
                f"{name}: the interval is not clear from the times: add --interval, such as 1h"
            )
        named = likely[0].value
    try:
        timeframe = Timeframe(parse_interval(named))
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    if len(steps_ms):
        too_close = steps_ms < timeframe.ms
        if too_close.any():
            at = int(np.argmax(too_close)) + 1
            raise UserError(
                f"{name}, {_position(table, at)}: {_length(int(steps_ms[at - 1]))} after the bar "
                f"above, but the interval is {timeframe}: correct the file's name or --interval"
            )
        longer = [t for t in Timeframe if t.ms > timeframe.ms and divisor_ms % t.ms == 0]
        if len(steps_ms) >= 2 and longer:
            raise UserError(
                f"{name}: all bars are {longer[-1]} apart or more, but the interval is {timeframe}:"
                " correct the file's name or --interval"
            )
    off = ts_ms % timeframe.ms != 0
    if off.any():
        at = int(np.argmax(off))
        hint = "a bar's time is its opening time"
        if np.all((ts_ms + 1) % timeframe.ms == 0):
            hint = "these look like closing times; " + hint
        raise UserError(
            f"{name}, {_position(table, at)}: not on the grid of {timeframe} in UTC: {hint}"
        )
    return timeframe.value


def _length(step_ms: int) -> str:
    for timeframe in reversed(Timeframe):
        if step_ms == timeframe.ms:
            return timeframe.value
    return f"{step_ms / 1000:g} s"


def _position(table: CandleTable, at: int) -> str:
    """Return the position of a bar in its file: ``line 17 (2023-03-16 22:15)``."""
    return f"{table.unit} {table.number[at]} ({utc_text(int(table.bars.ts_ms[at]))})"
