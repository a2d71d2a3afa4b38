"""Reads the columns of a table of candles: common headings, times in common formats, numbers."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ares.domain.errors import UserError
from ares.kernel.bars import F64, I64, Bars, Bools

HEADINGS = {
    "ts": (
        *("ts", "ts_ms", "open_time", "opentime", "timestamp", "timestamp_ms", "open_timestamp"),
        *("time_open", "unix", "unix_timestamp", "unixtime", "datetime", "date_time", "date"),
        *("time", "time_period_start", "candle_begin_time", "gmt_time", "t"),
    ),
    "open": ("open", "o", "open_price", "price_open"),
    "high": ("high", "h", "high_price", "price_high"),
    "low": ("low", "l", "low_price", "price_low"),
    "close": ("close", "c", "close_price", "price_close"),
    "volume": ("volume", "vol", "v", "base_volume", "volume_base", "volume_traded"),
}
"""Names of each column, in order of preference; case, spaces, dots and dashes are ignored."""

VALUES = ("open", "high", "low", "close", "volume")


class CandleFormatError(UserError):
    """The columns of the table are not those of candles."""


class CandleTable(NamedTuple):
    """The candles of a file in its order; values are numbers, nothing else is checked.

    number : (n,) line or row number of each bar in the file.
    unit   : "line" of a text, else "row".
    """

    bars: Bars
    number: I64
    unit: str

    def keep(self, rows: Bools | I64) -> CandleTable:
        """Return the bars of a mask or an index array."""
        return CandleTable(self.bars[rows], self.number[rows], self.unit)


def table_of(name: str, frame: pl.DataFrame, first_number: int, unit: str) -> CandleTable:
    """Return the frame's candle columns as numbers.

    name         : of the file, for messages.
    first_number : line or row number of the first row; ``unit``: "line" or "row".

    Raises CandleFormatError when the columns are not those of candles; UserError with line and
    column when a column is missing, or a cell is empty, not a number or not a time.
    """
    columns = _columns(name, frame.columns)
    number = np.arange(first_number, first_number + frame.height)
    filled = ~frame.select(pl.all_horizontal(pl.col(list(columns.values())).is_null())).to_series()
    if not filled.all():  # blank lines
        frame, number = frame.filter(filled), number[filled.to_numpy()]
    ts_ms = _times(name, frame[columns["ts"]], number, unit)
    open_, high, low, close, volume = (
        _numbers(name, frame[columns[column]], number, unit) for column in VALUES
    )
    return CandleTable(Bars.make(ts_ms, open_, high, low, close, volume), number, unit)


def is_heading(fields: list[str]) -> bool:
    """Return whether a first line names columns, and is not a row of numbers."""
    return not all(re.fullmatch(r"[-+0-9.eE]+", field.strip().strip('"')) for field in fields)


def _columns(name: str, present: list[str]) -> dict[str, str]:
    """Return column -> its heading in the file."""
    plain = {_plain(heading): heading for heading in reversed(present)}
    found = {
        column: next(plain[heading] for heading in headings if heading in plain)
        for column, headings in HEADINGS.items()
        if any(heading in plain for heading in headings)
    }
    if "volume" not in found:  # "Volume BTC", "Volume_(BTC)": the first one is in base currency
        longer = [heading for heading in present if _plain(heading).startswith("volume_")]
        found |= {"volume": longer[0]} if longer else {}
    missing = [column for column in HEADINGS if column not in found]
    if not missing:
        return found
    wanted = ", ".join("time" if column == "ts" else column for column in missing)
    text = (
        f"{name}: no column for {wanted} (columns: {', '.join(present[:12])}): "
        f"name it {HEADINGS[missing[0]][0]}"
    )
    prices = sum(column in found for column in VALUES[:4])
    raise UserError(text) if prices + ("ts" in found) >= 4 else CandleFormatError(text)


def _plain(heading: str) -> str:
    return re.sub(r"[\s\-.]+", "_", heading.strip().strip('"').lower().replace("(", ""))


def _numbers(name: str, cells: pl.Series, number: I64, unit: str) -> F64:
    """Return the cells as floats; raise UserError at the first that is empty or not a number."""
    text = cells.str.strip_chars() if cells.dtype == pl.String else cells
    if not (text.dtype.is_numeric() or text.dtype == pl.String):
        raise UserError(f"{name}: column {cells.name} holds {text.dtype}, not numbers")
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count():
        _bad_cell(name, cells, numbers.is_null(), number, unit, "a number")
    return numbers.to_numpy().astype(np.float64)


def _times(name: str, cells: pl.Series, number: I64, unit: str) -> I64:
    """Return open times in ms since the epoch, of epochs (s, ms, us, ns), dates or ISO texts."""
    if cells.dtype == pl.String:
        cells_ = _best(_epoch_texts(cells, pl.Int64), _epoch_texts(cells, pl.Float64))
        if cells_.null_count():
            cells_ = _best(cells_, _dates(cells))
    elif cells.dtype == pl.Date:
        cells_ = cells.cast(pl.Datetime("ms"))
    else:
        cells_ = cells
    if cells_.null_count():
        _bad_cell(name, cells, cells_.is_null(), number, unit, "a time (epoch or ISO 8601)")
    if isinstance(cells_.dtype, pl.Datetime):  # naive is UTC
        return cells_.dt.epoch("ms").to_numpy().astype(np.int64)
    if not cells_.dtype.is_numeric():
        raise UserError(f"{name}: column {cells.name} holds {cells_.dtype}, not times")
    return _epochs(name, cells_.to_numpy(), cells.name)


def _epochs(name: str, epochs: NDArray[np.generic], column: str) -> I64:
    """Return ms of epochs; their unit (s, ms, us, ns) is unambiguous for years after 1973."""
    if len(epochs) == 0:
        return np.empty(0, np.int64)
    values = epochs.astype(np.float64)
    units = np.digitize(np.abs(values), [1e11, 1e14, 1e17])
    if not np.all(np.isfinite(values)) or not np.all(units == units[0]):
        raise UserError(
            f"{name}: column {column} mixes times of different units: "
            "write all times in ms since 1970"
        )
    if units[0] == 0:
        return np.rint(values * 1000).astype(np.int64)
    divisor = int(1000 ** (units[0] - 1))
    if np.issubdtype(epochs.dtype, np.integer):
        return epochs.astype(np.int64) // divisor
    return np.rint(values / divisor).astype(np.int64)


def _best(first: pl.Series, second: pl.Series) -> pl.Series:
    """Return the parsed column with fewer nulls."""
    return first if first.null_count() <= second.null_count() else second


def _epoch_texts(cells: pl.Series, kind: type[pl.Int64 | pl.Float64]) -> pl.Series:
    return cells.str.strip_chars().cast(kind, strict=False)


def _dates(cells: pl.Series) -> pl.Series:
    """Return datetimes in UTC of texts; null where a text is not a time."""
    zone = r"(\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*([+-]\d{2}(?::?\d{2})?|Z|z|UTC)$"
    text = pl.col("text").str.strip_chars()
    plain = (
        text.str.replace(zone, "$1")
        .str.replace_all("/", "-", literal=True)
        .str.replace("T", " ", literal=True)
        .str.replace(r"^(\d{4}-\d{2}-\d{2})$", "$1 00:00:00")
        .str.replace(r"^(\d{4}-\d{2}-\d{2} \d{2}:\d{2})$", "${1}:00")
    )
    offset = text.str.extract(zone, 2)
    hours = offset.str.extract(r"^([+-]\d{2})").cast(pl.Int64)
    minutes = offset.str.extract(r"^[+-]\d{2}:?(\d{2})$").cast(pl.Int64).fill_null(0)
    east = hours * 60 + pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes)
    return (
        pl.select(text=cells)
        .select(
            plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="ms")
            - pl.duration(minutes=east.fill_null(0), time_unit="ms")
        )
        .to_series()
    )


def _bad_cell(
    name: str, cells: pl.Series, bad: pl.Series, number: I64, unit: str, expected: str
) -> NoReturn:
    row = bad.arg_max()
    assert row is not None
    cell = cells[row]
    content = "is empty" if cell is None or cell == "" else f"is '{str(cell)[:40]}'"
    raise UserError(
        f"{name}, {unit} {number[row]}: column {cells.name} {content}, not {expected}: "
        "correct it, or delete the row"
    )
