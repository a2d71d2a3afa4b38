"""The candle store: bars of instruments and intervals, each kept once, with where it came from."""

from __future__ import annotations

import difflib
from pathlib import Path

import msgspec
import numpy as np
from sqlalchemy import Connection, Engine

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.store.cache import ColumnCache
from ares.store.database import reading, writing
from ares.store.rows import (
    KEY_SQL,
    RowDifference,
    bars_of,
    count_bars,
    differences,
    insert_bars,
    read_rows,
    span_ms,
)

CONFLICTS_SHOWN = 20
"""So many conflicts of one save are told in full; all are counted."""


class Conflict(msgspec.Struct, frozen=True):
    """Two sources that say different things of one bar; the stored one is kept.

    column          : the first column that differs.
    stored, offered : its two values.
    """

    instrument: Instrument
    interval: str
    ts_ms: int
    column: str
    stored: float
    offered: float
    stored_source: str
    offered_source: str


class SaveReport(msgspec.Struct, frozen=True):
    """What a save did: bars that were new, bars already stored alike, bars stored differently."""

    new: int
    same: int
    conflicts: tuple[Conflict, ...] = ()
    conflict_count: int = 0


class Series(msgspec.Struct, frozen=True):
    """One stored series: open times of its first and last bar, and how many there are."""

    instrument: Instrument
    interval: str
    bars: int
    first_ms: int
    last_ms: int


