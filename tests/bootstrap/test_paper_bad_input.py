"""Bad input to the paper engine as it is composed: one line, journaled, nothing lost, no crash."""

from __future__ import annotations

import sqlite3
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sqlalchemy import insert
from tests.postgres import PostgresServer
from tests.running_paper import FROM_MS, Running, beats, closing_database, now_ms, running
from tests.runtime.engine.stored_source import StoredSource
from tests.sim.paper.checks import Facts, findings
from tests.sim.paper.in_process import Deliver, rehearse

from ares.bootstrap.control import give, set_config
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.bootstrap.replays import certify_run
from ares.config.workspace import Workspace
from ares.domain.events import BarsClosed, Event
from ares.domain.feed_events import FeedChanged
from ares.domain.instrument import Instrument
from ares.domain.market_data import BarSeen, TradeSeen
from ares.domain.order_events import CommandGiven
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.journal.run import entries
from ares.kernel.bars import Bars
from ares.runtime.engine.clocks import RunningClock
from ares.store.candles import CandleStore
from ares.store.commands import answer_of
from ares.store.database import writing
from ares.store.schema import commands

pytestmark = pytest.mark.slow


def journaled(workspace: Workspace) -> Iterator[Event]:
    for entry in entries(workspace.journal_dir / "paper"):
        yield entry.event


def put_in(workspace: Workspace, verb: str, late: bool = False, **arguments: str) -> str:
    """Put a command in as other hands may do; return its id."""
    id_ = uuid.uuid4().hex
    values = {
        "id": id_, "environment": "paper", "who": "test", "verb": verb,
        "arguments": msgspec.json.encode(arguments).decode(), "expected_version": "",
        "created_ms": now_ms(), "expires_ms": now_ms() - 1 if late else 0,
    }  # fmt: skip
    with closing_database(workspace) as database, writing(database) as connection:
        connection.execute(insert(commands).values(values))
    return id_


def answer(engine: Running, id_: str) -> tuple[str, str]:
    """Wait for a command's answer."""
    with closing_database(engine.workspace) as database:
        engine.await_(lambda: answer_of(database, id_) is not None)
        found = answer_of(database, id_)
    assert found is not None
    return found.outcome, found.detail


