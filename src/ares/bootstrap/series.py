"""The external series and the news of a workspace: stored, listed and checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ares.observe.series_check import SeriesChecked
    from ares.runtime.ingest.series_import import SeriesImported
    from ares.store.news import NewsStore
    from ares.store.series import StoredScope


@contextmanager
def news_store(workspace: Workspace) -> Iterator[NewsStore]:
    """Open the news of a workspace; its database is closed at the end."""
    from ares.store.news import NewsStore

    with _database(workspace) as engine:
        yield NewsStore(engine)


def import_series(
    workspace: Workspace,
    path: Path,
    name: str,
    lag_ms: int | None = None,
    value_column: str = "",
    symbol: str = "",
) -> SeriesImported:
    """Store a file of values as a series; raise UserError where any of it cannot be used."""
    from ares.config.series import require_series_name
    from ares.runtime.ingest.series_import import SeriesRequest, store_series

    try:
        require_series_name(name)
    except ValueError as error:
        raise UserError(f"--name: {error}") from None
    request = SeriesRequest(path, name, lag_ms, value_column, symbol)
    with _database(workspace) as engine:
        return store_series(engine, request, workspace.settings.symbols, _now_ms())


def list_series(workspace: Workspace) -> list[StoredScope]:
    """Return what is stored of each series."""
    from ares.store.series import SeriesStore

    with _database(workspace) as engine:
        return SeriesStore(engine).listed()


def check_series(workspace: Workspace) -> list[SeriesChecked]:
    """Return how old each series is, as of now."""
    from ares.observe.series_check import check_stored_series
    from ares.store.series import SeriesStore

    specs = tuple(feature.spec for feature in workspace.settings.features.series)
    with _database(workspace) as engine:
        return check_stored_series(SeriesStore(engine).listed(), specs, _now_ms())


def remove_series(workspace: Workspace, name: str) -> int:
    """Remove a series; return how many values it had; raise UserError where there is none."""
    from ares.store.series import SeriesStore

    with _database(workspace) as engine:
        removed = SeriesStore(engine).remove(name)
    if not removed:
        raise UserError(f"no series '{name}' is stored: `ares data series list`")
    return removed


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def _database(workspace: Workspace) -> Iterator[Engine]:
    from ares.store.database import open_database

    engine = open_database(workspace.db_url)
    try:
        yield engine
    finally:
        engine.dispose()
