"""Tables out of files, row by row: Parquet, CSV and JSON lines, as they are written there."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ares.domain.errors import ExternalError, UserError

TEXTS = (".csv", ".csv.gz")
LINES = (".jsonl", ".ndjson")
TABLES = (".parquet", ".pq")
TABLE_SUFFIXES = (*TEXTS, *LINES, *TABLES)
TEXT_BYTES_MAX = 256 * 1024 * 1024
"""Of a text file, unpacked: some millions of rows, and no more than memory holds."""

MORE_CELLS = "more cells than columns"
"""The key of what a row has behind its last column; whatever is there, its cells are displaced."""

Fields = dict[str, str]
"""What is looked for -> the name of the column that holds it."""


class FormatError(UserError):
    """The file is of another kind, or has other columns, than what is looked for."""


class Table(NamedTuple):
    """The rows of a file.

    fields : what the columns mean.
    positions : where each row is, such as ``line 214``.
    broken : lines that are no rows at all.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    fields: Fields
    positions: list[str]
    broken: int = 0


def read_table(path: Path, fields_of: Callable[[str, list[str]], Fields]) -> Table:
    """Return the rows of a file.

    fields_of : (file name, columns) -> what they mean; raises FormatError where they are others.

    Raises FormatError, or UserError where the file cannot be read at all.
    """
    name = path.name.lower()
    if name.endswith(TABLES):
        return _parquet(path, fields_of)
    if name.endswith(LINES):
        return _lines(path, fields_of)
    if name.endswith(TEXTS):
        return _text(path, fields_of)
    raise FormatError(f"{path.name}: a table comes as {', '.join(TABLE_SUFFIXES)}")


def file_bytes(path: Path, bytes_max: int = TEXT_BYTES_MAX) -> bytes:
    """Return what a file holds, unpacked.

    Raises UserError where it is damaged or larger than allowed, ExternalError where it cannot be
    read.
    """
    try:
        with path.open("rb") as file:
            packed = path.name.lower().endswith(".gz")
            content = (gzip.GzipFile(fileobj=file) if packed else file).read(bytes_max + 1)
    except (gzip.BadGzipFile, zlib.error):
        raise UserError(f"{path.name}: damaged: it cannot be unpacked") from None
    except EOFError:
        raise UserError(f"{path.name}: damaged: it ends too early") from None
    except OSError as error:
        raise ExternalError(f"{path}: {error.strerror or error}") from None
    if len(content) > bytes_max:
        raise UserError(f"{path.name}: more than {bytes_max >> 20} MB: split it into smaller files")
    return content


def _decoded(path: Path) -> str:
    try:
        return file_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path.name}: no text in UTF-8: save it in that encoding") from None


def _parquet(path: Path, fields_of: Callable[[str, list[str]], Fields]) -> Table:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, EOFError) as error:
        reason = str(error).splitlines()[0][:100]
        raise UserError(f"{path.name}: no whole Parquet file ({reason})") from None
    except OSError as error:
        raise ExternalError(f"{path}: {error.strerror or error}") from None
    fields = fields_of(path.name, frame.columns)
    rows = list(frame.select(set(fields.values())).iter_rows(named=True))
    return Table(path.name, rows, fields, [f"row {k}" for k in range(1, len(rows) + 1)])


def _text(path: Path, fields_of: Callable[[str, list[str]], Fields]) -> Table:
    content = _decoded(path)
    heading = content.partition("\n")[0]
    # strict: a quote that is never closed would swallow the rest of the file as one cell
    reader = csv.DictReader(
        io.StringIO(content, newline=""),
        restkey=MORE_CELLS,
        delimiter=max(",;\t", key=heading.count),
        strict=True,
    )
    rows, positions = [], []
    try:
        fields = fields_of(path.name, list(reader.fieldnames or []))
        for row in reader:
            rows.append(row)
            positions.append(f"line {reader.line_num}")
    except csv.Error as error:
        raise UserError(f"{path.name}, line {reader.line_num}: {error}") from None
    return Table(path.name, rows, fields, positions)


def _lines(path: Path, fields_of: Callable[[str, list[str]], Fields]) -> Table:
    rows: list[Mapping[str, Any]] = []
    positions, broken = [], 0
    for number, line in enumerate(_decoded(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
            positions.append(f"line {number}")
        else:
            broken += 1
    if broken and not rows:
        raise UserError(f"{path.name}: none of its lines is a JSON object")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Table(path.name, rows, fields_of(path.name, names), positions, broken)
