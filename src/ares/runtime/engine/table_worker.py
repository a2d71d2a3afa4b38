"""Writes an engine's tables from its journal, in its own process: the engine never waits for them.

A database that is locked, full, read-only or gone delays its tables and nothing else: the worker
states it in one line, tries again at growing intervals, and catches up.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from ares.domain.errors import AresError, ExternalError
from ares.domain.stretch import BarsStretch
from ares.domain.utc import utc_sql
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import START, Position, contains, segment_path, segments
from ares.journal.run import setup_of
from ares.journal.tail import JournalReplaced, JournalTail
from ares.runtime.engine.tables import TableStatus, TableTarget
from ares.store.database_url import file_id
from ares.store.projections import (
    ProjectionMoved,
    Projector,
    delete_rows,
    projected,
    show_environment,
)
from ares.store.sqlite_file import SqliteFile, open_file

if TYPE_CHECKING:
    from sqlalchemy import Engine

ENTRIES_MAX = 500
ENTRIES_MAX_ALONE = 12_000
"""Entries of one transaction; a stretch at its end may make it more. An engine's heartbeat and
commands are in a shared database: they must not wait for long.
"""
POLL_S = 0.05
YIELD_S_MAX = 0.1
RETRY_S_MIN = 0.25
RETRY_S_MAX = 30.0

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Position).decode


def _open(url: str) -> Engine | SqliteFile:
    found = open_file(url)
    if found is None:
        from ares.store.database import open_database

        return open_database(url, rebuildable=True)
    return found


def _database_errors() -> tuple[type[Exception], ...]:
    """Return the errors of databases that are not converted to an AresError."""
    if "sqlalchemy" not in sys.modules:
        return (sqlite3.Error,)
    from sqlalchemy.exc import SQLAlchemyError

    return (sqlite3.Error, SQLAlchemyError)


def wall_ms() -> int:
    """Return the wall time."""
    return int(datetime.now(UTC).timestamp() * 1000)


class TableWorker:
    """Projects a journal to its tables, in batches, from where the tables end.

    open_    : opens the database; called again after every failure.
    say      : called with one line when writing fails, and when it goes on.
    now_s    : a monotonic clock. now_ms: wall time.

    What the tables know of the journal is in the database alone: after any failure the worker
    starts from what is stored there. Tables whose journal was replaced (by a backup, by another
    run) are deleted and made anew.
    """

    def __init__(
        self,
        target: TableTarget,
        *,
        open_: Callable[[str], Engine | SqliteFile] = _open,
        say: Callable[[str], None] = lambda _: None,
        now_s: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = wall_ms,
        disk: Disk = OS_DISK,
    ) -> None:
        self.target, self._disk = target, disk
        self._open, self._say, self._now_s, self._now_ms = open_, say, now_s, now_ms
        self._database: Engine | SqliteFile | None = None
        self._projector: Projector | None = None
        self._file: tuple[int, int] | None = None
        self._tail = JournalTail(target.folder, START, disk)
        self._whole_s = now_s()  # when the tables had all entries
        self._behind = 0
        self.problem = ""
        self._failures = 0
        self._entries_max = ENTRIES_MAX_ALONE if target.alone else ENTRIES_MAX

    @property
    def status(self) -> TableStatus:
        """Return how far the tables are."""
        seq = 0 if self._projector is None else self._projector.seq
        since_s = self._now_s() - self._whole_s if self._behind or self.problem else 0.0
        return TableStatus(seq, self._behind, self.problem, since_s)

    def step(self) -> int:
        """Write the next batch; return how many entries it had: 0 where the tables have all.

        Raises AresError or an error of the database's driver where the journal cannot be read or
        the database not be written; the next call starts from what is stored.
        """
        try:
            try:
                written = self._step()
            except (ProjectionMoved, JournalReplaced):
                self._forget()
                written = self._step()
        except BaseException:
            self._forget()
            raise
        if written < self._entries_max:
            self._whole_s = self._now_s()
        self._behind = written if written >= self._entries_max else 0
        return written

    def attempt(self) -> int | None:
        """Write the next batch as ``step``; None: it failed, which is stated once."""
        try:
            written = self.step()
        except Exception as error:
            if not isinstance(error, (AresError, OSError, *_database_errors())):
                raise
            self._failures += 1
            line = str(error).strip().splitlines()[0]
            if line != self.problem:
                self._say(f"tables of {self.target.environment}: {line}: trying again")
            self.problem = line
            return None
        if self.problem and written < self._entries_max:
            self._say(f"tables of {self.target.environment}: they have all events again")
            self.problem = ""
        self._failures = 0
        return written

    @property
    def pause_s(self) -> float:
        """Return how long to wait before the next attempt: longer after each failure."""
        if self._failures == 0:
            return POLL_S
        return float(min(RETRY_S_MAX, RETRY_S_MIN * 2.0 ** min(self._failures - 1, 10)))

    def run(self, finishing: Callable[[float], bool]) -> None:
        """Write until there is nothing more.

        finishing : waits up to so many seconds; True: nothing more will be journaled, so that the
                    worker returns as soon as the tables have all.
        """
        ends = False
        while True:
            begun_s = self._now_s()
            written = self.attempt()
            if written == 0 and ends:
                return
            if written and not self.target.alone:
                time.sleep(min(YIELD_S_MAX, self._now_s() - begun_s))
            if not written:
                ends = finishing(self.pause_s) or ends
                if ends and written is None:
                    time.sleep(self.pause_s)

    def catch_up(self) -> int:
        """Write all that is journaled; return the seq of the newest entry in the tables."""
        while self.step():
            pass
        return self.status.seq

    def close(self) -> None:
        """Close the database."""
        self._forget()

    def _step(self) -> int:
        if self._projector is not None and file_id(self.target.database_url) != self._file:
            raise ProjectionMoved("the database's file was deleted or replaced")
        projector = self._projector or self._resume()
        if projector is None:
            return 0
        found = self._tail.read(self._entries_max)
        if not found:
            return 0
        before = projector.seq
        for part in found:
            if isinstance(part, BarsStretch):
                projector.add_stretch(part)
            else:
                projector.add([(part.seq, part.event, part.effects)])
        projector.flush(_encode(self._tail.position), utc_sql(self._now_ms()))
        return projector.seq - before

    def _resume(self) -> Projector | None:
        """Return a projector at the end of the tables; None: the journal has no record yet."""
        target = self.target
        setup = setup_of(target.folder, self._disk)
        if setup is None:
            return None
        database = self._database = self._database or self._open(target.database_url)
        if target.shown:
            show_environment(database, target.shown)
        found = projected(database, target.environment)
        if found is not None and not self._continues(found.position):
            first = segment_path(target.folder, START.segment)
            if first not in segments(target.folder, self._disk):
                raise ExternalError(
                    f"journal {target.folder} has lost its first file, and its rest is not the one"
                    " that the tables were made from: restore it from a backup"
                )
            delete_rows(database, target.environment)
        self._file = file_id(target.database_url)
        self._projector = Projector(database, setup)
        at = self._projector.position
        self._tail = JournalTail(target.folder, START if at is None else _decode(at), self._disk)
        return self._projector

    def _continues(self, position: bytes | None) -> bool:
        """Return whether the journal has the entry at which the tables end."""
        if position is None:
            return False
        try:
            return contains(self.target.folder, _decode(position), self._disk)
        except msgspec.DecodeError:
            return False

    def _forget(self) -> None:
        """Drop what is known of the database."""
        database, self._database, self._projector = self._database, None, None
        if database is not None:
            with suppress(Exception):
                database.dispose()
