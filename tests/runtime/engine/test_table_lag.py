"""The lag of tables: entries behind the journal, and since when."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from ares.journal.run import entries
from ares.runtime.engine import table_worker
from ares.runtime.engine.table_lag import table_lag
from ares.runtime.engine.table_worker import TableWorker
from ares.runtime.engine.tables import TableTarget

ENVIRONMENT = "history/test"


def test_entries_and_seconds_behind(
    done: Any, database: Engine, tmp_path: Path, monkeypatch: Any
) -> None:
    folder, (*_, last) = done.folder, entries(done.folder)
    before = table_lag(database, ENVIRONMENT, folder, 0)
    assert (before.seq, before.journal_seq, before.seq_behind) == (0, last.seq, last.seq)
    assert (before.seconds, before.updated_at) == (0.0, None)
    assert table_lag(database, ENVIRONMENT, tmp_path / "none", 0).seq_behind == 0

    monkeypatch.setattr(table_worker, "ENTRIES_MAX", 100)
    target = TableTarget(folder, "", ENVIRONMENT, ENVIRONMENT)
    worker = TableWorker(target, open_=lambda _: database, now_ms=lambda: 1_000_000)
    worker.step()
    some = table_lag(database, ENVIRONMENT, folder, 1_060_000)
    assert some.seq >= 100
    assert (some.seq_behind, some.seconds) == (last.seq - some.seq, 60.0)
    worker.catch_up()
    all_ = table_lag(database, ENVIRONMENT, folder, 2_000_000)
    assert (all_.seq, all_.seq_behind, all_.seconds) == (last.seq, 0, 0.0)
    assert all_.updated_at == "1970-01-01 00:16:40"


def test_a_journal_that_was_replaced_counts_from_its_start(
    done: Any, database: Engine, tmp_path: Path
) -> None:
    shutil.copytree(done.folder, tmp_path / "run")
    target = TableTarget(done.folder, "", ENVIRONMENT, ENVIRONMENT)
    TableWorker(target, open_=lambda _: database).catch_up()
    path = tmp_path / "run" / "000001.journal"
    path.write_bytes(path.read_bytes()[:20_000])
    kept = sum(entry.effects_raw is not None for entry in entries(tmp_path / "run"))
    assert table_lag(database, ENVIRONMENT, tmp_path / "run", 0).seq_behind == kept > 0
