"""The candles to play: read from files, cut to the stretch of time around the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ares.adapters.candle_files import candle_files, read_candles
from ares.adapters.candle_names import names_of
from ares.domain.errors import UserError
from ares.domain.symbols import parse_symbol
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.domain.utc import utc_text
from ares.kernel.bars import Bars
from ares.sim.prices import simulate

GAP_MS = DAY_MS
"""Candles further apart than this are not of one stretch."""


class Stretch(NamedTuple):
    """Candles of one symbol without a gap of a day."""

    symbol: str
    from_ms: int
    to_ms: int
    bars: Bars


class Loaded(NamedTuple):
    """What is played.

    from_ms : where market time starts.
    skipped : one line each: files and symbols that are not played, and why.
    """

    bars: dict[str, Bars]
    from_ms: int
    skipped: list[str]


def load_candles(path: Path, symbols: Sequence[str] = (), from_ms: int | None = None) -> Loaded:
    """Return the 1m candles of a file or folder, from its files' names.

    symbols : play only these; empty: all.
    from_ms : default: the middle of the time in which most symbols have candles.

    Raises UserError where nothing can be played.
    """
    known, _ = candle_files(path)
    wanted = {parse_symbol(symbol) for symbol in symbols}
    found: dict[str, list[Bars]] = {}
    others: list[str] = []
    for file in known:
        symbol, interval = names_of(file.name, "")
        if path.is_file() and len(wanted) == 1:
            symbol, interval = next(iter(wanted)), interval or "1m"
        if symbol is None or interval != "1m":
            others.append(file.name)
        elif not wanted or symbol in wanted:
            read = read_candles(file, "simulated", symbol, "1m")
            found.setdefault(symbol, []).append(read.bars)
    missing = wanted - set(found)
    if missing:
        raise UserError(f"{path}: no 1m candles of {', '.join(sorted(missing))}")
    if not found:
        raise UserError(f"{path}: no 1m candles: give files such as BTCUSDT_1m.parquet")
    skipped = [f"no 1m candles by their names: {', '.join(others)}"] if others else []
    return _cut({symbol: _joined(bars) for symbol, bars in sorted(found.items())}, from_ms, skipped)


def synthetic_candles(
    seed: int, edge: float, days: int, symbols: Sequence[str], from_ms: int | None = None
) -> Loaded:
    """Return a synthetic market (``ares.sim.prices``): its first half is history by default."""
    names = [parse_symbol(symbol) for symbol in symbols]
    market = simulate(names, days=days, seed=seed, edge=edge)
    return _cut(market.bars, from_ms, [])


def _joined(parts: list[Bars]) -> Bars:
    """Return the candles of several files, in order, each time once."""
    columns = [np.concatenate([part.columns[k] for part in parts]) for k in range(7)]
    _, first = np.unique(columns[0], return_index=True)
    return Bars.make(*(column[first] for column in columns))


def _cut(bars: Mapping[str, Bars], from_ms: int | None, skipped: list[str]) -> Loaded:
    """Return each symbol's stretch that contains the start."""
    stretches = [stretch for symbol, rows in bars.items() for stretch in _stretches(symbol, rows)]
    start_ms = _middle(stretches) if from_ms is None else from_ms - from_ms % MINUTE_MS
    played = {s.symbol: s.bars for s in stretches if s.from_ms <= start_ms < s.to_ms}
    if not played:
        first, last = min(s.from_ms for s in stretches), max(s.to_ms for s in stretches)
        raise UserError(
            f"--from {utc_text(start_ms)}: no candles then; the files reach from "
            f"{utc_text(first)} to {utc_text(last)}"
        )
    absent = sorted(set(bars) - set(played))
    skipped = [*skipped, *(f"{s}: no candles at {utc_text(start_ms)}" for s in absent)]
    return Loaded(played, start_ms, skipped)


def _stretches(symbol: str, bars: Bars) -> list[Stretch]:
    edges = np.flatnonzero(np.diff(bars.ts_ms) > GAP_MS) + 1
    bounds = [0, *edges.tolist(), len(bars)]
    return [
        Stretch(
            symbol,
            int(bars.ts_ms[first]),
            int(bars.ts_ms[last - 1]) + MINUTE_MS,
            bars[first:last],
        )
        for first, last in pairwise(bounds)
    ]


def _middle(stretches: list[Stretch]) -> int:
    """Return the middle, at midnight where it is days, of the time that most symbols share."""
    best: tuple[int, int, int] = (0, 0, 0)
    for from_ms in sorted({stretch.from_ms for stretch in stretches}):
        ends = [s.to_ms for s in stretches if s.from_ms <= from_ms < s.to_ms]
        best = max(best, (len(ends), min(ends) - from_ms, from_ms))
    _, length_ms, from_ms = best
    middle_ms = from_ms + length_ms // 2
    return middle_ms - middle_ms % (DAY_MS if length_ms > 4 * DAY_MS else MINUTE_MS)
