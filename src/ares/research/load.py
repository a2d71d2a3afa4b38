"""Candles for research: of a file, or of a symbol in a candle store."""

from __future__ import annotations

from pathlib import Path

from ares.domain.errors import UserError
from ares.domain.instrument import InstrumentSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.grid import grid_of
from ares.kernel.resample import fill_gaps, resample
from ares.research.market import Candles
from ares.store.candles import CandleStore
from ares.store.history import base_bars, history


def candles_of_file(
    path: Path, venue: str, symbol: str | None, timeframe: Timeframe | None
) -> Candles:
    """Return the candles of a file (Parquet, CSV, Feather), with short gaps filled.

    symbol    : None: as the file's name says.
    timeframe : of the candles wanted; None: the file's own.

    Raises UserError where there is no such file, or its candles are longer than those wanted.
    """
    from ares.adapters.candle_files import read_candles

    if not path.exists():
        raise UserError(f"{path}: no such file: check the path")
    read = read_candles(path, venue, symbol)
    stored = Timeframe.parse(read.interval)
    wanted = timeframe or stored
    if wanted.ms < stored.ms:
        raise UserError(f"{path.name}: holds {stored.value} candles; {wanted.value} is shorter")
    bars = resample(fill_gaps(read.bars, stored.ms), stored.ms, wanted.ms)
    return Candles(InstrumentSpec(read.instrument, *grid_of(read.bars)), wanted, bars)


def stored_candles(
    store: CandleStore,
    symbol: str,
    timeframe: Timeframe | None,
    from_ms: int | None,
    to_ms: int | None,
) -> Candles:
    """Return stored candles of a symbol or key; None as ``timeframe``: the finest stored.

    Raises UserError where nothing is stored of it in the window.
    """
    instrument = store.resolve(symbol)
    if timeframe is None:
        timeframe, bars = base_bars(store, instrument, from_ms, to_ms)
    else:
        bars = history(store, instrument, timeframe, from_ms, to_ms).bars
    return Candles(store.spec(instrument), timeframe, bars).between(from_ms, to_ms)
