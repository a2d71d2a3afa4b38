"""A file of values into the store of external series: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Engine

from ares.adapters.series_files import SeriesFormat, read_series, scope_of
from ares.domain.errors import UserError
from ares.store.candles import CandleStore
from ares.store.series import SeriesSaved, SeriesStore


class SeriesRequest(NamedTuple):
    """What is imported, see ``adapters.series_files.SeriesFormat``."""

    path: Path
    name: str
    lag_ms: int | None = None
    value_column: str = ""
    symbol: str = ""


class SeriesImported(msgspec.Struct, frozen=True):
    """What an import did.

    scopes : what the values are about; '' is every instrument.
    first_ms, last_ms : publications of the oldest and the newest value in the file.
    not_yet_known : values whose lag is not over yet.
    """

    name: str
    rows: int
    saved: SeriesSaved
    scopes: tuple[str, ...]
    first_ms: int
    last_ms: int
    not_yet_known: int


def store_series(
    engine: Engine, request: SeriesRequest, symbols: Sequence[str], now_ms: int
) -> SeriesImported:
    """Store a file of values.

    symbols : of the settings, which values may be about beside the stored instruments.

    Raises UserError where any row of the file cannot be used: nothing is stored then.
    """
    scopes = _scopes(engine, symbols)
    try:
        scope = scope_of(request.symbol, scopes) if request.symbol else ""
    except ValueError as error:
        raise UserError(f"--symbol: {error}") from None
    how = SeriesFormat(request.name, request.lag_ms, request.value_column, scope)
    values = read_series(request.path, how, scopes, now_ms)
    saved = SeriesStore(engine).save(request.name, values)
    return SeriesImported(
        request.name,
        len(values),
        saved,
        tuple(sorted({value.scope for value in values})),
        min(value.published_ms for value in values),
        max(value.published_ms for value in values),
        sum(value.known_ms > now_ms for value in values),
    )


def _scopes(engine: Engine, symbols: Sequence[str]) -> frozenset[str]:
    """Return everything that a value may be about: keys, symbols and base currencies."""
    instruments = {stored.instrument for stored in CandleStore(engine, None).series()}
    known = {*symbols, *(instrument.symbol for instrument in instruments)}
    keys = {instrument.key for instrument in instruments}
    return frozenset(known | keys | {symbol.partition("/")[0] for symbol in known})
