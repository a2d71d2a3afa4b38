"""Commands and heartbeats as rows: only for an engine that runs, each answered once."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, func, select

from ares.domain.errors import ExternalError
from ares.store.commands import (
    ALIVE_MS,
    CommandAnswer,
    EngineBeat,
    StoredCommand,
    answer_of,
    beat_of,
    beats,
    put,
    save_answers,
    save_beat,
    unanswered,
)
from ares.store.database import reading, writing
from ares.store.schema import commands

NOW = 1_764_000_000_000


def beat(
    environment: str = "paper", beat_ms: int = NOW, stopped_ms: int | None = None
) -> EngineBeat:
    return EngineBeat(environment, 7, "host", NOW - 9, beat_ms, stopped_ms, "0.1.0", "{}")


def command(id_: str, verb: str = "halt", **arguments: str) -> StoredCommand:
    return StoredCommand(id_, "ada", verb, arguments, "", NOW + 5_000)


@pytest.mark.parametrize(
    "found", [None, beat(beat_ms=NOW - ALIVE_MS), beat(stopped_ms=NOW), beat("live")]
)
def test_without_a_running_engine_nothing_is_put_in(
    engine: Engine, found: EngineBeat | None
) -> None:
    if found is not None:
        save_beat(engine, found)
    with pytest.raises(ExternalError, match="no engine runs in paper: start one with"):
        put(engine, "paper", command("a"), NOW)
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(commands)).scalar() == 0


def test_commands_wait_in_their_order_until_they_are_answered(engine: Engine) -> None:
    save_beat(engine, beat())
    save_beat(engine, beat("live"))
    given = [command("b", reason="é"), command("a", "resume"), command("c")]
    for one in given:
        put(engine, "paper", one, NOW)
    put(engine, "live", command("x"), NOW)
    assert unanswered(engine, "paper") == given
    assert unanswered(engine, "paper", {"a"}) == [given[0], given[2]]
    save_answers(engine, {"b": CommandAnswer("done", "entries are halted")}, NOW + 1)
    assert unanswered(engine, "paper") == given[1:]
    assert answer_of(engine, "b") == CommandAnswer("done", "entries are halted")
    assert answer_of(engine, "a") is None
    assert answer_of(engine, "nobody") is None


def test_the_first_answer_stays(engine: Engine) -> None:
    save_beat(engine, beat())
    put(engine, "paper", command("a"), NOW)
    save_answers(engine, {"a": CommandAnswer("refused", "no")}, NOW + 1)
    save_answers(
        engine, {"a": CommandAnswer("done", "yes"), "nobody": CommandAnswer("done", "")}, NOW
    )
    assert answer_of(engine, "a") == CommandAnswer("refused", "no")
    with reading(engine) as connection:
        row = connection.execute(select(commands)).mappings().one()
    assert (row["who"], row["created_ms"], row["answered_ms"]) == ("ada", NOW, NOW + 1)


def test_arguments_that_other_hands_wrote_are_given_as_they_are(engine: Engine) -> None:
    save_beat(engine, beat())
    put(engine, "paper", command("a"), NOW)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE commands SET arguments = '[1]'")
    assert unanswered(engine, "paper")[0].arguments == {"unreadable": "[1]"}


def test_a_heartbeat_is_replaced_by_the_next_of_its_environment(engine: Engine) -> None:
    assert beat_of(engine, "paper") is None
    save_beat(engine, beat())
    save_beat(engine, beat("live"))
    save_beat(engine, beat(beat_ms=NOW + 1_000))
    assert beat_of(engine, "paper") == beat(beat_ms=NOW + 1_000)
    assert [found.environment for found in beats(engine)] == ["live", "paper"]