class CandleStore:
    """The candles of one database.

    cache_dir : folder for column files; None reads rows every time.
    """

    def __init__(self, engine: Engine, cache_dir: Path | None = None) -> None:
        self._engine = engine
        self._cache = None if cache_dir is None else ColumnCache(cache_dir)

    def save(self, spec: InstrumentSpec, interval: str, bars: Bars, source: str) -> SaveReport:
        """Keep the bars that are not stored yet, in one transaction, and say what was there.

        spec   : the instrument's grid; a stored one is only ever refined.
        bars   : on the grid of ``interval``, strictly rising, prices finite and above zero; flat
                 (made) bars are not kept, they are made again on reading.
        source : where the bars come from, as a person would say it (a file, an address).
        """
        Timeframe.parse(interval)
        bars = bars[~bars.flat]
        _require_sound(bars, Timeframe(interval).ms)
        key = (spec.instrument.symbol, spec.instrument.venue, interval)
        with writing(self._engine) as connection:
            _refine(connection, spec)
            if len(bars) == 0:
                return SaveReport(new=0, same=0)
            source_id = _source_id(connection, source)
            stored = read_rows(connection, key, int(bars.ts_ms[0]), int(bars.ts_ms[-1]) + 1)
            known = np.isin(bars.ts_ms, stored["ts_ms"], assume_unique=True)
            again = np.isin(stored["ts_ms"], bars.ts_ms, assume_unique=True)
            differs = differences(bars[known], stored[again])
            fresh = bars[~known]
            insert_bars(connection, key, fresh, source_id)
            count_bars(connection, key, fresh)
            conflicts = _conflicts(connection, spec.instrument, interval, differs, source)
        same = int(known.sum()) - len(differs)
        return SaveReport(len(fresh), same, conflicts, len(differs))

    def series(self) -> list[Series]:
        """Return what is stored, sorted by instrument and from short to long intervals."""
        with reading(self._engine) as connection:
            found = [
                Series(Instrument(venue, symbol), interval, bars, *span)
                for symbol, venue, interval, bars in connection.exec_driver_sql(
                    "SELECT symbol, venue, interval, bars FROM candle_series WHERE bars > 0"
                ).all()
                if (span := span_ms(connection, (symbol, venue, interval)))
            ]
        return sorted(found, key=lambda s: (s.instrument, Timeframe(s.interval).ms))

    def intervals(self, instrument: Instrument) -> list[str]:
        """Return the stored intervals of an instrument, the finest first."""
        return [s.interval for s in self.series() if s.instrument == instrument]

    def last_ms(self, instrument: Instrument, interval: str) -> int | None:
        """Return the open time of the last stored bar; None when there is none."""
        with reading(self._engine) as connection:
            span = span_ms(connection, (instrument.symbol, instrument.venue, interval))
        return None if span is None else span[1]

    def instruments(self) -> list[InstrumentSpec]:
        """Return every known instrument with its grid."""
        with reading(self._engine) as connection:
            rows = connection.exec_driver_sql(
                "SELECT venue, symbol, price_decimals, qty_decimals, cost_min_quote "
                "FROM instruments ORDER BY venue, symbol"
            ).all()
        return [InstrumentSpec(Instrument(row[0], row[1]), *row[2:]) for row in rows]

    def spec(self, instrument: Instrument) -> InstrumentSpec:
        """Return an instrument's grid, or raise UserError naming the nearest known one."""
        known = self.instruments()
        for spec in known:
            if spec.instrument == instrument:
                return spec
        raise _unknown(instrument.key, [spec.instrument for spec in known])

    def resolve(self, symbol_or_key: str) -> Instrument:
        """Return the stored instrument that is meant by ``BTC/USDT`` or ``binance:BTC/USDT``.

        Upper and lower case, and the slash, may be missing. Raises UserError when nothing is
        stored under that name (naming the nearest) or when several venues have it (naming them).
        """
        known = [spec.instrument for spec in self.instruments()]
        venue, colon, symbol = symbol_or_key.rpartition(":")
        found = [
            instrument
            for instrument in known
            if _plain(instrument.symbol) == _plain(symbol)
            and (not colon or instrument.venue == venue.lower())
        ]
        if len(found) == 1:
            return found[0]
        if not found:
            raise _unknown(symbol_or_key, known)
        names = " and ".join(instrument.key for instrument in found)
        raise UserError(f"'{symbol_or_key}' is ambiguous: {names} are stored; write the one meant")

    def resolve_at(self, venue: str, symbol: str) -> Instrument:
        """Return the instrument of a configured symbol: that of ``venue``, else the only other.

        Raises UserError as ``resolve`` does.
        """
        try:
            return self.resolve(f"{venue}:{symbol}")
        except UserError:
            return self.resolve(symbol)

    def load(
        self,
        instrument: Instrument,
        interval: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> Bars:
        """Return the stored bars that open in ``[from_ms, to_ms)``; gaps are not filled."""
        key = (instrument.symbol, instrument.venue, interval)
        with reading(self._engine) as connection:
            row = connection.exec_driver_sql(
                f"SELECT version, bars FROM candle_series WHERE {KEY_SQL}", key
            ).first()
            if row is None:
                return Bars.empty()
            if self._cache is None:
                return bars_of(read_rows(connection, key, from_ms, to_ms))
            version, count = row
            bars = self._cache.read(instrument, interval, version)
            if bars is None or len(bars) != count:
                bars = bars_of(read_rows(connection, key, None, None))
                self._cache.write(instrument, interval, version, bars)
        return bars.between(from_ms, to_ms)


def _require_sound(bars: Bars, interval_ms: int) -> None:
    """Raise ValueError where a caller breaks the contract of ``save``."""
    prices = np.concatenate([bars.open, bars.high, bars.low, bars.close])
    if not (
        bool(np.all(np.isfinite(prices) & (prices > 0.0)))
        and bool(np.all(np.isfinite(bars.volume) & (bars.volume >= 0.0)))
        and bool(np.all(np.diff(bars.ts_ms) > 0))
        and not bool(np.any(bars.ts_ms % interval_ms))
    ):
        raise ValueError("bars must be rising, on the grid, finite and positive")


def _refine(connection: Connection, spec: InstrumentSpec) -> None:
    """Keep the finer of the stored grid and the offered one."""
    connection.exec_driver_sql(
        "INSERT INTO instruments (venue, symbol, price_decimals, qty_decimals, cost_min_quote) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (venue, symbol) DO UPDATE SET "
        "price_decimals = max(price_decimals, excluded.price_decimals), "
        "qty_decimals = max(qty_decimals, excluded.qty_decimals), "
        "cost_min_quote = max(cost_min_quote, excluded.cost_min_quote)",
        (
            spec.instrument.venue,
            spec.instrument.symbol,
            spec.price_decimals,
            spec.qty_decimals,
            spec.cost_min_quote,
        ),
    )


def _source_id(connection: Connection, name: str) -> int:
    connection.exec_driver_sql("INSERT OR IGNORE INTO candle_sources (name) VALUES (?)", (name,))
    found = connection.exec_driver_sql("SELECT id FROM candle_sources WHERE name = ?", (name,))
    return int(found.scalar_one())


def _conflicts(
    connection: Connection,
    instrument: Instrument,
    interval: str,
    differs: list[RowDifference],
    source: str,
) -> tuple[Conflict, ...]:
    """Return the first differing bars with the names of both sources."""
    shown = differs[:CONFLICTS_SHOWN]
    names: dict[int, str] = {}
    if shown:
        rows = connection.exec_driver_sql("SELECT id, name FROM candle_sources")
        names = {row[0]: row[1] for row in rows}
    return tuple(
        Conflict(instrument, interval, *row[:4], names.get(row.source_id, "unknown"), source)
        for row in shown
    )


def _plain(symbol: str) -> str:
    return symbol.replace("/", "").replace("-", "").upper()


def _unknown(name: str, known: list[Instrument]) -> UserError:
    """Return the line for a symbol that nothing is stored for."""
    if not known:
        return UserError(f"unknown symbol '{name}': no candles are stored; `ares data import PATH`")
    names = {i.symbol: i.symbol for i in known} | {i.key: i.key for i in known}
    folded = {key.upper(): value for key, value in names.items()}
    near = difflib.get_close_matches(name.upper(), folded, n=1, cutoff=0.0)
    return UserError(
        f"unknown symbol '{name}': did you mean {folded[near[0]]}? `ares data list` shows all"
    )
