"""Every query of operators' notes gives a true answer on a paper engine's tables of today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import Engine
from tests.postgres import PostgresServer, plain
from tests.reference_queries import POSTGRES, SQLITE, TIMESCALE

from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    Effect,
    Event,
    ModeChanged,
    RunStarted,
    TradeClosed,
)
from ares.domain.model_events import RetrainingEnded, RetrainingStarted
from ares.domain.utc import utc_sql
from ares.journal.run import RunJournal, entries
from ares.store.database import open_database
from ares.store.projections import show_environment

SYMBOLS = ("BTC/USDT", "ETH/USDT")
HOUR_MS, QUARTER_MS = 3_600_000, 900_000


def moved(value: Any, by_ms: int) -> Any:
    """Return an event or effect as it would have been at another time."""
    times = [name for name in value.__struct_fields__ if name.endswith("_ms")]
    later = {name: getattr(value, name) + by_ms for name in times}
    return msgspec.structs.replace(value, **{name: t for name, t in later.items() if t > by_ms})


@pytest.fixture(scope="module")
def of_today(done: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the journal of a paper engine whose last event was a quarter of an hour ago at most,
    with trainings.

    It is the run of the other tests, moved in time by quarters of an hour.
    """
    *_, last = entries(done.folder)
    by_ms = int(datetime.now(UTC).timestamp() * 1_000) - 30_000 - last.at_ms
    by_ms -= by_ms % QUARTER_MS
    folder = tmp_path_factory.mktemp("paper")
    journal, seq = RunJournal(folder, sync_ms=None), 0

    def add(event: Event, effects: list[Effect], at_ms: int) -> None:
        nonlocal seq
        seq += 1
        journal.event(seq, event, at_ms)
        journal.effects(seq, effects)

    for entry in entries(done.folder):
        event, at_ms = entry.event, entry.at_ms + by_ms
        if isinstance(event, RunStarted):
            setup = msgspec.structs.replace(event.setup, environment="paper")
            add(RunStarted(setup), entry.effects, at_ms)
        else:
            add(moved(event, by_ms), [moved(effect, by_ms) for effect in entry.effects], at_ms)
    now_ms = last.at_ms + by_ms
    for k, (trigger, hours_ago) in enumerate((("drift", 1), ("drift", 2), ("schedule", 7))):
        begun_ms = now_ms - hours_ago * HOUR_MS
        add(RetrainingStarted(begun_ms, 0, trigger, "a test"), [], now_ms)  # type: ignore[arg-type]
        ended = RetrainingEnded(
            begun_ms + 60_000, 0, trigger, begun_ms, 60_000, 100, 0.5 + k / 10, "e" * 64, "v" * 64,  # type: ignore[arg-type]
            True, (), "published", "", 8,
        )  # fmt: skip
        add(ended, [], now_ms)
    journal.close()
    return folder


def effects(folder: Path, kind: type) -> list[Any]:
    return [e for entry in entries(folder) for e in entry.effects if type(e) is kind]


