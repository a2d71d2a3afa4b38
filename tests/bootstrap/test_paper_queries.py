"""After a paper run of the last weeks, each query of operators gives what the journal has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine
from tests.postgres import PostgresServer, plain
from tests.reference_queries import POSTGRES, SQLITE
from tests.running_paper import closing_database, now_ms, running

from ares.adapters.model_store import ModelStore
from ares.bootstrap.control import give, set_config
from ares.bootstrap.lifecycle import promote
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.bootstrap.replays import certify_run
from ares.config.workspace import Workspace
from ares.domain.events import BarsClosed, BreakerChanged, DecisionMade, ModeChanged, TradeClosed
from ares.domain.model_events import RetrainingEnded, RetrainingStarted, Trigger
from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.domain.utc import utc_sql
from ares.journal.run import JournalEntry, entries
from ares.runtime.engine.table_worker import TableWorker
from ares.runtime.engine.tables import TableTarget
from ares.store.database import open_database, writing

pytestmark = pytest.mark.slow

WEEK_MS = 7 * DAY_MS
SPEED = 36_000.0  # ten bars a second
DAYS = 14
BTC = "BTC/USDT"


@dataclass(frozen=True)
class Done:
    """A paper run that has ended a moment ago."""

    workspace: Workspace
    journal: tuple[JournalEntry, ...]

    def effects(self, kind: type[Any]) -> list[Any]:
        return [e for entry in self.journal for e in entry.effects if type(e) is kind]

    @property
    def trades(self) -> list[TradeClosed]:
        return [trade for trade in self.effects(TradeClosed) if not trade.virtual]

    @property
    def closes(self) -> dict[int, float]:
        bars = [entry.event for entry in self.journal if isinstance(entry.event, BarsClosed)]
        return {bar.ts_ms: float(np.frombuffer(bar.ohlcv)[3]) for bar in bars}

    def scores(self, after_ms: int) -> list[float]:
        """Return the scores of the decisions after an instant."""
        return [
            float(np.frombuffer(effect.outputs)[0])
            for entry in self.journal
            if isinstance(entry.event, BarsClosed) and entry.event.ts_ms > after_ms
            for effect in entry.effects
            if isinstance(effect, DecisionMade)
        ]


def moved_to_now(workspace: Workspace) -> int:
    """Move the stored candles by whole weeks, so that they reach past the present; return by how
    many milliseconds.
    """
    with closing_database(workspace) as database, writing(database) as connection:
        newest = connection.exec_driver_sql("SELECT MAX(ts_ms) FROM candles").scalar_one()
        by_ms = (now_ms() - newest) // WEEK_MS * WEEK_MS + WEEK_MS
        connection.exec_driver_sql("UPDATE candles SET ts_ms = ts_ms + ?", (by_ms,))
    return int(by_ms)


def trained(at_ms: int, trigger: Trigger, confidence: float) -> list[Any]:
    """Return the events of a training that a learner sends."""
    return [
        RetrainingStarted(at_ms, 0, trigger, "a test"),
        RetrainingEnded(
            at_ms + 60_000, 0, trigger, at_ms, 60_000, 100, confidence, "e" * 64, "v" * 64, True,
            (), "published", "", 8,
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def done(archived_for_module: Path) -> Done:
    """Run two weeks to the present, with a drill, a changed setting and trainings."""
    workspace = Workspace(archived_for_module)
    moved_to_now(workspace)
    (ensemble,) = ModelStore(workspace.models_dir).listed().ensembles
    assert promote(workspace, ensemble.hash, "paper", True, "rehearsal").refused == ()
    end_ms = now_ms() // HOUR_MS * HOUR_MS
    request = RealTimeRequest(
        stored=True, from_ms=end_ms - DAYS * DAY_MS, to_ms=end_ms + 1, speed=SPEED
    )
    with running(workspace, request) as engine:
        for action in ("test", "reset"):
            answer = give(
                workspace, "paper", "breaker", action=action, name="failures", reason="a drill"
            )
            assert answer.outcome == "done"
        key = "continuous_learning.confidence.trading_threshold"
        for threshold in ("0.999", "0.30"):  # LEARNING, and TRADING again
            answer = set_config(workspace, "paper", f"{key}={threshold}", "", "a test")
            assert answer.outcome == "done"
            engine.goes_on()
        for hours_ago, trigger, confidence in ((7, "schedule", 0.9), (2, "drift", 0.5)):
            for event in trained(end_ms - hours_ago * HOUR_MS, trigger, confidence):  # type: ignore[arg-type]
                engine.post(event)
        engine.await_end()
    return Done(workspace, tuple(entries(workspace.journal_dir / "paper")))


def ask(database: Engine, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        found = connection.exec_driver_sql(query).fetchall()
    return [tuple(plain(value) for value in row) for row in found]


def check(database: Engine, done: Done, queries: tuple[str, ...]) -> None:
    """Compare the answers to the queries of SQLITE from the third on with the journal."""
    retrained, reasons, scores, errors, losses, trades, trainings, modes, total = queries
    assert ask(database, retrained) == [(1, pytest.approx(0.5))]
    assert ask(database, reasons) == [("drift", 1)]
    before_ms = now_ms()
    ((mean, best),) = ask(database, scores)
    found = [done.scores(at_ms - DAY_MS) for at_ms in (before_ms, now_ms())]
    assert best in [np.nanmax(values) for values in found]
    assert np.nanmin(found[0]) < mean < best
    rows = ask(database, errors)
    assert {row[1] for row in rows} == {"breaker_failures"}
    assert len(rows) == min(20, len(done.effects(BreakerChanged))) >= 2
    lost = sorted((t.pnl_units / 1e8, t.p) for t in done.trades if t.pnl_units < 0)
    assert len(lost) > 1
    assert ask(database, losses) == [
        (BTC, "long", pytest.approx(pnl), p) for pnl, p in lost[:10]
    ]  # fmt: skip
    with database.connect() as connection:
        newest = connection.exec_driver_sql(trades).mappings().all()
    assert [row["pnl_bps"] for row in newest] == [t.net_bps for t in reversed(done.trades)][:20]
    assert {(row["environment"], row["symbol"]) for row in newest} == {("paper", BTC)}
    assert len(ask(database, trainings)) == 2
    assert len(ask(database, modes)) == min(5, len(done.effects(ModeChanged))) > 0
    ((sum_,),) = ask(database, total)
    assert sum_ == pytest.approx(sum(t.pnl_units for t in done.trades) / 1e8)


def test_the_queries_for_sqlite(done: Done) -> None:
    with closing_database(done.workspace) as database:
        assert ask(database, SQLITE[0]) == [("ok",)]
        assert ask(database, SQLITE[1]) == [(BTC, 3_600)]
        check(database, done, SQLITE[2:])


@contextmanager
def on_postgres(server: PostgresServer, folder: Path) -> Iterator[Engine]:
    """Make the tables of a journal on PostgreSQL."""
    database = open_database(server.make_database("paper_queries", like="migrated"))
    try:
        target = TableTarget(folder, "", "paper", shown="paper")
        TableWorker(target, open_=lambda _: database).catch_up()
        yield database
    finally:
        database.dispose()
        server.drop_database("paper_queries")


def test_the_queries_for_postgresql(done: Done, postgres: PostgresServer) -> None:
    queries = [query.replace("datetime('now', '-6 hours')", "NOW() - INTERVAL '6 hours'")
               .replace("datetime('now', '-24 hours')", "NOW() - INTERVAL '24 hours'")
               for query in SQLITE[2:]]  # fmt: skip
    with on_postgres(postgres, done.workspace.journal_dir / "paper") as database:
        check(database, done, tuple(queries))
        recent, volatility, executions, performance, win_rate = POSTGRES
        assert (ask(database, recent), ask(database, win_rate)) == ([], [])  # of another engine
        before_ms = now_ms()
        rows = ask(database, volatility)
        hour, closes = HOUR_MS, done.closes
        wanted = [
            [t for t in closes if at_ms - hour < t <= at_ms] for at_ms in (before_ms, now_ms())
        ]
        assert len(rows) in [len(marks) for marks in wanted]
        for symbol, of_day, of_hour, volume in rows:
            assert (symbol, of_day > 0.0, volume > 0.0) == (BTC, True, True)
            assert of_hour in [pytest.approx(c / closes[t - hour] - 1.0)
                               for t, c in closes.items() if t - hour in closes]  # fmt: skip
        profits = [row[2] for row in ask(database, executions) if row[2] is not None]
        for trade in done.trades:
            if trade.exit_ms > before_ms - DAY_MS + HOUR_MS:
                assert pytest.approx(trade.pnl_units / 1e8) in profits
        newest = ask(database, performance)
        assert len(newest) == min(10, len(done.trades))
        wins = [t.net_bps > 0 for t in done.trades]
        assert newest[0][:2] == (newest[0][0], pytest.approx(float(np.mean(wins))))
        assert newest[0][0].startswith(f"{BTC} ")
        assert newest[0][3] <= utc_sql(now_ms())


def test_the_run_is_of_the_last_weeks(done: Done) -> None:
    closes = sorted(done.closes)
    assert now_ms() - 4 * HOUR_MS < closes[-1] <= now_ms()
    assert len(closes) >= DAYS * 24
    assert len(done.trades) > 5
    assert certify_run(done.workspace, "paper").mismatches == 0
