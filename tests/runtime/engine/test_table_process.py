"""The worker's process: it follows, survives being killed, and ends with the engine."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ares.runtime.engine.table_process import TableProcess, start_table_worker
from ares.runtime.engine.tables import NO_TABLES
from ares.store.database import open_database

ENVIRONMENT = "history/test"


def until(condition: Callable[[], bool]) -> None:
    """Wait for another process."""
    deadline_s = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def started(folder: Path, database: Path, **more: Any) -> TableProcess:
    return start_table_worker(folder, f"sqlite:///{database}", ENVIRONMENT, ENVIRONMENT, **more)


def test_it_has_all_when_it_was_waited_for(world: Any, done: Any, tmp_path: Path) -> None:
    tables = started(tmp_path / "run", tmp_path / "rows.db")
    shutil.copytree(done.folder, tmp_path / "run")
    assert tables.stop(wait=True) == ""
    assert tables.stop(wait=False) == ""
    database = open_database(tmp_path / "rows.db")
    assert world.tables(database, exact=True) == done.exact
    database.dispose()
    assert tables.status.seq > 0


def test_a_worker_that_is_killed_is_started_again(world: Any, done: Any, tmp_path: Path) -> None:
    lines: list[str] = []
    tables = started(tmp_path / "run", tmp_path / "rows.db", say=lines.append)
    first = tables.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: tables.pid != first)
    shutil.copytree(done.folder, tmp_path / "run")
    assert tables.stop(wait=True) == ""
    assert lines == [f"tables of {ENVIRONMENT}: its worker ended with code -9: starting it again"]
    database = open_database(tmp_path / "rows.db")
    assert world.tables(database, exact=True) == done.exact
    database.dispose()


def test_killed_again_and_again_while_the_journal_grows(
    world: Any, done: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL at any moment of its life: while it is imported, reads, or writes."""
    monkeypatch.setattr("ares.runtime.engine.side_process.PAUSE_S_MIN", 0.01)
    monkeypatch.setattr("ares.runtime.engine.side_process.PAUSE_S_MAX", 0.01)
    raw, draw = (done.folder / "000001.journal").read_bytes(), random.Random(3)
    (tmp_path / "run").mkdir()
    tables = started(tmp_path / "run", tmp_path / "rows.db")
    with (tmp_path / "run" / "000001.journal").open("ab", buffering=0) as file:
        for turn in range(8):
            file.write(raw[len(raw) * turn // 8 : len(raw) * (turn + 1) // 8])
            time.sleep(draw.random())
            before = tables.pid
            os.kill(before, signal.SIGKILL)
            until(lambda before=before: tables.pid != before)  # type: ignore[misc]
    assert tables.stop(wait=True) == ""
    database = open_database(tmp_path / "rows.db")
    assert world.tables(database, exact=True) == done.exact
    database.dispose()


def test_what_cannot_be_written_is_stated_at_the_end(done: Any, tmp_path: Path) -> None:
    lines: list[str] = []
    target = started(done.folder, tmp_path / "away" / "rows.db").target
    tables = TableProcess(target, lines.append, finish_s_max=3.0)
    until(lambda: bool(lines))
    remark = tables.stop(wait=True)
    assert "do not have all events" in remark
    assert "ares db rebuild" in remark
    assert tables._process._process.poll() is not None


def test_it_ends_at_once_without_waiting(done: Any, tmp_path: Path) -> None:
    tables = started(done.folder, tmp_path / "away" / "rows.db")
    assert "do not have all events" in tables.stop(wait=False)
    assert tables._process._process.poll() == -signal.SIGKILL
    assert NO_TABLES.stop(wait=True) == ""


def test_it_ends_with_the_process_that_started_it(done: Any, tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from pathlib import Path\n"
        "from ares.runtime.engine.table_process import start_table_worker\n"
        "tables = start_table_worker(Path(sys.argv[1]), sys.argv[2], 'history/test')\n"
        "print(tables.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(done.folder), f"sqlite:///{tmp_path / 'rows.db'}"],
        stdout=subprocess.PIPE, text=True,
    ) as engine:  # fmt: skip
        assert engine.stdout is not None
        worker = int(engine.stdout.readline())
        engine.kill()
    until(lambda: not Path(f"/proc/{worker}").exists() or is_zombie(worker))


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended and nobody has waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="no priorities here")
def test_its_priority_is_low(done: Any, tmp_path: Path) -> None:
    tables = started(done.folder, tmp_path / "rows.db")
    lowered = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    until(lambda: os.getpriority(os.PRIO_PROCESS, tables.pid) == lowered)
    tables.stop(wait=True)
