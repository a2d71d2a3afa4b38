"""A fresh store on SQLite and on PostgreSQL, and bars to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.postgres import PostgresServer

from ares.store.candles import CandleStore
from ares.store.database import open_database

NUMBERS = count(1)


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Return what makes the URL of a new database, on each of the two."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path}/ares-{next(NUMBERS)}.db"
        return
    started: PostgresServer = request.getfixturevalue("postgres")
    names: list[str] = []

    def make() -> str:
        names.append(f"test-{next(NUMBERS)}")
        return started.make_database(names[-1], like="migrated")

    yield make
    for name in names:
        started.drop_database(name)


@pytest.fixture
def engine(new_url: Callable[[], str]) -> Iterator[Engine]:
    """Return an engine on a new database, closed afterwards."""
    opened = open_database(new_url(), busy_ms=50)
    yield opened
    opened.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """Return an engine on a new file, for what SQLite alone has."""
    opened = open_database(tmp_path / "ares.db", busy_ms=50)
    yield opened
    opened.dispose()


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> CandleStore:
    """Return an empty store with a cache."""
    return CandleStore(engine, tmp_path / "cache")