def ask(database: Engine, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        found = connection.exec_driver_sql(query).fetchall()
    return [tuple(plain(value) for value in row) for row in found]


@pytest.fixture
def tables(world: Any, done: Any, of_today: Path, database: Engine) -> Engine:
    """Return a database with the tables of a paper engine, and of another environment."""
    world.write_tables(database, done.folder, "history/test")
    world.write_tables(database, of_today, "paper")
    show_environment(database, "paper")
    return database


def true_answers(folder: Path) -> list[Any]:
    """Return what the journal says to the queries of SQLITE from the third on."""
    errors = [
        (utc_sql(e.ts_ms), "daily_loss_limit" if isinstance(e, DailyLossReached) else None)
        for entry in entries(folder)
        for e in entry.effects
        if isinstance(e, BreakerChanged | DailyLossReached)
    ]
    real = [t for t in effects(folder, TradeClosed) if not t.virtual]
    losses = sorted(
        (t.pnl_units / 1e8, SYMBOLS[t.instrument % 2], t.p) for t in real if t.pnl_units < 0
    )
    return [
        [(2, pytest.approx(0.55))],
        [("drift", 2)],
        errors,
        [(symbol, "long", pnl, p) for pnl, symbol, p in losses[:10]],
        [(SYMBOLS[t.instrument % 2], t.net_bps) for t in reversed(real)][:20],
        len(effects(folder, ModeChanged)),
        sum(t.pnl_units for t in real) / 1e8,
    ]


def check_answers(database: Engine, folder: Path, queries: tuple[str, ...]) -> None:
    """Ask the queries of SQLITE from the third on."""
    retrained, reasons, scores, errors, losses, trades, trainings, modes, total = queries
    wanted = true_answers(folder)
    assert ask(database, retrained) == wanted[0]
    assert ask(database, reasons) == wanted[1]
    ((mean, best),) = ask(database, scores)
    outputs = [np.frombuffer(d.outputs).reshape(5, -1)[0, 0] for d in effects(folder, DecisionMade)]
    assert best == np.nanmax(outputs)
    assert np.nanmin(outputs) < mean < best
    found = ask(database, errors)
    assert len(found) == min(20, len(wanted[2])) > 0
    assert {row[0] for row in found} <= {at for at, _ in wanted[2]}
    assert ask(database, losses) == [
        (symbol, direction, pytest.approx(pnl), p) for symbol, direction, pnl, p in wanted[3]
    ]
    with database.connect() as connection:
        newest = connection.exec_driver_sql(trades).mappings().all()
    assert [(row["symbol"], row["pnl_bps"]) for row in newest] == wanted[4]
    assert {row["environment"] for row in newest} == {"paper"}
    assert len(ask(database, trainings)) == 3
    assert len(ask(database, modes)) == min(5, wanted[5]) > 0
    ((sum_,),) = ask(database, total)
    assert sum_ == pytest.approx(wanted[6])
    assert sum_ != 0


def test_the_queries_for_sqlite(tables: Engine, of_today: Path) -> None:
    assert ask(tables, SQLITE[0]) == [("ok",)]
    assert ask(tables, SQLITE[1]) == []
    check_answers(tables, of_today, SQLITE[2:])


def closes_of(folder: Path, i: int) -> dict[int, float]:
    """Return the closes of an instrument by closing instant."""
    found = {}
    for entry in entries(folder):
        if isinstance(entry.event, BarsClosed) and entry.event.present[i]:
            found[entry.event.ts_ms] = np.frombuffer(entry.event.ohlcv).reshape(-1, 5)[i, 3]
    return found


def check_volatility(rows: list[tuple[Any, ...]], folder: Path) -> None:
    """The rows of the last hour: returns of an hour; of a day the run has not enough bars."""
    assert "BTC/USDT" in {row[0] for row in rows}
    now_ms = int(datetime.now(UTC).timestamp() * 1_000)
    for i, symbol in enumerate(SYMBOLS):
        closes = closes_of(folder, i)
        marks = [t for t in sorted(closes, reverse=True) if t % QUARTER_MS == 0]
        wanted = [
            (None, pytest.approx(closes[t] / closes[t - HOUR_MS] - 1.0), None)
            for t in marks
            if t > now_ms - HOUR_MS
        ]
        assert [row[1:] for row in rows if row[0] == symbol] == wanted


def check_executions(rows: list[tuple[Any, ...]], folder: Path) -> None:
    """A row of each order that ended, with the profits of all trades of money."""
    real = [t.pnl_units / 1e8 for t in effects(folder, TradeClosed) if not t.virtual]
    assert sorted(row[2] for row in rows if row[2] is not None) == pytest.approx(sorted(real))
    assert {row[1] for row in rows} == {0, 1}
    assert {row[3:] for row in rows} == {(None, None)}  # no chain: no gas


def check_performance(rows: list[tuple[Any, ...]], folder: Path) -> None:
    """The ten newest rows; the newest of each ensemble is over all its trades of money."""
    real = [t for t in effects(folder, TradeClosed) if not t.virtual]
    assert len(rows) == min(10, len(real)) > 0
    for i, symbol in enumerate(SYMBOLS):
        of_symbol = [t for t in real if t.instrument % 2 == i]
        newest = next(row for row in rows if row[0].startswith(f"{symbol} "))
        assert newest[1] == pytest.approx(np.mean([t.net_bps > 0 for t in of_symbol]))
        assert newest[2] == pytest.approx(np.mean([t.pnl_units for t in of_symbol]) / 1e8)


@pytest.fixture
def on_postgres(
    world: Any, done: Any, of_today: Path, postgres: PostgresServer
) -> Iterator[Engine]:
    """Return the same tables on PostgreSQL."""
    database = open_database(postgres.make_database("queries", like="migrated"))
    world.write_tables(database, done.folder, "history/test")
    world.write_tables(database, of_today, "paper")
    show_environment(database, "paper")
    yield database
    database.dispose()
    postgres.drop_database("queries")


def test_the_queries_for_postgresql(on_postgres: Engine, of_today: Path) -> None:
    queries = [query.replace("datetime('now', '-6 hours')", "NOW() - INTERVAL '6 hours'")
               .replace("datetime('now', '-24 hours')", "NOW() - INTERVAL '24 hours'")
               for query in SQLITE[2:]]  # fmt: skip
    check_answers(on_postgres, of_today, tuple(queries))
    with on_postgres.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO all_arbitrage_opportunities"
            " (environment, symbol, timestamp, edge_bps, executed, profitable, profit_quote) VALUES"
            " ('paper', 'ETH/USDT', NOW(), 12.0, TRUE, TRUE, 3.5),"
            " ('paper', 'ETH/USDT', NOW(), 9.0, TRUE, FALSE, -1.0),"
            " ('live', 'ETH/USDT', NOW(), 50.0, TRUE, TRUE, 99.0),"
            " ('paper', 'BTC/USDT', NOW() - INTERVAL '2 days', 7.0, FALSE, NULL, NULL)"
        )
    recent, volatility, executions, performance, win_rate = POSTGRES
    assert sorted(ask(on_postgres, recent)) == [
        ("ETH/USDT", 9.0, 1, 0, -1.0), ("ETH/USDT", 12.0, 1, 1, 3.5)
    ]  # fmt: skip
    assert ask(on_postgres, win_rate) == [("ETH/USDT", 0.5)]
    check_volatility(ask(on_postgres, volatility), of_today)
    check_executions(ask(on_postgres, executions), of_today)
    check_performance(ask(on_postgres, performance), of_today)
    with on_postgres.connect() as connection:
        has_bucket = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_proc WHERE proname = 'time_bucket'"
        ).scalar()
    if has_bucket:
        assert [row[1] for row in ask(on_postgres, TIMESCALE)] == [3.5]


