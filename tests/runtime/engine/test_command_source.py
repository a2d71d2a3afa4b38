"""Commands come out of a real database quickly and once; a database in trouble ends nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ares.domain.errors import ExternalError
from ares.domain.events import Event
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused
from ares.runtime.engine.command_source import DatabaseCommands
from ares.store.commands import (
    CommandAnswer,
    StoredCommand,
    answer_of,
    beat_of,
    put,
    save_beat,
    unanswered,
)
from ares.store.database import open_database

MARKET_MS = 1_700_000_000_000
SPEED = 60.0


class MarketTime:
    """A market's time that stands still."""

    def now_ms(self) -> int:
        return MARKET_MS


class Running:
    """A source with its database, and what it posted."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, list[str]()
        self.posted = list[CommandGiven]()
        self.came_s = dict[str, float]()
        self.n_status = 0
        self.database = open_database(path)
        self.source = DatabaseCommands(
            "paper", lambda: open_database(path, busy_ms=50), MarketTime(), self.status,
            SPEED, self.lines.append,
        )  # fmt: skip

    def status(self) -> bytes:
        self.n_status += 1
        return b'{"n":%d}' % self.n_status

    def post(self, event: Event) -> None:
        assert isinstance(event, CommandGiven)
        self.posted.append(event)
        self.came_s[event.id] = time.monotonic()

    def put(self, id_: str, verb: str = "halt", expires_s: float = 5.0) -> float:
        now_ms = time.time_ns() // 1_000_000
        given = StoredCommand(id_, "ada", verb, {"k": "v"}, "3", now_ms + int(expires_s * 1_000))
        put(self.database, "paper", given, now_ms)
        return time.monotonic()

    async def until(self, true: Callable[[], object]) -> None:
        for _ in range(500):
            if true():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it never came true")


Scenario = Callable[[Running], Awaitable[None]]


@pytest.fixture
def running(tmp_path: Path) -> Callable[[Scenario], Running]:
    """Return a function that runs a scenario while a source works, and ends the source."""

    def run(scenario: Scenario) -> Running:
        found = Running(tmp_path / "ares.db")

        async def body() -> None:
            task = asyncio.create_task(found.source.run(found.post))
            try:
                await found.until(lambda: beat_of(found.database, "paper"))
                await scenario(found)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

        asyncio.run(body())
        found.database.dispose()
        return found

    return run


def test_commands_are_posted_once_within_half_a_second(running: Callable[..., Running]) -> None:
    waits = list[float]()

    async def scenario(r: Running) -> None:
        for k in range(40):
            put_s = r.put(str(k))
            await r.until(lambda k=k: str(k) in r.came_s)  # type: ignore[misc] # bound at once
            waits.append(r.came_s[str(k)] - put_s)
            if k % 2:
                r.source.answer(CommandDone(str(k), MARKET_MS, "entries are halted"))
        await asyncio.sleep(0.3)

    r = running(scenario)
    assert [event.id for event in r.posted] == [str(k) for k in range(40)]
    first = r.posted[0]
    assert (first.who, first.verb, first.args, first.version) == ("ada", "halt", {"k": "v"}, "3")
    assert first.ts_ms == MARKET_MS
    left_ms = first.expires_ms - MARKET_MS
    assert 4_000 * SPEED < left_ms <= 5_000 * SPEED, "it expires in wall time"
    assert sorted(waits)[-2] < 0.5
    database = open_database(r.path)
    assert len(unanswered(database, "paper")) == 20
    assert answer_of(database, "1") == CommandAnswer("done", "entries are halted")
    database.dispose()


def test_an_answer_that_was_lost_is_asked_for_again(tmp_path: Path) -> None:
    """The engine ended between its answer and the row: the next start posts the command again."""
    for _ in range(2):
        r = Running(tmp_path / "ares.db")

        async def body(r: Running = r) -> None:
            task = asyncio.create_task(r.source.run(r.post))
            await r.until(lambda: beat_of(r.database, "paper"))
            if not unanswered(r.database, "paper"):
                r.put("a")
            await r.until(lambda: r.posted)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        asyncio.run(body())
        r.database.dispose()
        assert [event.id for event in r.posted] == ["a"]


def test_the_last_answer_is_written_before_the_source_ends(running: Callable[..., Running]) -> None:
    async def scenario(r: Running) -> None:
        r.put("a", "stop")
        await r.until(lambda: r.posted)
        r.source.answer(CommandRefused("a", MARKET_MS, "no"))

    r = running(scenario)
    database = open_database(r.path)
    assert answer_of(database, "a") == CommandAnswer("refused", "no")
    beat = beat_of(database, "paper")
    assert beat is not None
    assert beat.stopped_ms is not None
    assert not beat.is_alive(beat.beat_ms), "it stopped cleanly"
    with pytest.raises(ExternalError, match="no engine runs in paper"):
        put(database, "paper", StoredCommand("b", "ada", "halt", {}, "", 0), beat.beat_ms)
    database.dispose()


def test_the_stop_is_written_by_a_last_turn_that_has_no_newer_status(tmp_path: Path) -> None:
    """A turn that was under way when the engine stopped has written the last status already."""
    r = Running(tmp_path / "ares.db")
    r.source._states.append("{}")
    r.source._turn(r.post)
    running_beat = beat_of(r.database, "paper")
    assert running_beat is not None
    assert running_beat.stopped_ms is None
    r.source._turn(None)
    stopped_beat = beat_of(r.database, "paper")
    assert stopped_beat is not None
    assert (stopped_beat.stopped_ms, stopped_beat.state) == (stopped_beat.beat_ms, "{}")
    r.database.dispose()


def test_the_heartbeat_carries_the_newest_status(running: Callable[..., Running]) -> None:
    states = list[str]()

    async def scenario(r: Running) -> None:
        def changed() -> bool:
            beat = beat_of(r.database, "paper")
            if beat is not None and beat.state not in states:
                states.append(beat.state)
            return len(states) > 1

        await r.until(changed)

    running(scenario)
    assert states == ['{"n":1}', '{"n":2}']


def test_a_locked_database_is_reported_once_and_delays_only_commands(
    running: Callable[..., Running],
) -> None:
    async def scenario(r: Running) -> None:
        r.put("a")
        await r.until(lambda: r.posted)
        held = sqlite3.connect(r.path, isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        r.source.answer(CommandDone("a", MARKET_MS, "ok"))
        before = time.monotonic()
        await r.until(lambda: r.lines)
        await asyncio.sleep(0.5)
        assert time.monotonic() - before < 3.0, "the event loop went on"
        held.execute("ROLLBACK")
        held.close()
        await r.until(lambda: answer_of(r.database, "a"))

    r = running(scenario)
    assert len(r.lines) == 2
    assert "is locked by another process" in r.lines[0]
    assert r.lines[1] == "commands: the database works again"


def test_a_database_that_was_deleted_is_made_again(running: Callable[..., Running]) -> None:
    async def scenario(r: Running) -> None:
        r.database.dispose()
        for path in r.path.parent.glob("ares.db*"):
            path.unlink()
        await r.until(r.path.exists)
        r.database = open_database(r.path)
        await r.until(lambda: beat_of(r.database, "paper"))
        r.put("a")
        await r.until(lambda: r.posted)

    running(scenario)


def test_a_database_whose_folder_is_gone_ends_nothing(running: Callable[..., Running]) -> None:
    async def scenario(r: Running) -> None:
        r.database.dispose()
        away = r.path.parent.rename(r.path.parent.with_name("away"))
        await r.until(lambda: r.lines)
        away.rename(r.path.parent)
        await r.until(lambda: len(r.lines) > 1)
        r.put("a")
        await r.until(lambda: r.posted)

    assert "does not exist" in running(scenario).lines[0]


def test_a_heartbeat_of_another_environment_is_left_alone(
    running: Callable[..., Running],
) -> None:
    async def scenario(r: Running) -> None:
        beat = beat_of(r.database, "paper")
        assert beat is not None
        save_beat(r.database, beat._replace(environment="live", state="x"))
        await asyncio.sleep(1.2)

    r = running(scenario)
    database = open_database(r.path)
    found = beat_of(database, "live")
    assert found is not None
    assert found.state == "x"
    database.dispose()
