"""Imports candles from files into the store: one transaction and one report per file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from ares.adapters.candle_columns import CandleFormatError
from ares.adapters.candle_files import CandleFile, candle_files, read_candles
from ares.adapters.candle_names import (
    UnsupportedCandles,
    names_of,
    parse_interval,
    parse_venue,
    venue_of,
)
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.symbols import parse_symbol
from ares.domain.timeframe import Timeframe
from ares.kernel.grid import grid_of
from ares.store.candles import CandleStore, Conflict

SIMULATED = "simulated"
"""The venue whose candles may be of any year."""


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

    skipped     : names of files that hold no candles.
    refused     : (name, reason) of invalid candle files; nothing of them was stored.
    unsupported : (name, reason) of candles of derivatives and of other intervals.
    """

    imported: tuple[ImportedFile, ...]
    skipped: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    unsupported: tuple[tuple[str, str], ...] = ()


def import_candles(
    store: CandleStore,
    paths: Path | Sequence[Path],
    venue: str | None,
    symbol: str | None = None,
    interval: str | None = None,
    *,
    venue_default: str = "",
    repair: bool = False,
    on_start: Callable[[int], None] = lambda _: None,
    on_file: Callable[[str], None] = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ImportReport:
    """Store the candles of files, and of every candle file in and below folders.

    paths : files, folders, or patterns (``data/*.csv``).
    venue : None: from the name of a file or its folder, else ``venue_default``.
    symbol, interval, repair : as in ``read_candles``.
    now : the candles of a real venue are not of the future.
    on_start, on_file : called with the number of files, and after each file with its name.

    Raises UserError when a single file is invalid, or there is no file at all; an invalid file
    among others is reported, and the others are imported. ExternalError when the disk fails; the
    files before that are stored.
    """
    venue = None if venue is None else parse_venue(venue)
    symbol = None if symbol is None else parse_symbol(symbol)
    interval = None if interval is None else parse_interval(interval)
    roots = _matching([paths] if isinstance(paths, Path) else paths)
    alone = len(roots) == 1 and roots[0].is_file()
    files, skipped = _listed(roots)
    imported: list[ImportedFile] = []
    refused, unsupported = [], []
    on_start(len(files))
    for file, name in files:
        try:
            if not alone:
                _require_same_symbol(file.name, symbol)
            at = venue or venue_of(file) or parse_venue(venue_default)
            until_ms = None if at == SIMULATED else round(now().timestamp() * 1000)
            read = read_candles(file, at, symbol, interval, repair=repair, now_ms=until_ms)
            imported.append(_store(store, read, name))
        except UserError as error:
            if alone:
                raise
            reason = name.removesuffix(file.name) + str(error)
            if isinstance(error, CandleFormatError):
                skipped.append(name)
            elif isinstance(error, UnsupportedCandles):
                unsupported.append((name, reason))
            else:
                refused.append((name, reason))
        on_file(name)
    return ImportReport(tuple(imported), tuple(sorted(skipped)), tuple(refused), tuple(unsupported))


def _matching(paths: Sequence[Path]) -> list[Path]:
    """Return the paths, and for a pattern the files and folders that match it."""
    found: list[Path] = []
    for path in paths:
        if path.exists() or not any(mark in str(path) for mark in "*?["):
            found.append(path)
            continue
        root = Path(path.anchor)
        matches = sorted(root.glob(str(path.relative_to(path.anchor))))
        if not matches:
            raise UserError(f"{path}: no file matches: check the path")
        found += matches
    return list(dict.fromkeys(found))


def _listed(roots: Sequence[Path]) -> tuple[list[tuple[Path, str]], list[str]]:
    """Return (file, name to show) of candle files, each once, and the names of other files."""
    files: dict[Path, str] = {}
    others: dict[Path, str] = {}
    for root in roots:
        known, rest = candle_files(root, below=True)
        for found, group in ((known, files), (rest, others)):
            for file in found:
                name = file.name if root.is_file() else str(file.relative_to(root))
                group.setdefault(file, name)
    return list(files.items()), list(others.values())


def _require_same_symbol(name: str, symbol: str | None) -> None:
    """Raise UserError where the name of a file among others contains another symbol."""
    named, _ = names_of(name)
    if symbol is not None and named is not None and named != symbol:
        raise UserError(
            f"{name}: the file is named after {named}, not {symbol}: import it by itself"
        )


def _store(store: CandleStore, read: CandleFile, name: str) -> ImportedFile:
    """Store the candles of one file."""
    bars = read.bars
    spec = InstrumentSpec(read.instrument, *grid_of(bars))
    saved = store.save(spec, read.interval, bars, str(read.path.resolve()))
    interval_ms = Timeframe(read.interval).ms
    missing = np.diff(bars.ts_ms) // interval_ms - 1
    gaps = np.flatnonzero(missing)
    return ImportedFile(
        name=name,
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
