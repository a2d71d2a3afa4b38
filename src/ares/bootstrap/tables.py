"""The engine's tables: in which database an environment has them, and who writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ares.config.workspace import Workspace
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.runtime.engine.table_lag import TableLag
    from ares.runtime.engine.table_process import TableProcess

HISTORY = "history/"
TABLES_FILE = "tables.db"


def journal_folder(workspace: Workspace, environment: str) -> Path:
    """Return the folder of an environment's journal."""
    return workspace.journal_dir / environment


def tables_url(workspace: Workspace, environment: str) -> str:
    """Return the database of an environment's tables.

    A history run has one beside its journal, so that no rehearsal is in the workspace's database.
    """
    if environment.startswith(HISTORY):
        path = journal_folder(workspace, environment) / TABLES_FILE
        return f"sqlite:///{path.resolve()}"
    return workspace.db_url


def shown_environment(workspace: Workspace, environment: str) -> str:
    """Return the environment that plain table names show in the database of ``environment``."""
    if environment.startswith(HISTORY):
        return environment
    live = workspace.settings.live_trading
    return "live" if live.enabled and live.mode == "live" else "paper"


def start_tables(
    workspace: Workspace, environment: str, say: Callable[[str], None] = lambda _: None
) -> TableProcess:
    """Start the process that writes an environment's tables."""
    from ares.runtime.engine.table_process import start_table_worker

    return start_table_worker(
        journal_folder(workspace, environment),
        tables_url(workspace, environment),
        environment,
        shown_environment(workspace, environment),
        say,
        alone=environment.startswith(HISTORY),
    )


class DatabaseCheck(NamedTuple):
    """A database: its name, the version of its schema, what is wrong with its file, its tables.

    problem : empty where the file is whole; on PostgreSQL the server looks after that.
    """

    name: str
    schema: str
    problem: str
    lags: tuple[TableLag, ...]


def environments(workspace: Workspace) -> list[str]:
    """Return the environments that have a journal, those of the workspace's database first."""
    root = workspace.journal_dir
    folders = [root / "paper", root / "live"]
    for pattern in ("rehearsal/*", "history/*"):
        folders += sorted(root.glob(pattern))
    return [
        folder.relative_to(root).as_posix() for folder in folders if any(folder.glob("*.journal"))
    ]


def rebuild_tables(
    workspace: Workspace, environment: str | None, done: Callable[[str, int], None]
) -> None:
    """Delete the rows of an environment (None: of all) and make them again from its journal.

    done : called with each environment and how many events its tables have now. Its engine may
           run: of two that write, the slower one writes nothing.
    """
    from ares.runtime.engine.table_worker import TableWorker
    from ares.runtime.engine.tables import TableTarget
    from ares.store.database import open_database
    from ares.store.projections import delete_rows

    for each in _chosen(workspace, environment):
        url, shown = tables_url(workspace, each), shown_environment(workspace, each)
        database = open_database(url)
        try:
            delete_rows(database, each)
        finally:
            database.dispose()
        target = TableTarget(journal_folder(workspace, each), url, each, shown)
        with closing(TableWorker(target)) as worker:
            done(each, worker.catch_up())


def check_databases(
    workspace: Workspace, environment: str | None, now_ms: int
) -> list[DatabaseCheck]:
    """Return what is in the databases of an environment (None: of all), migrated where needed."""
    from ares.runtime.engine.table_lag import table_lag
    from ares.store.database import check_integrity, name_of, open_database
    from ares.store.schema_version import SCHEMA_VERSION

    by_url: dict[str, list[str]] = {} if environment else {workspace.db_url: []}
    for each in _chosen(workspace, environment):
        by_url.setdefault(tables_url(workspace, each), []).append(each)
    found = []
    for url, names in by_url.items():
        database = open_database(url)
        try:
            lags = [
                table_lag(database, each, journal_folder(workspace, each), now_ms) for each in names
            ]
            problem = check_integrity(database)
            found.append(DatabaseCheck(name_of(database), SCHEMA_VERSION, problem, tuple(lags)))
        finally:
            database.dispose()
    return found


def _chosen(workspace: Workspace, environment: str | None) -> Sequence[str]:
    known = environments(workspace)
    if environment is None:
        return known
    if environment not in known:
        raise UserError(
            f"{environment} has no journal: name one of {', '.join(known) or 'none yet'}"
        )
    return (environment,)