def test_commands_that_cannot_be_carried_out_are_refused_once(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    with running(workspace) as engine:
        ids = {
            put_in(workspace, "halt", instrument="DOGE/USDT"): "DOGE/USDT is not traded here",
            put_in(workspace, "halt", late=True): "it has expired",
            put_in(workspace, "dance"): "unknown command dance",
            put_in(workspace, "halt", colour="red"): "halt takes no argument colour",
            put_in(workspace, "symbols", action="remove"): "symbols is of one instrument: name it",
        }
        assert {id_: answer(engine, id_) for id_ in ids} == {
            id_: ("refused", reason) for id_, reason in ids.items()
        }
        engine.goes_on()
    given = Counter(e.id for e in journaled(workspace) if isinstance(e, CommandGiven))
    assert given == dict.fromkeys(ids, 1)
    assert list(findings(workspace, set(ids))) == []


def test_a_command_that_comes_twice_is_carried_out_once(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    with running(workspace) as engine:
        id_ = put_in(workspace, "halt", reason="first")
        first = answer(engine, id_)
        with closing_database(workspace) as database, writing(database) as connection:
            connection.exec_driver_sql("UPDATE commands SET answered_ms = NULL, outcome = NULL")
        assert answer(engine, id_) == first == ("done", "entries are halted")
    facts = Facts(workspace.journal_dir / "paper")
    assert facts.deliveries[id_] == 2
    assert list(findings(workspace, {id_})) == []


def test_a_setting_that_breaks_a_limit_changes_nothing(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    with running(workspace) as engine:
        rules = msgspec.json.encode({"position_max": 7.0}).decode()
        id_ = put_in(workspace, "config", key="risk.max", value="7", rules=rules)
        outcome, detail = answer(engine, id_)
        assert (outcome, "position_max" in detail) == ("refused", True)
        unreadable = put_in(workspace, "config", key="risk.max", value="7", rules="{")
        assert answer(engine, unreadable)[0] == "refused"
        good = set_config(workspace, "paper", "strategy.edge_bps_min=2.0", "", "test")
        assert good.outcome == "done"
        engine.goes_on()
    assert list(findings(workspace, {id_, unreadable})) == []


def test_a_locked_database_delays_commands_and_tables_alone(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    with running(workspace) as engine:
        with closing(sqlite3.connect(workspace.db_path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            engine.await_(lambda: bool(engine.output("commands wait: ")))
            for _ in range(3):
                engine.goes_on()
            assert len(engine.output("commands wait: ")) == 1
            other.execute("COMMIT")
        engine.await_(lambda: bool(engine.output("commands: the database works again")))
        assert give(workspace, "paper", "snapshot").outcome == "done"
    assert list(findings(workspace, set())) == []


def test_a_database_that_is_gone_is_made_again(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    with running(workspace) as engine:
        for path in archived_root.glob("ares.db*"):
            path.unlink()
        engine.goes_on()

        def is_back() -> bool:
            return workspace.db_path.exists() and bool(beats(workspace))

        engine.await_(is_back)
        assert give(workspace, "paper", "snapshot").outcome == "done"
        engine.goes_on()
    assert [line for line in findings(workspace, set()) if "command" not in line] == []


def test_postgresql_is_read_only_then_restarted_in_the_middle(
    archived_root: Path, postgres: PostgresServer
) -> None:
    sqlite = Workspace(archived_root)
    url = postgres.make_database("paper_bad_input")
    with closing_database(sqlite) as database:
        bars = CandleStore(database, sqlite.cache_dir).load(SIMULATED, "1h")
        spec = CandleStore(database, sqlite.cache_dir).spec(SIMULATED)
    with (archived_root / "ares.yaml").open("a") as settings:
        settings.write(f"\ndatabase: {{url: '{url}'}}\n")
    workspace = Workspace(archived_root)
    with closing_database(workspace) as database:
        CandleStore(database, workspace.cache_dir).save(spec, "1h", bars, "a test")
    name = "ALTER DATABASE paper_bad_input SET default_transaction_read_only"
    with running(workspace) as engine:
        admin(postgres, f"{name} = on")
        admin(postgres, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = 'paper_bad_input'")  # fmt: skip
        engine.await_(lambda: bool(engine.output("commands wait: ")))
        engine.goes_on()
        admin(postgres, f"{name} = off")
        postgres.stop()
        engine.goes_on()
        postgres.start()
        engine.await_(lambda: bool(engine.output("commands: the database works again")))
        assert give(workspace, "paper", "snapshot").outcome == "done"
    assert list(findings(workspace, set())) == []


def admin(postgres: PostgresServer, statement: str) -> None:
    import psycopg

    with closing(psycopg.connect(postgres.url, autocommit=True)) as connection:
        connection.execute(statement.encode())


# --- a feed that lies --------------------------------------------------------------------------

SIMULATED = Instrument("simulated", "BTC/USDT")
HOURS = 48


class LyingSource(StoredSource):
    """Before each true bar it delivers bars and trades that cannot be."""

    def _between(self, i: int, from_ms: int, to_ms: int) -> list[BarSeen]:
        bars = super()._between(i, from_ms, to_ms)
        for bar in bars if to_ms - from_ms == MINUTE_MS else ():
            self._lie(bar)
        return bars

    def _lie(self, bar: BarSeen) -> None:
        o, high, low, c, v = bar.open, bar.high, bar.low, bar.close, bar.volume
        t = bar.open_ms
        lies: list[BarSeen | TradeSeen] = [
            BarSeen(0, t, 3 * o, 3 * high, 3 * low, 3 * c, v, is_closed=True),  # another symbol's
            BarSeen(7, t, o, high, low, c, v, is_closed=True),
            BarSeen(0, t, 0.0, 0.0, 0.0, 0.0, 0.0, is_closed=True),
            BarSeen(0, t, o, high, low, float("nan"), v, is_closed=True),
            BarSeen(0, t, o, low, high, c, v, is_closed=True),
            BarSeen(0, t, o, high, low, c, -1.0, is_closed=True),
            BarSeen(0, t + 17, o, high, low, c, v, is_closed=True),
            BarSeen(0, t - 60 * MINUTE_MS, o, high, low, c, v, is_closed=True),  # time goes back
            BarSeen(0, t + 90 * MINUTE_MS, o, high, low, c, v, is_closed=True),
            TradeSeen(0, t, 0.0, 1.0), TradeSeen(9, t, c, 1.0),
            TradeSeen(0, t + 90 * MINUTE_MS, c, 1.0),
        ]  # fmt: skip
        for lie in lies:
            self._deliver(lie)


def minutes_of(hourly: Bars) -> Bars:
    """Return 1m candles that go from the open to the close of each hour."""
    share = (np.arange(60) + 1.0) / 60.0
    close = np.round(np.outer(hourly.open, 1 - share) + np.outer(hourly.close, share), 4).ravel()
    opens = np.concatenate([[hourly.open[0]], close[:-1]])
    ts_ms = (hourly.ts_ms[:, None] + MINUTE_MS * np.arange(60, dtype=np.int64)).ravel()
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    return Bars.make(ts_ms, opens, high, low, close, np.repeat(hourly.volume / 60.0, 60))


def test_a_feed_that_lies_changes_nothing(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    with closing_database(workspace) as database:
        store = CandleStore(database, workspace.cache_dir)
        bars = minutes_of(store.load(SIMULATED, "1h"))
        first = int(bars.ts_ms.searchsorted(FROM_MS))
        store.save(store.spec(SIMULATED), "1m", bars[:first], "a test")
    coming = bars[first : first + HOURS * 60]

    def source(clock: RunningClock, after_ms: int, deliver: Deliver) -> LyingSource:
        return LyingSource([coming], clock, after_ms, deliver)

    rehearse(workspace, RealTimeRequest(stored=True, from_ms=FROM_MS), source)
    events = list(journaled(workspace))
    closed = [e for e in events if isinstance(e, BarsClosed) and e.kind != "warm"]
    assert [e.ts_ms for e in closed] == [t + MINUTE_MS for t in coming.ts_ms.tolist()]
    found = np.frombuffer(b"".join(e.ohlcv for e in closed)).reshape(-1, 5)
    wanted = np.column_stack([coming.open, coming.high, coming.low, coming.close, coming.volume])
    assert np.array_equal(found, wanted)
    refused = [e for e in events if isinstance(e, FeedChanged) and e.state == "refused"]
    assert 0 < len(refused) <= 2 * len(coming)
    per_minute = Counter((e.instrument, e.ts_ms // MINUTE_MS) for e in refused)
    assert max(per_minute.values()) == 1, "one line a minute"
    assert certify_run(workspace, "paper").mismatches == 0
    assert list(findings(workspace, set())) == []
    assert closed[-1].ts_ms - closed[0].ts_ms == HOURS * HOUR_MS - MINUTE_MS
