"""The store of external series: values with the instants at which they were published and known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.series import ALL_SCOPES, SentimentSpec, SeriesSpec, SeriesValue, ValueSpec
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations, SeriesHistory
from ares.store.database import execute_rows, reading, writing
from ares.store.news import NewsStore


class SeriesSaved(msgspec.Struct, frozen=True):
    """What a save did: values that were new, stored already, or stored otherwise (which was kept).

    version : of the series' content; it rises where anything was new.
    """

    new: int
    same: int
    differing: int
    version: int


class StoredScope(msgspec.Struct, frozen=True):
    """What is stored of one series about one scope.

    first_ms, last_ms : publications of the oldest and the newest value; the newest is known since
                 ``known_ms``.
    lag_ms_max : the longest time from publication until a value is known.
    pause_ms, paused_from_ms : the longest time without a publication, and when it began.
    """

    series: str
    scope: str
    version: int
    content_hash: str
    rows: int
    first_ms: int
    last_ms: int
    known_ms: int
    lag_ms_max: int
    pause_ms: int
    paused_from_ms: int


@dataclass(frozen=True, slots=True)
class SeriesStore:
    """The external series of one database."""

    engine: Engine

    def names(self) -> list[str]:
        """Return the names of all series, in order."""
        with reading(self.engine) as connection:
            rows = connection.exec_driver_sql("SELECT name FROM external_series ORDER BY name")
            return [name for (name,) in rows]

    def save(self, name: str, values: Sequence[SeriesValue]) -> SeriesSaved:
        """Keep the values that are not stored yet, in one transaction.

        values : no two of one scope with the same publication.

        Raises UserError where some values are about a symbol, and the stored ones about everything.
        """
        with writing(self.engine) as connection:
            stored = {
                (scope, published_ms): (known_ms, value)
                for scope, published_ms, known_ms, value in connection.exec_driver_sql(
                    "SELECT scope, published_ms, known_ms, value FROM series_values"
                    " WHERE series = ?",
                    (name,),
                )
            }
            _require_same_kind_of_scope(name, {scope for scope, _ in stored}, values)
            new = [v for v in values if (v.scope, v.published_ms) not in stored]
            kept = [v for v in values if (v.scope, v.published_ms) in stored]
            same = sum(stored[v.scope, v.published_ms] == (v.known_ms, v.value) for v in kept)
            version = _version(connection, name)
            if new:
                execute_rows(
                    connection,
                    "INSERT INTO series_values (series, scope, published_ms, known_ms, value)"
                    " VALUES (?, ?, ?, ?, ?)",
                    [(name, v.scope, v.published_ms, v.known_ms, v.value) for v in new],
                )
                version += 1
                connection.exec_driver_sql(
                    "INSERT INTO external_series (name, version, content_hash) VALUES (?, ?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET version = excluded.version,"
                    " content_hash = excluded.content_hash, imported_at = CURRENT_TIMESTAMP",
                    (name, version, _content_hash(connection, name)),
                )
        return SeriesSaved(len(new), same, len(kept) - same, version)

    def remove(self, name: str) -> int:
        """Remove a series; return how many values it had."""
        with writing(self.engine) as connection:
            gone = connection.exec_driver_sql("DELETE FROM series_values WHERE series = ?", (name,))
            connection.exec_driver_sql("DELETE FROM external_series WHERE name = ?", (name,))
            return int(gone.rowcount)

    def listed(self) -> list[StoredScope]:
        """Return what is stored, by series and scope."""
        with reading(self.engine) as connection:
            rows = connection.exec_driver_sql(
                "SELECT series, scope, version, content_hash, count(*), min(published_ms),"
                " max(published_ms), max(known_ms), max(known_ms - published_ms)"
                " FROM series_values JOIN external_series ON name = series"
                " GROUP BY series, scope, version, content_hash ORDER BY series, scope"
            ).all()
            pauses = [_longest_pause(connection, row[0], row[1]) for row in rows]
        whole: list[Any] = [(*row, *pause) for row, pause in zip(rows, pauses, strict=True)]
        return [StoredScope(*values) for values in whole]

    def observations(
        self, name: str, instruments: Sequence[Instrument], until_ms: int | None = None
    ) -> Observations:
        """Return the values that count for instruments, each with its instrument's index.

        For each instrument, those of the narrowest scope that the series has: its full key, its
        symbol, its base currency, else all.

        until_ms : nothing that is known later.
        """
        with reading(self.engine) as connection:
            scopes = {
                scope
                for (scope,) in connection.exec_driver_sql(
                    "SELECT DISTINCT scope FROM series_values WHERE series = ?", (name,)
                )
            }
            indices: dict[str, list[int]] = {}
            for index, instrument in enumerate(instruments):
                narrowest = [
                    s
                    for s in (instrument.key, instrument.symbol, instrument.base, ALL_SCOPES)
                    if s in scopes
                ]
                if narrowest:
                    indices.setdefault(narrowest[0], []).append(index)
            if len(indices.get(ALL_SCOPES, ())) == len(instruments):
                indices = {ALL_SCOPES: [ALL_INSTRUMENTS]}
            rows = [
                (known_ms, published_ms, value, index)
                for scope, of_scope in indices.items()
                for known_ms, published_ms, value in connection.exec_driver_sql(
                    "SELECT known_ms, published_ms, value FROM series_values"
                    " WHERE series = ? AND scope = ? AND known_ms <= ?",
                    (name, scope, 2**62 if until_ms is None else until_ms),
                )
                for index in of_scope
            ]
        return Observations.of(rows)


def stored_series(engine: Engine, specs: Sequence[SeriesSpec]) -> tuple[SeriesSpec, ...]:
    """Return the series that are stored, in the same order; sentiment is where any news are.

    Raises UserError where another one is not.
    """
    names = SeriesStore(engine).names()
    for spec in specs:
        if isinstance(spec, ValueSpec) and spec.name not in names:
            stored = ", ".join(names) or "none"
            raise UserError(
                f"features.series names '{spec.name}', which is not stored (stored: {stored}): "
                f"`ares data import-series PATH --name {spec.name}`, or take it out of the list"
            )
    return tuple(spec for spec in specs if isinstance(spec, ValueSpec) or NewsStore(engine).any())


def series_history(
    engine: Engine,
    specs: Sequence[SeriesSpec],
    instruments: Sequence[Instrument],
    until_ms: int | None = None,
) -> SeriesHistory:
    """Return the observations of each series, each with its instrument's index.

    until_ms : nothing that is known later.
    """
    bases = [instrument.base for instrument in instruments]
    return tuple(
        NewsStore(engine).news(spec, bases, until_ms)
        if isinstance(spec, SentimentSpec)
        else SeriesStore(engine).observations(spec.name, instruments, until_ms)
        for spec in specs
    )


def _version(connection: Connection, name: str) -> int:
    row = connection.exec_driver_sql(
        "SELECT version FROM external_series WHERE name = ?", (name,)
    ).first()
    return 0 if row is None else int(row[0])


def _content_hash(connection: Connection, name: str) -> str:
    digest = hashlib.sha256()
    rows = connection.exec_driver_sql(
        "SELECT scope, published_ms, known_ms, value FROM series_values WHERE series = ?", (name,)
    )
    for row in sorted(tuple(row) for row in rows):  # each database sorts texts in its own way
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def _longest_pause(connection: Connection, name: str, scope: str) -> tuple[int, int]:
    """Return the longest time without a publication, and when it began."""
    row = connection.exec_driver_sql(
        "SELECT published_ms - before AS pause, before FROM (SELECT published_ms,"
        " lag(published_ms, 1, published_ms) OVER (ORDER BY published_ms) AS before"
        " FROM series_values WHERE series = ? AND scope = ?) AS pauses"
        " ORDER BY pause DESC, before LIMIT 1",
        (name, scope),
    ).all()[0]
    return int(row[0]), int(row[1])


def _require_same_kind_of_scope(name: str, stored: set[str], values: Sequence[SeriesValue]) -> None:
    kinds = {bool(scope) for scope in stored} | {bool(value.scope) for value in values}
    if len(kinds) > 1:
        have = "each symbol" if all(stored) else "all instruments"
        raise UserError(
            f"the stored values of {name} are about {have}, these are not: use another --name, or "
            f"remove what is stored (`ares data series remove {name}`)"
        )
