"""Columns of a candle table: known headings and times are read alike; a bad cell is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from ares.adapters.candle_columns import VALUES, CandleFormatError, is_heading, table_of
from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, MINUTE_MS

START_MS = 1_679_004_900_000  # 2023-03-16 22:15:00 UTC
N = 12


def frame(step_ms: int = MINUTE_MS) -> pl.DataFrame:
    """Return N valid candles."""
    start_ms = START_MS // step_ms * step_ms
    close = [100.25 + k for k in range(N)]
    return pl.DataFrame(
        {
            "ts": [start_ms + k * step_ms for k in range(N)],
            "open": [c - 0.25 for c in close],
            "high": [c + 1.0 for c in close],
            "low": [c - 1.0 for c in close],
            "close": close,
            "volume": [0.5 * k for k in range(N)],
        }
    )


def assert_read(table: pl.DataFrame, want: pl.DataFrame | None = None) -> None:
    """Check that the columns are read as those of ``want``, as typed cells and as texts."""
    want = frame() if want is None else want
    for kind in (table, table.cast(pl.String)):
        bars = table_of("a", kind, 1, "row").bars
        assert bars.ts_ms.tolist() == want["ts"].to_list()
        for name in VALUES:
            assert getattr(bars, name).tolist() == want[name].to_list()


def times(shape: str) -> list[Any]:
    """Return the candles' times as people write them."""
    stamps = [START_MS + k * MINUTE_MS for k in range(N)]
    when = [np.datetime64(stamp, "ms").item() for stamp in stamps]
    shapes: dict[str, Callable[[int], Any]] = {
        "s": lambda k: stamps[k] // 1000,
        "ms": lambda k: stamps[k],
        "us": lambda k: stamps[k] * 1000,
        "ns": lambda k: stamps[k] * 1_000_000,
        "float s": lambda k: stamps[k] / 1000,
        "iso": lambda k: when[k].strftime("%Y-%m-%d %H:%M:%S"),
        "iso T Z": lambda k: when[k].strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "iso minutes": lambda k: when[k].strftime("%Y-%m-%d %H:%M"),
        "slashes": lambda k: when[k].strftime("%Y/%m/%d %H:%M:%S"),
        "Seoul": lambda k: str(np.datetime64(stamps[k] // 1000 + 32_400, "s")) + "+09:00",
        "Newfoundland": lambda k: str(np.datetime64(stamps[k] // 1000 - 9_000, "s")) + "-02:30",
    }
    return [shapes[shape](k) for k in range(N)]


@pytest.mark.parametrize(
    "shape",
    [
        *("s", "ms", "us", "ns", "float s", "iso", "iso T Z", "iso minutes", "slashes"),
        *("Seoul", "Newfoundland"),
    ],
)
def test_every_way_to_write_a_time_gives_the_same_candles(shape: str) -> None:
    assert_read(frame().with_columns(ts=pl.Series(times(shape))))


def test_datetime_columns_naive_are_utc_and_aware_are_converted() -> None:
    naive = frame().with_columns(ts=pl.from_epoch("ts", "ms"))
    seoul = naive.with_columns(
        ts=pl.col("ts").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Seoul")
    )
    for table in (naive, seoul):
        assert_read(table.rename({"ts": "date"}))


def test_days_may_be_dates() -> None:
    want = frame(DAY_MS)
    dates = want.with_columns(ts=pl.from_epoch("ts", "ms").cast(pl.Date)).rename({"ts": "Date"})
    assert_read(dates, want)


@pytest.mark.parametrize(
    "headings",
    [
        ("timestamp", "Open", "High", "Low", "Close", "Volume"),
        ("Open time", "open_price", "high_price", "low_price", "close_price", "vol"),
        ("unix", "o", "h", "l", "c", "v"),
        ("DateTime", "OPEN", "HIGH", "LOW", "CLOSE", "Volume BTC"),
        ("Timestamp", "Open", "High", "Low", "Close", "Volume_(BTC)"),
    ],
)
def test_common_headings_are_known(headings: tuple[str, ...]) -> None:
    table = frame()
    table.columns = list(headings)
    assert_read(table.with_columns(quote_volume=pl.lit(7.0), trades=pl.lit(3)))


def test_the_preferred_heading_is_taken_where_several_fit() -> None:
    assert_read(frame().with_columns(time=pl.lit("09:30"), base_volume=pl.lit(-1.0)))


def test_an_empty_row_is_skipped_and_the_numbers_of_the_others_stay() -> None:
    blank = pl.DataFrame({name: [None] for name in frame().columns}, schema=frame().schema)
    table = table_of("a.csv", pl.concat([frame()[:3], blank, frame()[3:]]), 2, "line")
    assert table.number.tolist() == [2, 3, 4, *range(6, 15)]
    assert table.keep(np.array([3])).number.tolist() == [6]


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("close", "n/a", "a.csv, line 5: column close is 'n/a', not a number"),
        ("open", "", "a.csv, line 5: column open is empty, not a number"),
        ("ts", "yesterday", "a.csv, line 5: column ts is 'yesterday', not a time"),
        ("ts", "", "a.csv, line 5: column ts is empty"),
        ("ts", "1679004900", "column ts mixes times of different units"),
    ],
)
def test_a_bad_cell_is_named_with_its_line(column: str, text: str, message: str) -> None:
    table = frame().cast(pl.String)
    cells = table[column].to_list()
    cells[3] = text
    with pytest.raises(UserError) as caught:
        table_of("a.csv", table.with_columns(pl.Series(column, cells)), 2, "line")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["ts", "close"])
def test_a_column_of_another_type_is_refused(column: str) -> None:
    with pytest.raises(UserError, match=f"column {column} holds Boolean, not"):
        table_of("a", frame().with_columns(pl.lit(True).alias(column)), 1, "row")


def test_candles_that_lack_a_column_are_distinguished_from_other_tables() -> None:
    with pytest.raises(UserError, match=r"no column for volume .*: name it volume") as caught:
        table_of("a", frame().drop("volume"), 1, "row")
    assert not isinstance(caught.value, CandleFormatError)
    with pytest.raises(UserError, match=r"no column for time .*: name it ts") as caught:
        table_of("a", frame().drop("ts"), 1, "row")
    assert not isinstance(caught.value, CandleFormatError)
    with pytest.raises(CandleFormatError, match="no column for open, high, low"):
        table_of("a", frame().drop("open", "high", "low"), 1, "row")


def test_a_row_of_numbers_is_no_heading() -> None:
    assert is_heading(["ts", "1", "2"])
    assert is_heading(["2023-03-16 22:15", "1"])
    assert not is_heading(["1679004900000", ' "1.5" ', "-2e3"])
