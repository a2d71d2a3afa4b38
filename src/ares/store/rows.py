"""The rows of one series: read as arrays, compared with new bars, inserted in batches."""

from __future__ import annotations

import hashlib
from itertools import islice, repeat
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from ares.kernel.bars import Bars

SAME_TOLERANCE = 1e-9
"""Relative difference up to which two sources say the same (sums of floats carry noise)."""

SeriesKey = tuple[str, str, str]
"""(symbol, venue, interval)"""

KEY_SQL = "symbol = ? AND venue = ? AND interval = ?"

_VALUES = ("open", "high", "low", "close", "volume")
_ROW = np.dtype([("ts_ms", "i8"), *((name, "f8") for name in _VALUES), ("source", "i8")])
_CHUNK = 50_000


class RowDifference(NamedTuple):
    """A bar of which the stored row says something else: the first column that differs."""

    ts_ms: int
    column: str
    stored: float
    offered: float
    source_id: int


def span_ms(connection: Connection, key: SeriesKey) -> tuple[int, int] | None:
    """Return open times of the first and last bar; None for no bars."""
    where = f"SELECT ts_ms FROM candles WHERE {KEY_SQL} ORDER BY ts_ms"
    first = connection.exec_driver_sql(f"{where} LIMIT 1", key).first()
    last = connection.exec_driver_sql(f"{where} DESC LIMIT 1", key).first()
    return None if first is None or last is None else (int(first[0]), int(last[0]))


def read_rows(
    connection: Connection, key: SeriesKey, from_ms: int | None, to_ms: int | None
) -> NDArray[np.void]:
    """Return stored rows of ``[from_ms, to_ms)`` as a structured array, oldest first."""
    result = connection.exec_driver_sql(
        f"SELECT ts_ms, open, high, low, close, volume, source_id FROM candles WHERE {KEY_SQL} "
        "AND ts_ms >= ? AND ts_ms < ? ORDER BY ts_ms",
        (*key, -(2**62) if from_ms is None else from_ms, 2**62 if to_ms is None else to_ms),
    )
    driver_rows = cast(Any, result.cursor)  # 0.9 s a million; by SQLAlchemy's rows it is 16 s
    return cast("NDArray[np.void]", np.fromiter(driver_rows, dtype=_ROW))


def bars_of(rows: NDArray[np.void]) -> Bars:
    """Return the rows as columns."""
    return Bars.make(*(rows[name] for name in ("ts_ms", *_VALUES)))


def differences(bars: Bars, stored: NDArray[np.void]) -> list[RowDifference]:
    """Return where ``bars`` and the stored rows of the same times differ."""
    first = np.full(len(bars), -1)
    for place in reversed(range(len(_VALUES))):
        ours, theirs = getattr(bars, _VALUES[place]), stored[_VALUES[place]]
        first[np.abs(ours - theirs) > SAME_TOLERANCE * np.abs(theirs)] = place
    found = []
    for k in np.flatnonzero(first >= 0):
        column = _VALUES[first[k]]
        offered, kept = float(getattr(bars, column)[k]), float(stored[column][k])
        found.append(
            RowDifference(int(bars.ts_ms[k]), column, kept, offered, int(stored["source"][k]))
        )
    return found


def insert_bars(connection: Connection, key: SeriesKey, bars: Bars, source_id: int) -> None:
    """Insert bars that are known to be new; tuples and the driver's own SQL are the fast way."""
    rows = zip(
        *(repeat(part) for part in key),
        *(getattr(bars, name).tolist() for name in ("ts_ms", *_VALUES)),
        repeat(source_id),
        strict=False,  # the repeated parts never end
    )
    while chunk := list(islice(rows, _CHUNK)):
        connection.exec_driver_sql(
            "INSERT INTO candles (symbol, venue, interval, ts_ms, open, high, low, close, volume, "
            "source_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            chunk,
        )


def count_bars(connection: Connection, key: SeriesKey, fresh: Bars) -> None:
    """Bring the series' count and content version up to date with what was added."""
    if len(fresh) == 0:
        return
    before = connection.exec_driver_sql(
        f"SELECT version FROM candle_series WHERE {KEY_SQL}", key
    ).scalar()
    version = hashlib.sha256(f"{before or ''}{fresh.hash}".encode()).hexdigest()
    connection.exec_driver_sql(
        "INSERT INTO candle_series (symbol, venue, interval, bars, version) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (symbol, venue, interval) DO UPDATE SET bars = bars + excluded.bars, "
        "version = excluded.version",
        (*key, len(fresh), version),
    )
