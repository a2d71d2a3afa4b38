"""Backup and restore of a workspace, composed; a restored one is re-stepped."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import ares
from ares.config.workspace import Workspace
from ares.domain.errors import AresError
from ares.store.database_url import is_postgres, path_of

if TYPE_CHECKING:
    from ares.runtime.ops.backup import BackupManifest

NS_PER_MS = 1_000_000


class RestoredJournal(msgspec.Struct, frozen=True):
    """A journal of a restored workspace, stepped again.

    problem : empty where its chain is whole and every effect is byte-equal.
    """

    environment: str
    records: int
    compared: int
    problem: str = ""
    remark: str = ""


def backup_workspace(workspace: Workspace, target: Path | None) -> tuple[Path, BackupManifest]:
    """Back a workspace up while it works; return where, and what is in it.

    target : a new folder; None: one below ``backups/`` that is named after the time.
    """
    from ares.runtime.ops.backup import make_backup

    now = datetime.now(UTC)
    target = target or workspace.root / "backups" / now.strftime("%Y%m%dT%H%M%SZ")
    url = workspace.db_url
    database = None if is_postgres(url) else path_of(url)
    if database is not None and not database.exists():
        database = None
    now_ms = time.time_ns() // NS_PER_MS
    return target, make_backup(workspace.root, target, ares.__version__, now_ms, database)


def restore_workspace(
    backup: Path, root: Path, step: bool
) -> tuple[BackupManifest, list[RestoredJournal]]:
    """Restore a backup as a new workspace; return what is in it, and its journals stepped again.

    step : whether they are stepped; otherwise their chains alone are verified.
    """
    from ares.bootstrap.tables import environments
    from ares.runtime.ops.backup import restore_backup

    manifest = restore_backup(backup, root)
    workspace = Workspace(root)
    return manifest, [restored_journal(workspace, name, step) for name in environments(workspace)]


def restored_journal(workspace: Workspace, environment: str, step: bool) -> RestoredJournal:
    """Verify an environment's journal, and step it again."""
    from ares.bootstrap.replays import restep_run
    from ares.journal.verify import verify

    check = verify(workspace.journal_dir / environment)
    if not check.whole:
        problem = f"{check.file} is damaged at byte {check.byte}"
        return RestoredJournal(environment, check.records, 0, problem)
    if not step:
        return RestoredJournal(environment, check.records, 0)
    run = environment.removeprefix("history/")
    try:
        done = restep_run(workspace, run)
    except AresError as error:  # of another version: nothing can be compared
        return RestoredJournal(environment, check.records, 0, remark=str(error))
    problem = f"{done.mismatches} events give other effects" if done.mismatches else ""
    return RestoredJournal(environment, check.records, done.compared, problem)
