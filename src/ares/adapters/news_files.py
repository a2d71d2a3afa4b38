"""News out of files: Parquet, CSV, JSON lines and saved feeds, row by row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ares.adapters.news_feed import BYTES_MAX, feed_items
from ares.adapters.news_rows import MORE_CELLS, fields_of
from ares.adapters.news_text import one_line
from ares.domain.errors import ExternalError, UserError

FEEDS = (".xml", ".rss", ".atom")
TEXTS = (".csv", ".csv.gz")
LINES = (".jsonl", ".ndjson")
TABLES = (".parquet", ".pq")
SUFFIXES = (*FEEDS, *TEXTS, *LINES, *TABLES)
TEXT_BYTES_MAX = 256 * 1024 * 1024
"""Of a text file, unpacked: some millions of headlines, and no more than memory holds."""


class NewsFormatError(UserError):
    """The file has other columns than news have."""


class NewsFile(NamedTuple):
    """The rows of a file as they stand there.

    fields : what the columns mean, see ``news_rows.fields_of``.
    broken : lines that are no rows at all.
    """

    name: str
    rows: list[Mapping[str, Any]]
    fields: dict[str, str]
    broken: int = 0


def news_files(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a path that may hold news, and the others (not of sub-folders)."""
    if path.is_file():
        return [path], []
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder")
    files = sorted(child for child in path.iterdir() if child.is_file())
    fit = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    return fit, [file for file in files if file not in fit]


def read_news(path: Path) -> NewsFile:
    """Return the rows of a file.

    Raises NotNews where it has no column for a time, or for headline or score; UserMistake where it
    cannot be read at all.
    """
    name = path.name.lower()
    try:
        if name.endswith(FEEDS):
            return feed_file(path.name, _bytes(path, BYTES_MAX))
        if name.endswith(TABLES):
            return _table(path)
        if name.endswith(LINES):
            return _lines(path)
        if name.endswith(TEXTS):
            return _text(path)
    except (gzip.BadGzipFile, zlib.error):
        raise UserError(f"{path.name}: damaged: it cannot be unpacked") from None
    except EOFError:
        raise UserError(f"{path.name}: damaged: it ends too early") from None
    except OSError as error:
        raise ExternalError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path.name}: no text in UTF-8: save it in that encoding") from None
    raise NewsFormatError(f"{path.name}: news come as {', '.join(SUFFIXES)}")


def feed_file(name: str, content: bytes) -> NewsFile:
    """Return the items of a feed."""
    return NewsFile(name, list(feed_items(content, name)), fields_of(["title", "published"]))


def _table(path: Path) -> NewsFile:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, EOFError) as error:
        reason = str(error).splitlines()[0][:100]
        raise UserError(f"{path.name}: no whole Parquet file ({reason})") from None
    fields = _checked(path.name, frame.columns)
    return NewsFile(
        path.name, list(frame.select(set(fields.values())).iter_rows(named=True)), fields
    )


def _text(path: Path) -> NewsFile:
    content = _bytes(path, TEXT_BYTES_MAX).decode("utf-8-sig")
    heading = content.partition("\n")[0]
    # strict: a quote that is never closed would swallow the rest of the file as one headline
    reader = csv.DictReader(
        io.StringIO(content, newline=""),
        restkey=MORE_CELLS,
        delimiter=max(",;\t", key=heading.count),
        strict=True,
    )
    try:
        fields = _checked(path.name, reader.fieldnames or [])
        return NewsFile(path.name, list(reader), fields)
    except csv.Error as error:
        raise UserError(f"{path.name}, line {reader.line_num}: {error}") from None


def _bytes(path: Path, bytes_max: int) -> bytes:
    """Return what a file holds, unpacked; refuse more than is allowed, however small the file."""
    with path.open("rb") as file:
        packed = path.name.lower().endswith(".gz")
        content = (gzip.GzipFile(fileobj=file) if packed else file).read(bytes_max + 1)
    if len(content) > bytes_max:
        raise UserError(f"{path.name}: more than {bytes_max >> 20} MB: split it into smaller files")
    return content


def _lines(path: Path) -> NewsFile:
    rows: list[Mapping[str, Any]] = []
    broken = 0
    for line in _bytes(path, TEXT_BYTES_MAX).decode("utf-8-sig").split("\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            broken += 1
    if broken and not rows:
        raise UserError(f"{path.name}: none of its lines is a JSON object")
    names = dict.fromkeys(name for row in rows for name in row)
    return NewsFile(path.name, rows, _checked(path.name, list(names)), broken)


def _checked(name: str, columns: Iterable[str]) -> dict[str, str]:
    """Return what the columns mean; refuse a table that can hold no news."""
    present = list(columns)
    fields = fields_of(present)
    shown = one_line(", ".join(present[:12])) or "none"
    if "published" not in fields:
        raise NewsFormatError(f"{name}: no column for the time of publication (columns: {shown})")
    if not {"headline", "score", "index"} & set(fields):
        raise NewsFormatError(f"{name}: no column for headline or score (columns: {shown})")
    return fields
