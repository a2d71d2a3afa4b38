"""The table worker beside a world's engine: killed, late, and reading what a crash takes back."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.sim.finding import Finding
from tests.sim.paper.checks import rows_of
from tests.sim.world_journal import FOLDER, Files

from ares.domain.errors import ExternalError
from ares.journal.log import Position, contains
from ares.runtime.engine.table_worker import TableWorker
from ares.runtime.engine.tables import TableTarget
from ares.store.sqlite_file import SqliteFile, open_file

if TYPE_CHECKING:
    from tests.sim.world import World

FAILS = 0.2
TRIES_MAX = 3


class WorldTables:
    """Tables of a world whose journal is files, in a database of a real folder.

    The worker reads what the engine has written and not synced, so a crash may take back what is in
    the tables already; at the end they are those that the journal gives from its begin.

    folder : of the databases; worlds that follow each other may have the same one: the rows of the
             world before are another run's.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._draw = folder, Random(seed ^ 0x7AB1E5)
        self._worker: TableWorker | None = None
        self._fails = FAILS
        self._position: Position | None = None  # at which the tables end
        self.killed = self.failed = self.taken_back = 0

    def act(self, world: World) -> None:
        """Write a batch, or be killed."""
        allowed, world.crash_allowed = world.crash_allowed, False  # of the engine, not of this one
        try:
            if world.running and self._draw.random() < 0.5:
                with suppress(ExternalError):  # a full disk
                    world.journal.write()  # what the engine's thread writes, and does not sync yet
            self._turn(world)
        finally:
            world.crash_allowed = allowed

    def _turn(self, world: World) -> None:
        if self._worker is not None and self._draw.random() < 0.1:
            self.killed += 1
            self._end()
            return
        assert isinstance(world.journal, Files)
        if self._position is not None and not contains(FOLDER, self._position, world.journal.disk):
            self.taken_back += 1
            self._position = None
        worker = self._worker = self._worker or self._made(world, "tables")
        written = worker.attempt()
        self.failed += written is None
        if written:
            self._position = worker._tail.position

    def check(self, world: World) -> None:
        """Let the worker catch up; compare the tables with those that are made anew."""
        world.journal.write()
        for _ in range(TRIES_MAX):
            self.act(world)
        self._end()
        self._path("anew").unlink(missing_ok=True)
        self._fails = 0.0
        for name in ("tables", "anew"):
            worker = self._made(world, name)
            seq = worker.catch_up()
            worker.close()
            if seq != world.state.seq:
                raise Finding(f"{name} end at event {seq}, the journal at {world.state.seq}")
        before, after = (self._rows(world, name) for name in ("tables", "anew"))
        for table, rows in before.items():
            lost, more = after[table] - rows, rows - after[table]
            if lost or more:
                raise Finding(f"{table}: {next(iter(more), None)} for {next(iter(lost), None)}")

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = None

    def _made(self, world: World, name: str) -> TableWorker:
        assert isinstance(world.journal, Files)
        target = TableTarget(FOLDER, str(self._path(name)), world.setup.environment)
        return TableWorker(target, open_=self._opened, disk=world.journal.disk)

    def _opened(self, path: str) -> SqliteFile:
        found = open_file(path)
        assert found is not None
        return _FailingFile(found, lambda: self._draw.random() < self._fails)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.db"

    def _rows(self, world: World, name: str) -> dict[str, Counter[tuple[Any, ...]]]:
        return rows_of(f"sqlite:///{self._path(name)}", world.setup.environment)


class _FailingFile(SqliteFile):
    """A database that is locked, or full, at the end of some transactions."""

    def __init__(self, file: SqliteFile, fails: Callable[[], bool]) -> None:
        super().__init__(file._path, file._raw)
        self._fails = fails

    @contextmanager
    def writing(self, alone: bool = True) -> Iterator[Any]:
        with super().writing(alone) as rows:
            yield rows
            if self._fails():
                raise sqlite3.OperationalError("database is locked")
