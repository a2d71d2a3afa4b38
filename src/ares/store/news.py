"""The store of news: each headline or score kept once, and read as what was known when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Engine

from ares.domain.news import MARKET, NewsRow
from ares.domain.series import SentimentSpec
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.store.database import execute_rows, reading, writing

_CHUNK = 500


class NewsSaved(msgspec.Struct, frozen=True):
    """What a save did: rows that were new, stored already, stored with another score (which was
    kept), or twice among those offered.
    """

    new: int
    same: int
    differing: int
    repeated: int


class NewsSource(msgspec.Struct, frozen=True):
    """What is stored of one source about one scope; instants are of publication.

    received : rows that came from a feed, not from a file of the past.
    silence_ms, silent_from_ms : the longest time without a row, and when it began.
    """

    source: str
    scope: str
    scorers: tuple[str, ...]
    rows: int
    headlines: int
    neutral: int
    received: int
    first_ms: int
    last_ms: int
    silence_ms: int
    silent_from_ms: int


@dataclass(frozen=True, slots=True)
class NewsStore:
    """The news of one database."""

    engine: Engine

    def save(self, rows: Sequence[NewsRow]) -> NewsSaved:
        """Keep the rows that are not stored yet, in one transaction, and say what was there."""
        offered: dict[_Key, NewsRow] = {}
        for row in rows:
            offered.setdefault((row.source, row.scope, row.published_ms, row.hash), row)
        items = sorted(offered.items(), key=lambda item: item[0][:3])
        new = same = differing = 0
        with writing(self.engine) as connection:
            for first in range(0, len(items), _CHUNK):
                chunk = items[first : first + _CHUNK]
                stored = _stored(connection, [key for key, _ in chunk])
                fresh = [row for key, row in chunk if key not in stored]
                _insert(connection, fresh)
                new += len(fresh)
                n_differing = sum(key in stored and stored[key] != row.score for key, row in chunk)
                differing += n_differing
                same += len(chunk) - len(fresh) - n_differing
        return NewsSaved(new, same, differing, len(rows) - len(offered))

    def news(
        self, spec: SentimentSpec, bases: Sequence[str], until_ms: int | None = None
    ) -> Observations:
        """Return the scores that count for base currencies, each with its currency's index.

        until_ms : nothing that is known later.
        """
        indices = {MARKET: [ALL_INSTRUMENTS]}
        for index, base in enumerate(bases):
            indices.setdefault(base, []).append(index)
        rows = []
        with reading(self.engine) as connection:
            for published_ms, received_ms, score, scope in connection.exec_driver_sql(
                "SELECT published_ms, received_ms, score, scope FROM news"
                f"{_where(spec, list(indices))} ORDER BY published_ms",
                (*indices, *spec.sources),
            ):
                known_ms = max(published_ms + spec.delay_ms, received_ms or 0)
                if until_ms is None or known_ms <= until_ms:
                    rows += [(known_ms, published_ms, score, index) for index in indices[scope]]
        return Observations.of(rows)

    def any(self) -> bool:
        """Return whether any row is stored."""
        with reading(self.engine) as connection:
            return connection.exec_driver_sql("SELECT 1 FROM news LIMIT 1").first() is not None

    def sources(self) -> list[NewsSource]:
        """Return what is stored, by source and scope."""
        with reading(self.engine) as connection:
            groups = connection.exec_driver_sql(
                "SELECT source, scope, count(*), count(headline),"
                " sum(CASE WHEN score = 0 THEN 1 ELSE 0 END), count(received_ms),"
                " min(published_ms), max(published_ms)"
                " FROM news GROUP BY source, scope ORDER BY source, scope"
            ).all()
            scorers: dict[tuple[str, str], list[str]] = {}
            for source, scope, scorer in connection.exec_driver_sql(
                "SELECT DISTINCT source, scope, scorer FROM news"
            ):
                scorers.setdefault((source, scope), []).append(scorer)
            found = []
            for source, scope, *numbers in groups:
                silence = connection.exec_driver_sql(
                    "SELECT published_ms - before AS silence, before FROM (SELECT published_ms,"
                    " lag(published_ms) OVER (ORDER BY published_ms) AS before FROM news"
                    " WHERE source = ? AND scope = ?) AS pauses WHERE before IS NOT NULL"
                    " ORDER BY silence DESC, before LIMIT 1",
                    (source, scope),
                ).first()
                names = tuple(sorted(scorers[source, scope]))
                longest = (0, numbers[4]) if silence is None else tuple(silence)
                found.append(NewsSource(source, scope, names, *numbers, *longest))
        return found

    def newest(self, rows_max: int, scope: str | None = None) -> list[NewsRow]:
        """Return the newest rows, the newest first; of one scope, where one is named."""
        where, values = ("", ()) if scope is None else (" WHERE scope = ?", (scope,))
        with reading(self.engine) as connection:
            rows = connection.exec_driver_sql(
                "SELECT published_ms, source, scope, score, scorer, headline, received_ms FROM news"
                f"{where} ORDER BY published_ms DESC, id DESC LIMIT ?",
                (*values, rows_max),
            ).all()
        return [NewsRow(*row) for row in rows]


_Key = tuple[str, str, int, str]
"""(source, scope, published_ms, hash)"""


def _stored(connection: Connection, keys: Sequence[_Key]) -> dict[_Key, float]:
    """Return the scores of those that are stored."""
    found: dict[_Key, float] = {}
    for source, scope in dict.fromkeys((key[0], key[1]) for key in keys):
        times = [key[2] for key in keys if key[:2] == (source, scope)]
        rows = connection.exec_driver_sql(
            "SELECT published_ms, hash, score FROM news WHERE source = ? AND scope = ?"
            " AND published_ms BETWEEN ? AND ?",
            (source, scope, min(times), max(times)),
        )
        found |= {(source, scope, ts_ms, hash_): score for ts_ms, hash_, score in rows}
    return found


def _insert(connection: Connection, rows: Sequence[NewsRow]) -> None:
    if rows:
        execute_rows(
            connection,
            "INSERT INTO news (source, scope, published_ms, received_ms, hash, headline, score,"
            " scorer) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (r.source, r.scope, r.published_ms, r.received_ms, r.hash, r.headline, r.score,
                 r.scorer)
                for r in rows
            ],
        )  # fmt: skip


def _where(spec: SentimentSpec, scopes: Sequence[str]) -> str:
    marks = ", ".join("?" * len(scopes))
    among = f" AND source IN ({', '.join('?' * len(spec.sources))})" if spec.sources else ""
    return f" WHERE scope IN ({marks}){among}"
