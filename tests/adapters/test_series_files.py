"""Values of a series out of files: all of them, or one line that says which row is bad."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ares.adapters.series_files import SeriesFormat, read_series
from ares.domain.errors import ExternalError, UserError
from ares.domain.series import SeriesValue
from ares.domain.timeframe import DAY_MS, HOUR_MS

T = 1_704_067_200_000  # 2024-01-01
NOW = T + 100 * DAY_MS
SCOPES = ("BTC", "ETH", "BTC/USDT", "binance:BTC/USDT")
HOW = SeriesFormat("funding")
LAGGED = SeriesFormat("funding", HOUR_MS)


def read(path: Path, text: str, how: SeriesFormat = HOW) -> list[SeriesValue]:
    path.write_text(text)
    return read_series(path, how, SCOPES, NOW)


def test_the_columns_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = "published,known,value,symbol\n2024-01-01T00:00Z,2024-01-01 08:00,0.5,btc/usdt\n"
    assert read(path, text) == [SeriesValue(T, T + 8 * HOUR_MS, 0.5, "BTC/USDT")]
    text = "published;known;value;symbol\n1704067200;1704067200000;-1e3;Binance:BTC/USDT\n"
    assert read(path, text) == [SeriesValue(T, T, -1000.0, "binance:BTC/USDT")]
    text = "ts,funding,other\n2024-01-01,7,x\n"
    assert read(path, text, LAGGED) == [SeriesValue(T, T + HOUR_MS, 7.0)]
    how = SeriesFormat("funding", HOUR_MS, "Other", "ETH")
    assert read(path, "ts,funding,other\n2024-01-01,7,8\n", how) == [
        SeriesValue(T, T + HOUR_MS, 8.0, "ETH")
    ]


def test_all_file_formats_give_the_same_rows(tmp_path: Path) -> None:
    frame = pl.DataFrame({"published": [T, T + DAY_MS], "value": [1.0, 2.5]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "b.csv")
    frame.write_ndjson(tmp_path / "c.jsonl")
    found = [
        read_series(tmp_path / name, LAGGED, SCOPES, NOW)
        for name in ("a.parquet", "b.csv", "c.jsonl")
    ]
    assert found[0] == found[1] == found[2]
    assert found[0][1] == SeriesValue(T + DAY_MS, T + DAY_MS + HOUR_MS, 2.5)


GOOD = "published,known,value,symbol\n2024-01-01,2024-01-01,1,BTC\n"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("2024-01-03,2024-01-02,1,BTC", "known 2024-01-02 00:00 is before published 2024-01-03"),
        ("soon,2024-01-02,1,BTC", 'published: a time that cannot be read ("soon")'),
        (",2024-01-02,1,BTC", 'published: no time ("")'),
        ("2024-01-02,02/01/24 7 PM,1,BTC", "known: a time"),
        ("2024-01-02,2024-01-02,,BTC", 'value is no number ("")'),
        ('2024-01-02,2024-01-02,"12,3",BTC', 'value is no number ("12,3")'),
        ("2024-01-02,2024-01-02,nan,BTC", 'value is no finite number ("nan")'),
        ("2024-01-02,2024-01-02,-inf,BTC", 'value is no finite number ("-inf")'),
        ("2024-01-02,2024-01-02,1e31,BTC", 'value is larger than 1e30 ("1e31")'),
        ("2024-01-01,2024-01-02,2,BTC", "2024-01-01 00:00 is published twice for BTC, first in l"),
        ("2025-01-02,2025-01-02,1,BTC", "published 2025-01-02 00:00 is in the future"),
        ("2024-01-02,2025-01-02,1,BTC", "known 2025-01-02 00:00 is in the future"),
        ("2024-01-02,2024-01-02,1,BTK", "symbol 'BTK' is no stored instrument and no base"),
        ("2024-01-02,2024-01-02,1,BTC,9", "more cells than columns"),
        ("2024-01-02,2024-01-02,1,", "'symbol' is filled in some rows and empty in others"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_taken(tmp_path: Path, row: str, line: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path / "a.csv", f"{GOOD}{row}\n2024-02-01,2024-02-01,1,BTC\n")
    text = str(caught.value)
    assert text.startswith("a.csv, line 3: ")
    assert line in text
    assert text.endswith("nothing was imported")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("text", "how", "line"),
    [
        ("", HOW, "no column 'published' (columns: none)"),
        ("published,known,value\n", HOW, "no rows: nothing was imported"),
        ("value,known\n1,2\n", HOW, "no column 'published' (columns: value, known)"),
        ("ts,known,score\n1,2,3\n", HOW, "no column 'value' or 'funding'"),
        ("ts,known,value\n1,2,3\n", SeriesFormat("a", None, "b"), "no column 'b'"),
        ("ts,value\n2024-01-01,1\n", HOW, "no column 'known': write with --lag"),
        ("ts,known,value\n1,2,3\n", LAGGED, "has a column 'known': leave --lag out"),
        (GOOD, SeriesFormat("a", None, "", "BTC"), "has a column 'symbol': leave --symbol out"),
    ],
)
def test_a_file_with_other_columns_is_refused(
    tmp_path: Path, text: str, how: SeriesFormat, line: str
) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path / "a.csv", text, how)
    assert line in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_series(tmp_path / "none.csv", HOW, SCOPES, NOW)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match="no whole Parquet file"):
        read_series(tmp_path / "a.parquet", HOW, SCOPES, NOW)
    with pytest.raises(UserError, match=r"a table comes as \.csv"):
        read(tmp_path / "a.txt", "published,value\n")
    with pytest.raises(UserError, match="1 of its lines are no JSON object"):
        read(tmp_path / "a.jsonl", '{"published": 1, "known": 2, "value": 3}\n[]\n')
    pl.DataFrame({"ts": [T, None], "value": [1.0, 2.0]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(UserError, match=r"b\.parquet, row 2: published: no time"):
        read_series(tmp_path / "b.parquet", LAGGED, SCOPES, NOW)
    with pytest.raises((UserError, ExternalError)):
        read_series(tmp_path, HOW, SCOPES, NOW)


def test_an_instant_is_one_publication_however_it_is_written(tmp_path: Path) -> None:
    text = "published,value\n2024-01-01,1\n1704067200,2\n"
    with pytest.raises(UserError, match="2024-01-01 00:00 is published twice, first in line 2"):
        read(tmp_path / "a.csv", text, LAGGED)
    text = "published,value,symbol\n2024-01-01,1,BTC\n2024-01-01,2,ETH\n"
    assert len(read(tmp_path / "a.csv", text, LAGGED)) == 2
