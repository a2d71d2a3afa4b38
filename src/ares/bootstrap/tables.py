"""The engine's tables: in which database an environment has them, and who writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace

if TYPE_CHECKING:
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
    )
