"""PostgreSQL: bulk inserts, one writer, hypertables where they are, and a line for each failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import Engine
from tests.postgres import PostgresServer

from ares.domain.errors import ExternalError, UserError
from ares.store.database import execute_rows, open_database, reading, writing
from ares.store.database_url import is_postgres
from ares.store.postgres import COPY_ROWS_MIN, copy_rows, make_hypertables, server_of

INSERT = (
    "INSERT INTO news (source, scope, published_ms, hash, score, scorer) VALUES (?, ?, ?, ?, ?, ?)"
)
NAME = "postgres-alone"


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Engine]:
    """Return an engine on a new database of PostgreSQL."""
    engine = open_database(postgres.make_database(NAME, like="migrated"), busy_ms=50)
    yield engine
    engine.dispose()
    postgres.drop_database(NAME)


def counted(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM news").scalar_one())


def news(n: int) -> list[tuple[object, ...]]:
    return [("wire", "tab\there", k, "back\\slash", 0.5, "50% ?") for k in range(n)]


@pytest.mark.parametrize("n", [1, COPY_ROWS_MIN - 1, COPY_ROWS_MIN, 1_000])
def test_rows_are_inserted_or_copied_alike(database: Engine, n: int) -> None:
    with writing(database) as connection:
        execute_rows(connection, INSERT, news(n))
    with reading(database) as connection:
        found = connection.exec_driver_sql(
            "SELECT source, scope, published_ms, hash, score, scorer FROM news ORDER BY id"
        ).all()
    assert [tuple(row) for row in found] == news(n)


def test_a_copy_belongs_to_its_transaction(database: Engine) -> None:
    def fails() -> None:
        with writing(database) as connection:
            assert copy_rows(connection, INSERT, news(100))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert counted(database) == 0
    with writing(database) as connection:
        assert not copy_rows(connection, INSERT.replace("?)", "1)"), news(100))
        assert not copy_rows(connection, "UPDATE news SET score = ?", news(100))


def test_one_writer_at_a_time_and_readers_are_not_held_up(database: Engine) -> None:
    with writing(database) as connection:
        execute_rows(connection, INSERT, news(1))
        with pytest.raises(ExternalError, match="is locked by another process"), writing(database):
            pass
        assert counted(database) == 0
        with writing(database, alone=False) as another:  # the table worker waits for nobody
            execute_rows(another, INSERT, news(3)[1:])
    assert counted(database) == 3


def test_a_reader_sees_one_state(database: Engine) -> None:
    with reading(database) as connection:
        first = connection.exec_driver_sql("SELECT count(*) FROM news").scalar()
        with writing(database) as other:
            execute_rows(other, INSERT, news(1))
        assert connection.exec_driver_sql("SELECT count(*) FROM news").scalar() == first == 0


def test_many_may_open_a_new_database_at_once(postgres: PostgresServer) -> None:
    url, failures = postgres.make_database("new"), list[BaseException]()

    def opened() -> None:
        try:
            open_database(url).dispose()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=opened) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    postgres.drop_database("new")
    assert failures == []


def test_a_read_only_database_is_one_line(database: Engine) -> None:
    with database.connect() as connection:
        connection.exec_driver_sql(
            f'ALTER DATABASE "{NAME}" SET default_transaction_read_only = on'
        )
        connection.commit()
    database.dispose()
    with pytest.raises(ExternalError, match="is read-only") as caught, writing(database) as writer:
        execute_rows(writer, INSERT, news(1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("busy_ms", [50])
def test_what_cannot_be_reached_is_one_line_without_the_password(
    postgres: PostgresServer, busy_ms: int
) -> None:
    for url, message in (
        ("postgresql://me:secret@127.0.0.1:9/ares", "cannot be reached: check that it runs"),
        (postgres.url_of("nothing").replace("ares@", "ares:secret@"), "does not exist: make it"),
    ):
        with pytest.raises(ExternalError, match=message) as caught:
            open_database(url, busy_ms)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("PostgreSQL database ")


def test_a_database_of_another_program_is_not_touched(postgres: PostgresServer) -> None:
    url = postgres.make_database("other")
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("CREATE TABLE experiments (id INTEGER)")
    with pytest.raises(ExternalError, match="is a database of another program"):
        open_database(url)
    postgres.drop_database("other")


def test_without_timescaledb_there_are_no_hypertables(database: Engine) -> None:
    with writing(database) as connection:
        assert not make_hypertables(connection)


def test_with_timescaledb_what_grows_with_time_is_a_hypertable(database: Engine) -> None:
    """The extension is not installed here: a function of its name notes how it is called."""
    with writing(database) as connection:
        connection.exec_driver_sql("CREATE TABLE calls (relation TEXT, by TEXT)")
        connection.exec_driver_sql(
            "CREATE FUNCTION create_hypertable(relation regclass, by name, migrate_data boolean)"
            " RETURNS void LANGUAGE sql AS $$ INSERT INTO calls VALUES (relation::text, by) $$"
        )
        assert make_hypertables(connection)
        assert make_hypertables(connection)  # again: nothing to do
        calls = connection.exec_driver_sql("SELECT * FROM calls ORDER BY 1").all()
        keys = connection.exec_driver_sql(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'all_confidence_history'::regclass AND contype = 'p'"
        ).all()
    assert [tuple(call) for call in calls] == [
        ("all_confidence_history", "timestamp"), ("all_market_volatility", "timestamp")
    ]  # fmt: skip
    assert [key for (key,) in keys] == ['PRIMARY KEY (id, "timestamp")']


def test_urls(postgres: PostgresServer) -> None:
    assert is_postgres("postgres://h/d")
    assert is_postgres("postgresql+psycopg2://h/d")
    assert not is_postgres("/a/file")
    engine = open_database(postgres.url_of("migrated").replace("postgresql://", "postgres://"))
    assert server_of(engine.url) == f"PostgreSQL database migrated at 127.0.0.1:{postgres.port}"
    engine.dispose()
    with pytest.raises(UserError, match=r"database\.url is not a URL"):
        open_database("postgresql://h:port/d")
