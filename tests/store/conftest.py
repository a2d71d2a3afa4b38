"""A fresh store, and bars to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ares.store.candles import CandleStore
from ares.store.database import open_database


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return an engine on a new database, closed afterwards."""
    opened = open_database(tmp_path / "ares.db", busy_ms=50)
    yield opened
    opened.dispose()


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> CandleStore:
    """Return an empty store with a cache."""
    return CandleStore(engine, tmp_path / "cache")
