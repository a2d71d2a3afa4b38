"""News out of files: Parquet, CSV, JSON lines and saved feeds, row by row."""

from __future__ import annotations

from pathlib import Path

from ares.adapters.news_feed import BYTES_MAX, feed_items
from ares.adapters.news_rows import fields_of
from ares.adapters.news_text import one_line
from ares.adapters.table_files import (
    TABLE_SUFFIXES,
    Fields,
    FormatError,
    Table,
    file_bytes,
    read_table,
)
from ares.domain.errors import UserError

FEEDS = (".xml", ".rss", ".atom")
SUFFIXES = (*FEEDS, *TABLE_SUFFIXES)


def news_files(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a path that may hold news, and the others (not of sub-folders)."""
    if path.is_file():
        return [path], []
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder")
    files = sorted(child for child in path.iterdir() if child.is_file())
    fit = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    return fit, [file for file in files if file not in fit]


def read_news(path: Path) -> Table:
    """Return the rows of a file.

    Raises FormatError where it has no column for a time, or for headline or score; UserError where
    it cannot be read at all.
    """
    name = path.name.lower()
    if name.endswith(FEEDS):
        return feed_file(path.name, file_bytes(path, BYTES_MAX))
    if not name.endswith(TABLE_SUFFIXES):
        raise FormatError(f"{path.name}: news come as {', '.join(SUFFIXES)}")
    return read_table(path, _fields)


def feed_file(name: str, content: bytes) -> Table:
    """Return the items of a feed."""
    items = list(feed_items(content, name))
    positions = [f"item {k}" for k in range(1, len(items) + 1)]
    return Table(name, items, fields_of(["title", "published"]), positions)


def _fields(name: str, columns: list[str]) -> Fields:
    """Return what the columns mean; raise FormatError where they can hold no news."""
    fields = fields_of(columns)
    shown = one_line(", ".join(columns[:12])) or "none"
    if "published" not in fields:
        raise FormatError(f"{name}: no column for the time of publication (columns: {shown})")
    if not {"headline", "score", "index"} & set(fields):
        raise FormatError(f"{name}: no column for headline or score (columns: {shown})")
    return fields
