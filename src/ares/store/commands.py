"""Commands of people to an engine, as rows: put in, taken out, answered; and its heartbeat.

A command is only put in while an engine runs, in the same transaction that looks at its heartbeat:
none is left behind that a later start would carry out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, insert, select, update

from ares.domain.errors import ExternalError
from ares.store.database import reading, writing
from ares.store.schema import commands, engines

ALIVE_MS = 5_000
"""An engine whose heartbeat is older than this does not run."""


class StoredCommand(NamedTuple):
    """A command that waits for its answer.

    version    : the version of the setting or slot that it was given for; empty: any.
    expires_ms : wall time.
    """

    id: str
    who: str
    verb: str
    arguments: dict[str, str]
    version: str
    expires_ms: int


class CommandAnswer(NamedTuple):
    """The answer to a command: ``outcome`` is done or refused."""

    outcome: str
    detail: str


class EngineBeat(NamedTuple):
    """An engine's newest heartbeat.

    stopped_ms : when it stopped cleanly; None: it runs, or its process was ended.
    state      : its status as JSON, see ``runtime.engine.status``.
    """

    environment: str
    pid: int
    host: str
    started_ms: int
    beat_ms: int
    stopped_ms: int | None
    version: str
    state: str

    def is_alive(self, now_ms: int) -> bool:
        """Return whether the heartbeat is recent."""
        return self.stopped_ms is None and now_ms - self.beat_ms < ALIVE_MS


def put(database: Engine, environment: str, command: StoredCommand, now_ms: int) -> None:
    """Put a command in for the engine that runs in an environment.

    Raises ExternalError where none runs, or the database cannot be written; nothing is left then.
    """
    with writing(database) as connection:
        beat = _beat(connection, environment)
        if beat is None or not beat.is_alive(now_ms):
            raise ExternalError(no_engine(environment))
        values = {
            "id": command.id,
            "environment": environment,
            "who": command.who,
            "verb": command.verb,
            "arguments": msgspec.json.encode(command.arguments).decode(),
            "expected_version": command.version,
            "created_ms": now_ms,
            "expires_ms": command.expires_ms,
        }
        connection.execute(insert(commands).values(values))


def no_engine(environment: str) -> str:
    """Return the line for an environment without a running engine."""
    return f"no engine runs in {environment}: start one with `ares run --env {environment}`"


def unanswered(
    database: Engine, environment: str, without: Collection[str] = ()
) -> list[StoredCommand]:
    """Return the commands that wait for an answer, oldest first.

    without : ids that were taken already.
    """
    c = commands.c
    query = (
        select(c.id, c.who, c.verb, c.arguments, c.expected_version, c.expires_ms)
        .where(c.environment == environment, c.answered_ms.is_(None))
        .order_by(c.number)
    )
    with reading(database) as connection:
        rows = connection.execute(query).all()
    return [
        StoredCommand(id_, who, verb, _arguments(raw), version, int(expires_ms))
        for id_, who, verb, raw, version, expires_ms in rows
        if id_ not in without
    ]


def _arguments(raw: str) -> dict[str, str]:
    """Return a row's arguments; of one that other hands wrote, whatever can be read."""
    try:
        return msgspec.json.decode(raw, type=dict[str, str])
    except msgspec.DecodeError:
        return {"unreadable": raw}


def save_answers(database: Engine, answers: Mapping[str, CommandAnswer], now_ms: int) -> None:
    """Write answers into the rows of their commands, by id; the first one stays."""
    c = commands.c
    with writing(database) as connection:
        for id_, answer in answers.items():
            connection.execute(
                update(commands)
                .where(c.id == id_, c.answered_ms.is_(None))
                .values(answered_ms=now_ms, outcome=answer.outcome, detail=answer.detail)
            )


def answer_of(database: Engine, id_: str) -> CommandAnswer | None:
    """Return the answer to a command; None: there is none yet."""
    c = commands.c
    with reading(database) as connection:
        row = connection.execute(select(c.outcome, c.detail).where(c.id == id_)).one_or_none()
    return None if row is None or row.outcome is None else CommandAnswer(row.outcome, row.detail)


def save_beat(database: Engine, beat: EngineBeat) -> None:
    """Write an engine's heartbeat, in place of the one before."""
    values = beat._asdict()
    with writing(database) as connection:
        changed = connection.execute(
            update(engines).where(engines.c.environment == beat.environment).values(values)
        )
        if changed.rowcount == 0:
            connection.execute(insert(engines).values(values))


def beat_of(database: Engine, environment: str) -> EngineBeat | None:
    """Return the newest heartbeat in an environment; None: there never was an engine."""
    with reading(database) as connection:
        return _beat(connection, environment)


def beats(database: Engine) -> list[EngineBeat]:
    """Return the newest heartbeat of every environment."""
    with reading(database) as connection:
        rows = connection.execute(select(engines).order_by(engines.c.environment)).mappings().all()
    return [_beat_of_row(row) for row in rows]


def _beat(connection: Connection, environment: str) -> EngineBeat | None:
    query = select(engines).where(engines.c.environment == environment)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _beat_of_row(row)


def _beat_of_row(row: RowMapping) -> EngineBeat:
    return EngineBeat(**{name: row[name] for name in EngineBeat._fields})