ASKED = (
    "positions", "trade_outcomes", "confidence_history", "learning_states", "retraining_history",
    "error_log", "market_volatility", "execution_logs", "model_performance",
)  # fmt: skip


@pytest.mark.parametrize("table", ASKED)
def test_the_queries_would_notice_an_empty_table(
    tables: Engine, of_today: Path, table: str
) -> None:
    """The same checks fail where a table has no row, though its journal has what belongs there."""

    def check() -> None:
        check_answers(tables, of_today, SQLITE[2:])
        now_ms = int(datetime.now(UTC).timestamp() * 1_000)
        hour_ago, day_ago = utc_sql(now_ms - HOUR_MS), utc_sql(now_ms - 24 * HOUR_MS)
        _, volatility, executions, performance, _ = POSTGRES
        for query, check_rows in (
            (volatility.replace("NOW() - INTERVAL '1 hour'", f"'{hour_ago}'"), check_volatility),
            (executions.replace("NOW() - INTERVAL '24 hours'", f"'{day_ago}'"), check_executions),
            (performance, check_performance),
        ):
            check_rows(ask(tables, query), of_today)

    check()
    with tables.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM all_{table}")
    with pytest.raises((AssertionError, StopIteration, TypeError)):
        check()


@pytest.mark.parametrize("table", [*ASKED, "orders", "fills", "virtual_trades"])
def test_plain_names_show_one_environment_and_real_trades(tables: Engine, table: str) -> None:
    whole = "all_trade_outcomes" if table == "virtual_trades" else f"all_{table}"
    environments = ask(tables, f"SELECT DISTINCT environment FROM {whole} ORDER BY 1")
    one_only = table == "retraining_history"  # the other run had no training
    assert environments == ([("paper",)] if one_only else [("history/test",), ("paper",)])
    assert ask(tables, f"SELECT DISTINCT environment FROM {table}") == [("paper",)]
    if table in ("trade_outcomes", "virtual_trades", "model_performance"):
        virtual = ask(tables, f"SELECT DISTINCT virtual FROM {table}")
        assert virtual == [(int(table == "virtual_trades"),)]
        assert {row[0] for row in ask(tables, f"SELECT DISTINCT virtual FROM {whole}")} == {0, 1}
