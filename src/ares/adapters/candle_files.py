"""Reads candles from files (Parquet, CSV, Feather, JSON, zipped CSV) and checks them."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, NoReturn

import msgspec
import polars as pl

from ares.adapters.candle_columns import CandleFormatError, CandleTable, is_heading, table_of
from ares.adapters.candle_names import UnsupportedCandles, names_of, require_supported
from ares.adapters.candle_rules import check_prices, in_order, interval_of, require_past
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument
from ares.domain.symbols import parse_symbol
from ares.kernel.bars import Bars

SUFFIXES = (
    *(".parquet", ".pq", ".csv", ".csv.gz", ".feather", ".arrow", ".ipc"),
    *(".json", ".json.gz", ".zip"),
)

UNZIPPED_BYTES_MAX = 2**31
"""A larger member of a zip file is refused."""

KLINE = ("ts", "open", "high", "low", "close", "volume")
"""First columns of the kline files of Binance, which have no heading."""


class CandleFile(msgspec.Struct, frozen=True):
    """The candles of one file, checked.

    repeated : rows dropped because they repeat another row exactly.
    """

    path: Path
    instrument: Instrument
    interval: str
    bars: Bars
    repeated: int = 0


def candle_files(path: Path, below: bool = False) -> tuple[list[Path], list[Path]]:
    """Return ``(files that may hold candles, other files)`` of a file or folder, sorted by name.

    below : search the folders below too; hidden ones are left out.

    Raises UserError when there is nothing at ``path``.
    """
    if path.is_file():
        return [path], []
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder: check the path")
    found = _files_below(path) if below else path.iterdir()
    files = sorted(file for file in found if file.is_file() and file.name[0] != ".")
    if not files:
        raise UserError(f"{path}: the folder is empty: give the folder of the candles")
    known = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    others = set(files) - set(known)
    return known, [file for file in files if file in others]


def _files_below(path: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name[0] != "."]
        yield from (Path(folder, name) for name in names)


def read_candles(
    path: Path,
    venue: str,
    symbol: str | None = None,
    interval: str | None = None,
    *,
    repair: bool = False,
    now_ms: int | None = None,
) -> CandleFile:
    """Return the candles of a file, all checked.

    symbol, interval : override the file's name; the interval is checked against the times.
    repair           : sort by time, and drop rows that repeat another exactly.
    now_ms           : no bar may open later than a day after it; None: not checked.

    Raises CandleFormatError (a UserError) when the columns are not those of candles;
    UnsupportedCandles for derivatives and other intervals; UserError for any other error in the
    file, with its line; ExternalError when the file cannot be read.
    """
    venue = venue.lower()
    if interval is None:
        require_supported(path)
    table = read_table(path)
    named_symbol, named_interval = names_of(path.name, venue)
    if symbol is None and named_symbol is None:
        raise UserError(
            f"{path.name}: no symbol in the file's name: add --symbol, such as BTC/USDT"
        )
    instrument = Instrument(venue, parse_symbol(symbol or named_symbol or ""))
    check_prices(path.name, table)
    if now_ms is not None:
        require_past(path.name, table, now_ms)
    table, repeated = in_order(path.name, table, repair)
    return CandleFile(
        path,
        instrument,
        interval_of(path.name, table, interval or named_interval),
        table.bars,
        repeated,
    )


def read_table(path: Path) -> CandleTable:
    """Return the rows of a file in its order; errors as in ``read_candles``."""
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path.name}: the file is empty: download it again")
        if not path.name.lower().endswith(SUFFIXES):
            raise CandleFormatError(f"{path.name}: no file of candles: use {' '.join(SUFFIXES)}")
        if suffix in ("csv", "zip"):
            frame, first_line = _read_csv(path.name, _unzipped(path) if suffix == "zip" else path)
            table = table_of(path.name, frame, first_line, "line")
        elif suffix == "json":
            table = table_of(path.name, _read_json(path), 1, "row")
        else:
            frame = (
                pl.read_parquet(path, glob=False, hive_partitioning=False)
                if suffix in ("parquet", "pq")
                else pl.read_ipc(path)
            )
            table = table_of(path.name, frame, 1, "row")
    except (
        pl.exceptions.PolarsError,
        EOFError,
        UnicodeDecodeError,
        gzip.BadGzipFile,
        zipfile.BadZipFile,
        zlib.error,
        msgspec.DecodeError,
        csv.Error,
    ) as error:
        raise _unreadable(path, suffix, error) from error
    except OSError as error:
        if error.errno is None:  # gzip reports a truncated stream as an OSError
            raise _unreadable(path, suffix, error) from error
        raise ExternalError(f"{path}: {error.strerror}: check the disk and permissions") from error
    if len(table.bars) == 0:
        raise UserError(f"{path.name}: the file has a heading but no candles: download it again")
    return table


def _read_csv(name: str, source: Path | bytes) -> tuple[pl.DataFrame, int]:
    """Return the cells as texts, and the line number of the first row.

    Lines before the heading with another number of fields than most lines (a web address, a
    remark) are skipped.
    """
    with _open_text(source) as file:
        lines = list(islice(file, 20))
    separator = max(",;\t|", key=lambda mark: max(line.count(mark) for line in lines))
    fields = list(csv.reader(lines, delimiter=separator))
    widths = Counter(len(row) for row in fields if row) or Counter([0])
    width = max(widths, key=lambda n: (widths[n], n))
    skipped = next((k for k, row in enumerate(fields) if len(row) == width), 0)
    has_heading = is_heading(fields[skipped])
    if not has_heading and width < len(KLINE):
        raise CandleFormatError(f"{name}: no heading, and fewer than {len(KLINE)} columns")
    try:
        frame = pl.read_csv(
            source,
            separator=separator,
            has_header=has_heading,
            skip_lines=skipped,
            infer_schema=False,
            glob=False,
        )
    except pl.exceptions.ComputeError as error:
        if "more fields" in str(error):
            _ragged(name, source, separator, width)
        raise
    if not has_heading:
        frame = frame.rename(dict(zip(frame.columns, KLINE, strict=False)))
    return frame, skipped + has_heading + 1


def _read_json(path: Path) -> pl.DataFrame:
    """Return rows of ``[time, open, high, low, close, volume]`` (ccxt, freqtrade), or objects."""
    raw = path.read_bytes()
    content = gzip.decompress(raw) if path.name.lower().endswith(".gz") else raw
    rows = msgspec.json.decode(content)
    if not isinstance(rows, list) or not rows:
        raise CandleFormatError(f"{path.name}: not a list of candles")
    if all(isinstance(row, dict) for row in rows):
        columns = list(dict.fromkeys(key for row in rows[:100] for key in row))
        cells = [[row.get(name) for row in rows] for name in columns]
    else:
        columns = list(KLINE)
        short = next((k for k, row in enumerate(rows, 1) if not _is_kline(row)), None)
        if short is not None and not any(_is_kline(row) for row in rows):
            raise CandleFormatError(f"{path.name}: its rows are not those of candles")
        if short is not None:
            raise UserError(
                f"{path.name}, row {short}: not a list of {len(KLINE)} values "
                f"({', '.join(KLINE)}): correct the row, or delete it"
            )
        cells = [[row[k] for row in rows] for k in range(len(KLINE))]
    frame = pl.DataFrame(
        [pl.Series(name, each, strict=False) for name, each in zip(columns, cells, strict=True)]
    )
    return frame.with_columns(pl.col(pl.Null).cast(pl.Float64))


def _is_kline(row: object) -> bool:
    return isinstance(row, list) and len(row) >= len(KLINE)


def _unzipped(path: Path) -> bytes:
    """Return the CSV file in a zip file, such as those of Binance, which hold one each."""
    with zipfile.ZipFile(path) as archive:
        members = [each for each in archive.infolist() if each.filename.lower().endswith(".csv")]
        if not members:
            raise CandleFormatError(f"{path.name}: holds no CSV file")
        if len(members) > 1:
            raise UnsupportedCandles(
                f"{path.name}: holds {len(members)} CSV files: unpack it, and import the folder"
            )
        if members[0].file_size > UNZIPPED_BYTES_MAX:
            raise UserError(f"{path.name}: more than 2 GB unpacked: unpack it and split the file")
        try:
            return archive.read(members[0])
        except (RuntimeError, NotImplementedError) as error:  # encrypted, unknown compression
            raise UserError(f"{path.name}: {error}: unpack it") from error


def _open_text(source: Path | bytes) -> IO[str]:
    if isinstance(source, bytes):
        return io.TextIOWrapper(io.BytesIO(source), encoding="utf-8-sig", newline="")
    if source.name.lower().endswith(".gz"):
        return gzip.open(source, "rt", encoding="utf-8-sig", newline="")
    return source.open("rt", encoding="utf-8-sig", newline="")


def _ragged(name: str, source: Path | bytes, separator: str, width: int) -> NoReturn:
    """Raise UserError at the first line that has more fields than the heading."""
    with _open_text(source) as file:
        for number, row in enumerate(csv.reader(file, delimiter=separator), 1):
            if len(row) > width:
                raise UserError(
                    f"{name}, line {number}: {len(row)} fields where the heading has {width}: "
                    "correct the line, or delete it"
                )
    raise UserError(f"{name}: lines have more fields than the heading: correct them")


def _unreadable(path: Path, suffix: str, error: BaseException) -> UserError:
    kinds = {"csv": "CSV", "pq": "Parquet", "parquet": "Parquet", "json": "JSON", "zip": "a zip"}
    kind = kinds.get(suffix, "Feather")
    reason = str(error).splitlines()[0].removeprefix("parquet: ")
    return UserError(f"{path.name}: damaged, or not {kind} ({reason}): download it again")
