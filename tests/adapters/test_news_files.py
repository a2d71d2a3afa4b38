"""News files: Parquet, CSV, JSON lines, saved feeds, and damaged ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ares.adapters.news_files import news_files, read_news
from ares.adapters.news_rows import NewsItemError, item_of
from ares.adapters.table_files import FormatError
from ares.domain.errors import UserError

ROWS: list[dict[str, Any]] = [
    {"date": "2024-09-12 08:00", "title": 'Bitcoin, "again"', "score": 0.5},
    {"date": "2024-09-12 09:00", "title": "Two\nlines", "score": None},
]


def test_the_same_rows_from_every_kind(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "b.csv")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress((tmp_path / "b.csv").read_bytes()))
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, ROWS)) + "\n\nnot json\n[1]\n")
    (tmp_path / "e.txt").write_text("hello")
    files, others = news_files(tmp_path)
    assert [f.name for f in files] == ["a.parquet", "b.csv", "c.csv.gz", "d.jsonl"]
    assert [f.name for f in others] == ["e.txt"]
    for file in files:
        read = read_news(file)
        assert [row["title"] for row in read.rows] == [row["title"] for row in ROWS]
        assert read.fields == {"published": "date", "headline": "title", "score": "score"}
        assert read.broken == (2 if file.name == "d.jsonl" else 0)
    (tmp_path / "f.rss").write_text("<rss><channel><item><title>x</title></item></channel></rss>")
    assert read_news(tmp_path / "f.rss").rows == [{"title": "x", "published": None}]


def test_a_file_without_news_gives_a_message_with_its_columns(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1], "b": [2]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        FormatError, match=r"no column for the time of publication \(columns: a, b\)"
    ):
        read_news(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("ts,price\n1,2\n")
    with pytest.raises(FormatError, match="no column for headline or score"):
        read_news(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("")
    with pytest.raises(FormatError, match="columns: none"):
        read_news(tmp_path / "c.csv")
    with pytest.raises(FormatError, match="news come as"):
        read_news(tmp_path / "d.xlsx")
    with pytest.raises(UserError, match="no such file"):
        news_files(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.parquet", b"PAR1 not really", "no whole Parquet file"),
        ("g.xml", b"<a>", "is no XML"),
        ("j.xml", b"<rss>" + b" " * (8 << 20) + b"</rss>", "more than 8 MB"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, name: str, content: bytes, line: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=line) as caught:
        read_news(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_odd_tables(tmp_path: Path, comma: str) -> None:
    lines = [["published", "title"], ["2024-09-12 08:00", '"a ""b"""'], ["2024", "two", "three"]]
    text = "\r\n".join(comma.join(cells) for cells in lines)
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    read = read_news(tmp_path / "a.csv")
    assert item_of(read.rows[0], read.fields, None).headline == 'a "b"'
    with pytest.raises(NewsItemError, match="more cells than columns"):
        item_of(read.rows[1], read.fields, None)
