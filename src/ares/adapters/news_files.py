"""News out of files: Parquet, CSV, JSON lines and saved feeds, row by row."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ares.adapters.news_feed import feed_items
from ares.adapters.news_rows import fields_of
from ares.domain.errors import UserMistake, WorldTrouble

FEEDS = (".xml", ".rss", ".atom")
TEXTS = (".csv", ".csv.gz")
LINES = (".jsonl", ".ndjson")
TABLES = (".parquet", ".pq")
SUFFIXES = (*FEEDS, *TEXTS, *LINES, *TABLES)


class NotNews(UserMistake):
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
        raise UserMistake(f"{path}: no such file or folder")
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
            return feed_file(path.name, path.read_bytes())
        if name.endswith(TABLES):
            return _table(path)
        if name.endswith(LINES):
            return _lines(path)
        if name.endswith(TEXTS):
            return _text(path)
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise UserMistake(f"{path.name}: damaged: it cannot be unpacked") from None
        raise WorldTrouble(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserMistake(f"{path.name}: no text in UTF-8: save it in that encoding") from None
    raise NotNews(f"{path.name}: news come as {', '.join(SUFFIXES)}")


def feed_file(name: str, content: bytes) -> NewsFile:
    """Return the items of a feed."""
    return NewsFile(name, list(feed_items(content, name)), fields_of(["title", "published"]))


def _table(path: Path) -> NewsFile:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, EOFError) as error:
        reason = str(error).splitlines()[0][:100]
        raise UserMistake(f"{path.name}: no whole Parquet file ({reason})") from None
    fields = _checked(path.name, frame.columns)
    return NewsFile(
        path.name, list(frame.select(set(fields.values())).iter_rows(named=True)), fields
    )


def _text(path: Path) -> NewsFile:
    raw = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        try:
            raw = gzip.decompress(raw)
        except EOFError:
            raise UserMistake(f"{path.name}: damaged: it ends too early") from None
    reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    try:
        fields = _checked(path.name, reader.fieldnames or [])
        return NewsFile(path.name, list(reader), fields)
    except csv.Error as error:
        raise UserMistake(f"{path.name}, line {reader.line_num}: {error}") from None


def _lines(path: Path) -> NewsFile:
    rows: list[Mapping[str, Any]] = []
    broken = 0
    for line in path.read_bytes().decode("utf-8-sig").splitlines():
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
        raise UserMistake(f"{path.name}: none of its lines is a JSON object")
    names = dict.fromkeys(name for row in rows for name in row)
    return NewsFile(path.name, rows, _checked(path.name, list(names)), broken)


def _checked(name: str, columns: Iterable[str]) -> dict[str, str]:
    """Return what the columns mean; refuse a table that can hold no news."""
    present = list(columns)
    fields = fields_of(present)
    shown = ", ".join(present[:12]) or "none"
    if "published" not in fields:
        raise NotNews(f"{name}: no column for the time of publication (columns: {shown})")
    if not {"headline", "score", "index"} & set(fields):
        raise NotNews(f"{name}: no column for headline or score (columns: {shown})")
    return fields
