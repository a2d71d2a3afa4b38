"""Imports candles from files into the store: one transaction and one report per file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from ares.adapters.candle_columns import CandleFormatError
from ares.adapters.candle_files import CandleFile, candle_files, read_candles
from ares.adapters.candle_names import names_of, parse_interval, parse_symbol, parse_venue
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.grid import grid_of
from ares.store.candles import CandleStore, Conflict


class ImportedFile(msgspec.Struct, frozen=True):
    """The result of one file.

    rows       : candles in the file; of these ``new`` were stored, ``same`` were stored already,
                 ``repeated`` were dropped by repair, and ``conflict_count`` differ from the stored
                 ones, which were kept (``conflicts``: the first of them).
    gaps       : spans of missing bars inside the file, ``missing`` bars in all.
    first_gap_ms : open time of the first missing bar.
    """

    name: str
    instrument: Instrument
    interval: str
    rows: int
    new: int
    same: int
    repeated: int
    conflict_count: int
    conflicts: tuple[Conflict, ...]
    from_ms: int
    to_ms: int
    gaps: int
    missing: int
    first_gap_ms: int | None


class ImportReport(msgspec.Struct, frozen=True):
    """The result of an import.

    skipped : names of files that hold no candles.
    refused : (name, reason) of invalid candle files; nothing of them was stored.
    """

    imported: tuple[ImportedFile, ...]
    skipped: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


def import_candles(
    store: CandleStore,
    path: Path,
    venue: str,
    symbol: str | None = None,
    interval: str | None = None,
    *,
    repair: bool = False,
    on_start: Callable[[int], None] = lambda _: None,
    on_file: Callable[[str], None] = lambda _: None,
) -> ImportReport:
    """Store the candles of a file, or of every candle file of a folder (subfolders excluded).

    symbol, interval, repair : as in ``read_candles``.
    on_start, on_file : called with the number of files, and after each file with its name.

    Raises UserError when a single file is invalid, or a folder holds no candles at all; an invalid
    file among others is reported, and the others are imported. ExternalError when the disk fails;
    the files before that are stored.
    """
    venue = parse_venue(venue)
    symbol = None if symbol is None else parse_symbol(symbol)
    interval = None if interval is None else parse_interval(interval)
    files, others = candle_files(path)
    skipped = [file.name for file in others]
    imported, refused = [], []
    on_start(len(files))
    for file in files:
        try:
            if path.is_dir():
                _require_same_symbol(file.name, venue, symbol)
            read = read_candles(file, venue, symbol, interval, repair=repair)
            imported.append(_store(store, read))
        except CandleFormatError:
            if path.is_file():
                raise
            skipped.append(file.name)
        except UserError as error:
            if path.is_file():
                raise
            refused.append((file.name, str(error)))
        on_file(file.name)
    if not imported and not refused:
        below = sorted(child.name for child in path.iterdir() if child.is_dir())
        hint = f"give one of its folders ({', '.join(below[:9])})" if below else "check the path"
        raise UserError(f"{path}: none of its {len(skipped)} files holds candles: {hint}")
    return ImportReport(tuple(imported), tuple(sorted(skipped)), tuple(refused))


def _require_same_symbol(name: str, venue: str, symbol: str | None) -> None:
    """Raise UserError where the name of a file in a folder contains another symbol."""
    named, _ = names_of(name, venue)
    if symbol is not None and named is not None and named != symbol:
        raise UserError(
            f"{name}: the file is named after {named}, not {symbol}: import it by itself"
        )


def _store(store: CandleStore, read: CandleFile) -> ImportedFile:
    """Store the candles of one file."""
    bars = read.bars
    spec = InstrumentSpec(read.instrument, *grid_of(bars))
    saved = store.save(spec, read.interval, bars, str(read.path.resolve()))
    interval_ms = Timeframe(read.interval).ms
    missing = np.diff(bars.ts_ms) // interval_ms - 1
    gaps = np.flatnonzero(missing)
    return ImportedFile(
        name=read.path.name,
        instrument=read.instrument,
        interval=read.interval,
        rows=len(bars) + read.repeated,
        new=saved.new,
        same=saved.same,
        repeated=read.repeated,
        conflict_count=saved.conflict_count,
        conflicts=saved.conflicts,
        from_ms=int(bars.ts_ms[0]),
        to_ms=int(bars.ts_ms[-1]) + interval_ms,
        gaps=len(gaps),
        missing=int(missing.sum()),
        first_gap_ms=int(bars.ts_ms[gaps[0]]) + interval_ms if len(gaps) else None,
    )
