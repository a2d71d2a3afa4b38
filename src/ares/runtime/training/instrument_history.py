"""The history of an instrument that a training may use: bars, features, and finer bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ares.domain.errors import AresError
from ares.domain.instrument import Instrument
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, WARMUP_BARS, FeatureTable, features_of
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.history import history

ROWS_SPARE = 1.1
"""Finer bars are loaded for a tenth more rows than are used: gaps leave some without an outcome."""

COVERED_MIN = 0.98
"""Finer bars must cover at least this share of the window."""


@dataclass(frozen=True, slots=True)
class HistorySource:
    """Where a worker finds candles, and the window that it may use.

    from_ms, to_ms : opening time of the first bar, and instant by which the last has closed. Bars
                     before are read to warm features up; bars after are never read.
    """

    database_url: str
    cache_dir: Path
    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class InstrumentHistory:
    """One instrument's bars and features, from a warm-up before the window on.

    path_bars : the bars that the path of a trade follows, ``path_interval_ms`` long.
    """

    bars: Bars
    table: FeatureTable
    path_bars: Bars
    path_interval_ms: int

    @property
    def end_ms(self) -> int:
        """Return the instant by which all of its bars had closed."""
        return int(self.path_bars.ts_ms[-1]) + self.path_interval_ms if len(self.path_bars) else 0


def load_history(
    source: HistorySource,
    instrument: Instrument,
    timeframe: Timeframe,
    reference: Instrument | None,
    rows_max: int,
    notes: list[str],
) -> InstrumentHistory:
    """Return the history of an instrument; remarks on the data are appended to ``notes``.

    reference : the instrument that cross features look at.
    rows_max  : most rows that will be used; finer bars are loaded for hardly more.

    Raises UserError where no stored candles give the timeframe.
    """
    store = store_of(source)
    start_ms = None if source.from_ms is None else source.from_ms - WARMUP_BARS * timeframe.ms
    found = history(store, instrument, timeframe, start_ms, source.to_ms)
    notes += [str(disagreement) for disagreement in found.disagreements]
    reference_bars: Bars | None = found.bars if reference == instrument else None
    if reference is not None and reference != instrument:
        try:
            reference_bars = history(store, reference, timeframe, start_ms, source.to_ms).bars
        except AresError as error:
            notes.append(f"{instrument.key} {timeframe}: without its reference: {error}")
    table = features_of(found.bars, timeframe, reference_bars)
    own = found.bars.between(source.from_ms, source.to_ms)
    own = own[slice(max(0, len(own) - round(ROWS_SPARE * rows_max)), None)]
    path_bars, path_interval_ms = _path_bars(store, instrument, timeframe, own, source.to_ms)
    return InstrumentHistory(found.bars, table, path_bars, path_interval_ms)


def _path_bars(
    store: CandleStore, instrument: Instrument, timeframe: Timeframe, own: Bars, to_ms: int | None
) -> tuple[Bars, int]:
    """Return the finest bars that cover as much time as the timeframe's own, with their length.

    All rows use bars of one length, so that every label means the same.
    """
    for interval in store.intervals(instrument) if len(own) else ():
        finer = Timeframe(interval)
        if finer.ms >= timeframe.ms:
            break
        found = history(store, instrument, finer, int(own.ts_ms[0]), to_ms).bars
        if len(found) * finer.ms >= COVERED_MIN * len(own) * timeframe.ms:
            return found, finer.ms
    return own, timeframe.ms


def empty_history() -> InstrumentHistory:
    """Return the history of an instrument without candles."""
    none = np.empty(0, np.int64)
    table = FeatureTable(none, np.empty((0, len(FEATURE_NAMES)), np.float32), none)
    return InstrumentHistory(Bars.empty(), table, Bars.empty(), 1)


def store_of(source: HistorySource) -> CandleStore:
    """Return the candle store of a source."""
    return _store(source.database_url, source.cache_dir)


@lru_cache(maxsize=2)
def _store(database_url: str, cache_dir: Path) -> CandleStore:
    """Return the worker's candle store, opened once per process."""
    return CandleStore(open_database(database_url), cache_dir)
