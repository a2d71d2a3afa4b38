"""The candle store: bars by instrument and interval, each stored once, with its source."""

from __future__ import annotations

import difflib
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, Engine, case, select

from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument, InstrumentSpec, require_spot
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.store.cache import ColumnCache
from ares.store.database import check_integrity, name_of, reading, upsert, writing
from ares.store.rows import (
    RowDifference,
    SeriesKey,
    bars_of,
    checksum_of,
    count_bars,
    count_rows,
    differences,
    insert_bars,
    keep_checksum,
    read_rows,
    series_row,
    span_ms,
)
from ares.store.schema import candle_series, candle_sources, instruments

GRID = ("price_decimals", "qty_decimals", "cost_min_quote")
"""Columns of an instrument's grid."""

CONFLICTS_SHOWN = 20

NEAR_MIN = 0.8
"""Names of this similarity may be misspelt: BTV/USDT for BTC/USDT, but not DOGE/USDT."""
"""Conflicts of one save that are reported in full; all are counted."""


class Conflict(msgspec.Struct, frozen=True):
    """Two sources with different values of one bar; the stored value is kept.

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
    """The result of a save: bars that were new, stored already, or stored with other values."""

    new: int
    same: int
    conflicts: tuple[Conflict, ...] = ()
    conflict_count: int = 0


class Series(msgspec.Struct, frozen=True):
    """One stored series: its number of bars, open times of the first and the last."""

    instrument: Instrument
    interval: str
    bars: int
    first_ms: int
    last_ms: int


class CandleStore:
    """The candles of one database.

    cache_dir : folder of the column cache; None: no cache.
    """

    def __init__(self, engine: Engine, cache_dir: Path | None = None) -> None:
        self._engine = engine
        self._cache = None if cache_dir is None else ColumnCache(cache_dir)

    def save(self, spec: InstrumentSpec, interval: str, bars: Bars, source: str) -> SaveReport:
        """Store the bars that are not stored yet, in one transaction.

        spec   : the instrument's grid; a stored grid is only refined.
        bars   : on the grid of ``interval``, strictly rising, prices finite and above zero; flat
                 (filled) bars are not stored, they are filled again on reading.
        source : where the bars come from (a file, an address).
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
        c = candle_series.c
        with reading(self._engine) as connection:
            found = [
                Series(Instrument(venue, symbol), interval, bars, *span)
                for symbol, venue, interval, bars in connection.execute(
                    select(c.symbol, c.venue, c.interval, c.bars).where(c.bars > 0)
                ).all()
                for span in (self._span(connection, (symbol, venue, interval), bars),)
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
            rows = connection.execute(
                select(instruments).order_by(instruments.c.venue, instruments.c.symbol)
            ).all()
        return [InstrumentSpec(Instrument(row[0], row[1]), *row[2:]) for row in rows]

    def spec(self, instrument: Instrument) -> InstrumentSpec:
        """Return an instrument's grid; raise UserError with the nearest name if it is unknown."""
        known = self.instruments()
        for spec in known:
            if spec.instrument == instrument:
                return spec
        raise _unknown(instrument.key, [spec.instrument for spec in known])

    def resolve(self, symbol_or_key: str) -> Instrument:
        """Return the stored instrument of ``BTC/USDT`` or ``binance:BTC/USDT``.

        Case and slash are ignored. Raises UserError when nothing is stored under that name (with
        the nearest name), when several venues have it (with their names), or for a derivative.
        """
        require_spot(symbol_or_key)
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
        raise UserError(f"'{symbol_or_key}' is ambiguous: {names} are stored: write the key")

    def resolve_at(self, venue: str, symbol: str) -> Instrument:
        """Return the instrument of a configured symbol: that of ``venue``, else of the only other.

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
        """Return the stored bars that open in ``[from_ms, to_ms)``; gaps are not filled.

        The whole series is read and verified, unless the cache has it. Raises ExternalError where
        bars are missing or changed.
        """
        key = (instrument.symbol, instrument.venue, interval)
        with reading(self._engine) as connection:
            row = connection.execute(series_row(key)).first()
            if row is None:
                return Bars.empty()
            if self._cache is None:
                return self._verified(connection, key, row).between(from_ms, to_ms)
            bars = self._cache.read(instrument, interval, row.version)
            if bars is None or len(bars) != row.bars:
                bars = self._verified(connection, key, row)
                self._cache.write(instrument, interval, row.version, bars)
        return bars.between(from_ms, to_ms)

    def verify(self, series: Series) -> Bars:
        """Return all rows of a series, read even if cached; keep a checksum not known yet.

        Raises ExternalError where bars are missing or changed.
        """
        key = (series.instrument.symbol, series.instrument.venue, series.interval)
        with reading(self._engine) as connection:
            row = connection.execute(series_row(key)).first()
            bars = Bars.empty() if row is None else self._verified(connection, key, row)
        if row is not None and row.checksum is None:
            with suppress(ExternalError), writing(self._engine) as connection:  # a read-only disk
                keep_checksum(connection, key, row.version, checksum_of(bars))
        return bars

    def require_intact(self) -> None:
        """Raise ExternalError where the database's own check finds damage in its file."""
        if problem := check_integrity(self._engine):
            problem = problem.splitlines()[-1]
            raise ExternalError(
                f"{name_of(self._engine)} is damaged ({problem}): move it away and import again, "
                "or restore a backup"
            )

    def require_counts(self) -> None:
        """Raise ExternalError where a series has more or fewer rows than were stored."""
        c = candle_series.c
        with reading(self._engine) as connection:
            for symbol, venue, interval, bars in connection.execute(
                select(c.symbol, c.venue, c.interval, c.bars)
            ).all():
                key = (symbol, venue, interval)
                found = count_rows(connection, key)
                if found != bars:
                    raise self._damaged(key, f"{found:,} of {bars:,} bars can be read")

    def _verified(self, connection: Connection, key: SeriesKey, row: Any) -> Bars:
        """Return all bars of a series; raise ExternalError unless they are those stored."""
        bars = bars_of(read_rows(connection, key, None, None))
        if len(bars) != row.bars:
            raise self._damaged(key, f"{len(bars):,} of {row.bars:,} bars can be read")
        if row.checksum is not None and checksum_of(bars) != row.checksum:
            raise self._damaged(key, "the checksum of its bars is wrong")
        return bars

    def _span(self, connection: Connection, key: SeriesKey, bars: int) -> tuple[int, int]:
        span = span_ms(connection, key)
        if span is None:
            raise self._damaged(key, f"0 of {bars:,} bars can be read")
        return span

    def _damaged(self, key: SeriesKey, problem: str) -> ExternalError:
        symbol, venue, interval = key
        return ExternalError(
            f"{name_of(self._engine)} is damaged: {venue}:{symbol} {interval}: {problem}: move it "
            "away and import again, or restore a backup"
        )


def _require_sound(bars: Bars, interval_ms: int) -> None:
    """Raise ValueError where the bars break the contract of ``save``."""
    prices = np.concatenate([bars.open, bars.high, bars.low, bars.close])
    if not (
        bool(np.all(np.isfinite(prices) & (prices > 0.0)))
        and bool(np.all(np.isfinite(bars.volume) & (bars.volume >= 0.0)))
        and bool(np.all(np.diff(bars.ts_ms) > 0))
        and not bool(np.any(bars.ts_ms % interval_ms))
    ):
        raise ValueError("bars must be rising, on the grid, finite and positive")


def _refine(connection: Connection, spec: InstrumentSpec) -> None:
    """Store the finer of the stored grid and the given one."""
    grid = {name: getattr(spec, name) for name in GRID}
    given = upsert(connection, instruments).values(
        venue=spec.instrument.venue, symbol=spec.instrument.symbol, **grid
    )
    finer = {
        name: case(
            (instruments.c[name] > given.excluded[name], instruments.c[name]),
            else_=given.excluded[name],
        )
        for name in GRID
    }
    connection.execute(given.on_conflict_do_update(index_elements=["venue", "symbol"], set_=finer))


def _source_id(connection: Connection, name: str) -> int:
    connection.execute(
        upsert(connection, candle_sources).values(name=name).on_conflict_do_nothing()
    )
    query = select(candle_sources.c.id).where(candle_sources.c.name == name)
    return int(connection.execute(query).scalar_one())


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
        rows = connection.execute(select(candle_sources.c.id, candle_sources.c.name))
        names = {row.id: row.name for row in rows}
    return tuple(
        Conflict(instrument, interval, *row[:4], names.get(row.source_id, "unknown"), source)
        for row in shown
    )


def _plain(symbol: str) -> str:
    return symbol.replace("/", "").replace("-", "").upper()


def _plain_base(name: str) -> str:
    """Return the base currency of a symbol or key, as far as it is marked; else the whole name."""
    return name.rpartition(":")[2].partition("/")[0].upper()


def _unknown(name: str, known: list[Instrument]) -> UserError:
    """Return the error for a symbol without stored candles."""
    if not known:
        return UserError(
            f"unknown symbol '{name}': no candles are stored: run `ares data import PATH`"
        )
    names = {i.symbol: i.symbol for i in known} | {i.key: i.key for i in known}
    folded = {key.upper(): value for key, value in names.items()}
    base = _plain_base(name)
    same = [key for key, value in folded.items() if _plain_base(value) == base]
    near = difflib.get_close_matches(
        name.upper(), same or folded, n=1, cutoff=0 if same else NEAR_MIN
    )
    hint = f"did you mean {folded[near[0]]}?" if near else "no candles of it are stored:"
    return UserError(f"unknown symbol '{name}': {hint} `ares data list` shows all")
