"""Tables out of files: rows with their positions; a damaged file is one line."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from ares.adapters.table_files import MORE_CELLS, Fields, FormatError, file_bytes, read_table
from ares.domain.errors import ExternalError, UserError


def all_fields(_name: str, columns: list[str]) -> Fields:
    return {column: column for column in columns}


def test_rows_know_their_position_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('ts,title\n1,"two\nlines"\n2,b\n')
    assert read_table(tmp_path / "a.csv", all_fields).positions == ["line 3", "line 4"]
    (tmp_path / "b.jsonl").write_text('{"ts": 1}\n\nnot json\n[1]\n{"ts": 2, "title": "b"}\n')
    read = read_table(tmp_path / "b.jsonl", all_fields)
    assert (read.positions, read.broken) == (["line 1", "line 5"], 2)
    assert list(read.fields) == ["ts", "title"]
    pl.DataFrame({"ts": [1, 2]}).write_parquet(tmp_path / "c.parquet")
    assert read_table(tmp_path / "c.parquet", all_fields).positions == ["row 1", "row 2"]


def test_only_the_columns_that_are_looked_for_are_read_from_parquet(tmp_path: Path) -> None:
    pl.DataFrame({"ts": [1], "title": ["a"], "other": [0]}).write_parquet(tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet", lambda *_: {"headline": "title", "published": "ts"})
    assert read.rows == [{"ts": 1, "title": "a"}]


def test_columns_that_are_refused_end_the_reading(tmp_path: Path) -> None:
    def refuse(name: str, columns: list[str]) -> Fields:
        raise FormatError(f"{name}: {columns}")

    (tmp_path / "a.csv").write_text("ts,title\n")
    with pytest.raises(FormatError, match=r"a\.csv: \['ts', 'title'\]"):
        read_table(tmp_path / "a.csv", refuse)
    with pytest.raises(FormatError, match=r"a\.xlsx: a table comes as \.csv"):
        read_table(tmp_path / "a.xlsx", refuse)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.parquet", b"PAR1 not really", "no whole Parquet file"),
        ("b.csv.gz", b"not zipped", "cannot be unpacked"),
        ("c.csv.gz", gzip.compress(b"ts,title\n1,2\n" * 999, mtime=0)[:-20], "ends too early"),
        ("d.csv", b"ts,title\n1,\xff\xfe\n", "no text in UTF-8"),
        ("e.csv", b"ts,title\n1," + b"x" * 140_000 + b"\n", "field larger"),
        ("f.jsonl", b"[" * 100_000 + b"\n", "none of its lines"),
        (
            "h.csv.gz",
            gzip.compress(b"ts,title\n" * 999, mtime=0)[:12] + b"\xff" * 99,
            "cannot be unpacked",
        ),
        ("i.csv", b'ts,title\n1,"never closed\n2,other\n', "line 1: unexpected end"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, name: str, content: bytes, line: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=line) as caught:
        read_table(tmp_path / name, all_fields)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_a_small_file_does_not_grow_without_end(tmp_path: Path) -> None:
    zeros = gzip.compress(b"0" * (1 << 20), 9)
    (tmp_path / "a.csv.gz").write_bytes(zeros * 257)  # members one after another: 257 MB
    with pytest.raises(UserError, match="more than 256 MB"):
        read_table(tmp_path / "a.csv.gz", all_fields)


def test_the_limit_itself_passes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    assert file_bytes(tmp_path / "a", 4) == b"1234"
    with pytest.raises(UserError, match="more than 0 MB: split it"):
        file_bytes(tmp_path / "a", 3)


def test_a_file_that_cannot_be_read_is_an_external_error(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match="No such file"):
        file_bytes(tmp_path / "none")
    with pytest.raises(ExternalError, match="Is a directory"):
        file_bytes(tmp_path)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_quotes_and_displaced_cells(tmp_path: Path, separator: str) -> None:
    lines = [["ts", "title"], ["2024-09-12 08:00", '"a ""b"""'], ["2024", "two", "three"]]
    text = "\r\n".join(separator.join(cells) for cells in lines)
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    rows = read_table(tmp_path / "a.csv", all_fields).rows
    assert rows[0] == {"ts": "2024-09-12 08:00", "title": 'a "b"'}
    assert rows[1] == {"ts": "2024", "title": "two", MORE_CELLS: ["three"]}


def test_a_line_is_what_ends_with_a_newline(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes('{"ts": 1, "title": "a\u2028b\x85c"}\r\n'.encode())
    assert read_table(tmp_path / "a.jsonl", all_fields).rows == [
        {"ts": 1, "title": "a\u2028b\x85c"}
    ]
