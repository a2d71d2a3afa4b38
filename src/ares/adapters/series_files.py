"""Values of an external series out of a file: all of them, or the first bad line."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ares.adapters.news_rows import HEADINGS
from ares.adapters.news_text import one_line
from ares.adapters.table_files import MORE_CELLS, Fields, FormatError, Table, read_table
from ares.adapters.time_cells import TimeCellError, instant_of, is_empty
from ares.domain.errors import UserError
from ares.domain.series import ALL_SCOPES, SeriesValue
from ares.domain.utc import utc_text

VALUE_MAX = 1e30
"""Columns are float32: a value and its change must be finite there."""


class SeriesFormat(NamedTuple):
    """How a file is read.

    name         : of the series; a column of that name holds the values where none is ``value``.
    lag_ms       : from publication until a value is known, where the file has no column ``known``.
    value_column : the name of the column with the values; '': ``value``, else ``name``.
    scope        : what all values are about; '': as the column ``symbol`` says, else everything.
    """

    name: str
    lag_ms: int | None = None
    value_column: str = ""
    scope: str = ALL_SCOPES


def read_series(
    path: Path, how: SeriesFormat, scopes: Collection[str], now_ms: int
) -> list[SeriesValue]:
    """Return the values of a file, in its order.

    scopes : what a value may be about: ``BTC``, ``BTC/USDT`` or ``venue:BTC/USDT``.
    now_ms : nothing can have been published or known later.

    Raises UserError for the first row that cannot be used: nothing of the file is taken then.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    table = read_table(path, lambda name, columns: _fields(name, columns, how))
    if table.broken:
        raise UserError(f"{table.name}: {table.broken} of its lines are no JSON object")
    if not table.rows:
        raise UserError(f"{table.name}: no rows: nothing was imported")
    values: list[SeriesValue] = []
    seen: dict[tuple[int, str], str] = {}
    for row, position in zip(table.rows, table.positions, strict=True):
        try:
            value = _value(row, table.fields, how, scopes, now_ms)
            _require_first(value, position, seen)
        except ValueError as fault:
            raise UserError(
                f"{table.name}, {position}: {fault}. Correct or remove it, then import again; "
                "nothing was imported"
            ) from None
        values.append(value)
    _require_one_kind_of_scope(table, values)
    return values


def _require_first(value: SeriesValue, position: str, seen: dict[tuple[int, str], str]) -> None:
    """Note where a value is; raise ValueError where one of its publication was before."""
    earlier = seen.setdefault((value.published_ms, value.scope), position)
    if earlier != position:
        about = f" for {value.scope}" if value.scope else ""
        raise ValueError(
            f"{utc_text(value.published_ms)} is published twice{about}, first in {earlier}"
        )


def _fields(name: str, columns: list[str], how: SeriesFormat) -> Fields:
    """Return which columns hold what; raise FormatError where one is missing."""
    plain = {column.strip().strip('"').lower(): column for column in reversed(columns)}
    wanted = {
        "published": HEADINGS["published"],
        "known": ("known", "known_at", "known_ms"),
        "value": (how.value_column,) if how.value_column else ("value", how.name),
        "symbol": ("symbol",),
    }
    fields = {
        field: next(plain[heading.lower()] for heading in headings if heading.lower() in plain)
        for field, headings in wanted.items()
        if any(heading.lower() in plain for heading in headings)
    }
    shown = one_line(", ".join(columns[:12])) or "none"
    if "published" not in fields:
        raise FormatError(f"{name}: no column 'published' (columns: {shown})")
    if "value" not in fields:
        named = " or ".join(f"'{heading}'" for heading in wanted["value"])
        raise FormatError(f"{name}: no column {named} (columns: {shown}): name it with --value")
    if "known" not in fields and how.lag_ms is None:
        raise FormatError(
            f"{name}: no column 'known': write with --lag how long after its publication a value "
            "is known, such as --lag 0m or --lag 24h"
        )
    if "known" in fields and how.lag_ms is not None:
        raise FormatError(f"{name}: has a column 'known': leave --lag out")
    if how.scope and "symbol" in fields:
        raise FormatError(f"{name}: has a column 'symbol': leave --symbol out")
    return fields


def _value(
    row: Mapping[str, Any],
    fields: Fields,
    how: SeriesFormat,
    scopes: Collection[str],
    now_ms: int,
) -> SeriesValue:
    """Return the value of a row; raise ValueError saying what is wrong with it."""
    if row.get(MORE_CELLS):
        raise ValueError(MORE_CELLS)
    published_ms = _instant(row, fields, "published", now_ms)
    if "known" in fields:
        known_ms = _instant(row, fields, "known", now_ms)
    else:
        known_ms = published_ms + (how.lag_ms or 0)
    if known_ms < published_ms:
        raise ValueError(f"known {utc_text(known_ms)} is before published {utc_text(published_ms)}")
    cell = row.get(fields["value"])
    try:
        value = float(cell)  # type: ignore[arg-type]  # no cell: a TypeError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"value is no number ({_shown(cell)})") from None
    if not abs(value) <= VALUE_MAX:  # also NaN
        what = "larger than 1e30" if math.isfinite(value) else "no finite number"
        raise ValueError(f"value is {what} ({_shown(cell)})")
    return SeriesValue(published_ms, known_ms, value, _scope(row, fields, how, scopes))


def _instant(row: Mapping[str, Any], fields: Fields, field: str, now_ms: int) -> int:
    cell = row.get(fields[field])
    try:
        ms, _ = instant_of(cell)
    except TimeCellError as fault:
        raise ValueError(f"{field}: {fault} ({_shown(cell)})") from None
    if ms > now_ms:
        raise ValueError(f"{field} {utc_text(ms)} is in the future")
    return ms


def _scope(
    row: Mapping[str, Any], fields: Fields, how: SeriesFormat, scopes: Collection[str]
) -> str:
    cell = row.get(fields["symbol"]) if "symbol" in fields else how.scope
    if is_empty(cell):
        return ALL_SCOPES
    return scope_of(str(cell), scopes)


def scope_of(text: str, scopes: Collection[str]) -> str:
    """Return what a value is about, among those that there are; raise ValueError else.

    >>> scope_of("binance:btc/usdt", ["BTC", "BTC/USDT", "binance:BTC/USDT"])
    'binance:BTC/USDT'
    """
    venue, colon, symbol = text.strip().rpartition(":")
    scope = venue.lower() + colon + symbol.upper()
    if scope not in scopes:
        bases = ", ".join(sorted(scope for scope in scopes if "/" not in scope)) or "none"
        raise ValueError(
            f"symbol '{one_line(text)[:40]}' is no stored instrument and no base currency of one "
            f"({bases})"
        )
    return scope


def _require_one_kind_of_scope(table: Table, values: list[SeriesValue]) -> None:
    """Raise UserError where some rows are about a symbol, others about everything."""
    for value, position in zip(values, table.positions, strict=True):
        if bool(value.scope) != bool(values[0].scope):
            raise UserError(
                f"{table.name}, {position}: the column 'symbol' is filled in some rows and empty "
                "in others: fill it in all, or leave it out; nothing was imported"
            )


def _shown(cell: object) -> str:
    return f'"{one_line(str(cell))[:40]}"'
