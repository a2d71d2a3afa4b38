"""The tables follow the journal, whatever happens to worker, journal and database meanwhile."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from tests.postgres import PostgresServer, plain

from ares.domain.errors import ExternalError
from ares.journal.log import HEAD, read
from ares.runtime.engine import table_worker
from ares.runtime.engine.table_worker import TableWorker
from ares.runtime.engine.tables import TableTarget
from ares.store.database import open_database
from ares.store.projections import Projector, projected_seq

ENVIRONMENT = "history/test"


class Growing:
    """A copy of a journal that is written a few bytes at a time."""

    def __init__(self, whole: Path, folder: Path) -> None:
        self._raw = (whole / "000001.journal").read_bytes()
        self._path = folder / "000001.journal"
        folder.mkdir(parents=True)
        self.size = 0
        self.ends = [0]
        for payload in read(whole):
            self.ends.append(self.ends[-1] + HEAD.size + len(payload))

    def grow_to(self, size: int) -> None:
        """Let the file have so many bytes."""
        self.size = max(0, min(size, len(self._raw)))
        self._path.write_bytes(self._raw[: self.size])

    @property
    def whole(self) -> bool:
        """Return whether all is written."""
        return self.size == len(self._raw)


@pytest.fixture
def growing(done: Any, tmp_path: Path) -> Growing:
    """Return the journal of a whole run, of which nothing is written yet."""
    return Growing(done.folder, tmp_path / "run")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write batches of a few entries."""
    monkeypatch.setattr(table_worker, "ENTRIES_MAX", 37)


def worker_of(folder: Path, database: Engine, **more: Any) -> TableWorker:
    target = TableTarget(folder, "", ENVIRONMENT, shown=ENVIRONMENT)
    return TableWorker(target, open_=lambda _: database, **more)


def test_it_follows_a_journal_that_grows(
    world: Any, done: Any, growing: Growing, database: Engine, tmp_path: Path
) -> None:
    worker = worker_of(tmp_path / "run", database)
    assert worker.step() == 0  # no journal yet
    draw = random.Random(1)
    while not growing.whole:
        growing.grow_to(growing.size + draw.randrange(20_000))
        seq = worker.catch_up()
        assert projected_seq(database, ENVIRONMENT) == seq
    assert world.tables(database, exact=True) == done.exact
    assert worker.step() == 0


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 12))]
)
def test_killed_between_any_batches_the_tables_are_the_same(
    world: Any, done: Any, growing: Growing, database: Engine, tmp_path: Path, seed: int
) -> None:
    """Workers that are killed, that overlap, a database that fails before or after its commit, a
    journal that a start cuts off and that comes back from a backup.
    """
    draw = random.Random(seed)
    workers = [worker_of(tmp_path / "run", database) for _ in range(2)]
    for _ in range(400):
        growing.grow_to(growing.size + draw.randrange(6_000))
        k = draw.randrange(2)
        match draw.randrange(12):
            case 0:
                workers[k] = worker_of(tmp_path / "run", database)
            case 1:
                growing.grow_to(draw.randrange(growing.size + 1))
            case 2:
                growing.grow_to(draw.choice(growing.ends))
            case 3:
                fails_before_commit(workers[k], draw.randrange(6))
            case 4:
                fails_after_commit(workers[k])
            case _:
                workers[k].attempt()
    growing.grow_to(10**9)
    while not growing.whole or worker_of(tmp_path / "run", database).step():
        pass
    assert world.tables(database, exact=True) == done.exact


def fails_before_commit(worker: TableWorker, statements: int) -> None:
    """Let the database go away within a transaction, after so many statements."""
    real: Callable[..., None] = Projector.flush
    left = iter(range(statements))

    def broken(*_: Any) -> None:
        if next(left, None) is None:
            raise ExternalError("the database has gone away")

    def flush(projector: Any, *values: Any) -> None:
        event.listen(projector._database, "before_cursor_execute", broken)
        try:
            real(projector, *values)
        finally:
            event.remove(projector._database, "before_cursor_execute", broken)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Projector, "flush", flush)
        worker.attempt()


def fails_after_commit(worker: TableWorker) -> None:
    """Let the answer to a commit be lost."""
    real: Callable[..., None] = Projector.flush

    def flush(projector: Any, *values: Any) -> None:
        real(projector, *values)
        raise ExternalError("connection lost")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Projector, "flush", flush)
        worker.attempt()


def test_another_run_under_the_name_replaces_the_rows(
    world: Any, done: Any, database: Engine, tmp_path: Path
) -> None:
    other = world.with_(changes={"gain": 1.3})
    other.run(tmp_path / "run", database)
    assert world.tables(database, exact=True) != done.exact
    shutil.rmtree(tmp_path / "run")
    worker = worker_of(tmp_path / "run", database)
    before = world.tables(database, exact=True)
    assert worker.step() == 0
    assert world.tables(database, exact=True) == before  # as long as there is no journal
    shutil.copytree(done.folder, tmp_path / "run")
    worker.catch_up()
    assert world.tables(database, exact=True) == done.exact


def test_without_its_first_file_a_journal_replaces_no_rows(
    done: Any, database: Engine, tmp_path: Path
) -> None:
    shutil.copytree(done.folder, tmp_path / "run")
    worker_of(tmp_path / "run", database).catch_up()
    journal = tmp_path / "run" / "000001.journal"
    journal.rename(journal.with_name("000002.journal"))
    seq = projected_seq(database, ENVIRONMENT)
    with pytest.raises(ExternalError, match="has lost its first file"):
        worker_of(tmp_path / "run", database).step()
    assert projected_seq(database, ENVIRONMENT) == seq


