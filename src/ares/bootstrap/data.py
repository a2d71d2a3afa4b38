"""The candles of a workspace: its database opened, and closed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.store.candles import CandleStore


@contextmanager
def candle_store(workspace: Workspace) -> Iterator[CandleStore]:
    """Open the candle store of a workspace; its database is closed at the end."""
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    database = open_database(workspace.db_url)
    try:
        yield CandleStore(database, workspace.cache_dir)
    finally:
        database.dispose()