def test_a_database_that_fails_is_stated_once_and_tried_at_growing_intervals(
    world: Any, done: Any, tmp_path: Path
) -> None:
    lines: list[str] = []
    clock_s = 100.0
    target = TableTarget(
        done.folder, f"sqlite:///{tmp_path}/away/rows.db", ENVIRONMENT, ENVIRONMENT
    )
    worker = TableWorker(target, say=lines.append, now_s=lambda: clock_s)
    pauses = []
    for _ in range(12):
        assert worker.attempt() is None
        pauses.append(worker.pause_s)
        clock_s += worker.pause_s
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.25, 30.0)
    assert len(lines) == 1
    assert "away does not exist: trying again" in lines[0]
    assert worker.status.problem
    assert worker.status.since_s == pytest.approx(clock_s - 100.0)
    (tmp_path / "away").mkdir()
    while worker.attempt():
        pass
    assert [line.rpartition(": ")[2] for line in lines[1:]] == ["they have all events again"]
    assert worker.pause_s == table_worker.POLL_S
    database = open_database(tmp_path / "away" / "rows.db")
    assert world.tables(database, exact=True) == done.exact
    database.dispose()
    worker.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_database_that_was_deleted_meanwhile_is_written_anew(
    world: Any, done: Any, growing: Growing, tmp_path: Path, replaced: bool
) -> None:
    """The file that is open takes every row after it was deleted, and nobody can read them."""
    path = tmp_path / "ares.db"
    worker = TableWorker(TableTarget(tmp_path / "run", str(path), ENVIRONMENT, shown=ENVIRONMENT))
    growing.grow_to(growing.ends[-1] // 2)
    worker.catch_up()
    for file in tmp_path.glob("ares.db*"):
        file.unlink()
    if replaced:  # by an engine that writes its heartbeat
        open_database(path).dispose()
    growing.grow_to(growing.ends[-1])
    worker.catch_up()
    worker.close()
    database = open_database(path)
    assert world.tables(database, exact=True) == done.exact
    database.dispose()


def test_it_waits_for_a_lock(world: Any, done: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    database = open_database(path, busy_ms=10)
    worker = worker_of(done.folder, database)
    worker.step()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert worker.attempt() is None
    assert worker.problem.endswith("locked by another process: try again when it has finished")
    other.execute("ROLLBACK")
    other.close()
    worker.catch_up()
    assert world.tables(database, exact=True) == done.exact
    database.dispose()


def test_run_ends_when_nothing_more_comes_and_all_is_written(
    world: Any, done: Any, database: Engine
) -> None:
    worker = worker_of(done.folder, database)
    pauses: list[float] = []

    def finishing(pause_s: float) -> bool:
        pauses.append(pause_s)
        return len(pauses) > 2

    worker.run(finishing)
    assert pauses == [table_worker.POLL_S] * 3
    assert world.tables(database, exact=True) == done.exact
    assert worker.status.behind == 0
    assert worker.status.seq == projected_seq(database, ENVIRONMENT)


def test_postgresql_is_restarted_in_the_middle(
    world: Any, done: Any, growing: Growing, postgres: PostgresServer, tmp_path: Path
) -> None:
    """Stopped, killed without a word, and gone for a while: nothing lost, no row twice."""
    url, lines = postgres.make_database("restarted", like="migrated"), list[str]()
    target = TableTarget(tmp_path / "run", url, ENVIRONMENT, ENVIRONMENT)
    worker, draw = TableWorker(target, say=lines.append), random.Random(5)
    for turn in range(60):
        growing.grow_to(growing.size + 8_000)
        worker.attempt()
        if turn % 12 == 3:
            postgres.stop(draw.choice([signal.SIGINT, signal.SIGQUIT]))
            assert worker.attempt() is None
            growing.grow_to(growing.size + 5_000)
            assert worker.attempt() is None
            postgres.start()
    growing.grow_to(10**9)
    worker.catch_up()
    database = open_database(url)
    found = world.tables(database, exact=True)
    database.dispose()
    worker.close()
    postgres.drop_database("restarted")
    assert {name: [tuple(map(plain, row)) for row in rows] for name, rows in found.items()} == (
        done.exact
    )
    assert len(lines) in range(4, 11, 2)
    assert all("PostgreSQL database restarted at 127.0.0.1" in line for line in lines[::2])
    assert {line.rpartition(": ")[2] for line in lines[1::2]} == {"they have all events again"}


def test_others_may_write_between_its_batches(
    done: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a database is shared, its lock is free half of the time; alone, batches are larger."""
    pauses: list[float] = []
    clock_s = iter(k * 0.02 for k in range(10**6))
    monkeypatch.setattr("ares.runtime.engine.table_worker.time.sleep", pauses.append)
    for alone, sizes in ((False, 37), (True, table_worker.ENTRIES_MAX_ALONE)):
        pauses.clear()
        database = open_database(tmp_path / f"{alone}.db")
        target = TableTarget(done.folder, "", ENVIRONMENT, ENVIRONMENT, alone)
        worker = TableWorker(target, open_=lambda _, d=database: d, now_s=lambda: next(clock_s))  # type: ignore[misc]
        worker.run(lambda _: True)
        assert worker.status.seq == projected_seq(database, ENVIRONMENT) > 0
        n_batches = worker.status.seq // sizes
        assert len(pauses) == 0 if alone else 1 < len(pauses) <= n_batches + 1
        assert all(0.0 < pause <= table_worker.YIELD_S_MAX for pause in pauses)
        database.dispose()
