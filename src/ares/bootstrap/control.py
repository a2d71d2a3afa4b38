"""Commands to a running engine, and its status: found, asked, and waited for."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ares.runtime.engine.status import EngineStatus
    from ares.runtime.engine.table_lag import TableLag
    from ares.store.commands import CommandAnswer, EngineBeat

WAIT_S = 5.0
"""How long most answers are waited for; a command that was not taken by then has expired."""

END_S = 30.0
"""How long is waited until an engine that stops has ended: its tables are brought up to date."""

LATE_S = 1.0
"""An answer to a command that was taken just before may come so much later."""

LOOK_S = 0.03
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine that runs, and its status; ages are of wall time.

    tables : how far they are behind its journal; None: that cannot be read.
    """

    environment: str
    pid: int
    host: str
    started_ms: int
    beat_age_s: float
    version: str
    status: EngineStatus
    tables: TableLag | None = None


def running_engine(workspace: Workspace, environment: str | None) -> RunningEngine:
    """Return the engine that runs in an environment (None: the only one that runs).

    Raises ExternalError where none runs, UserError where several do.
    """
    from ares.runtime.engine.status import EngineStatus
    from ares.store.database import open_database

    database = open_database(workspace.db_url)
    try:
        beat = _running(workspace, database, environment)
        tables = _tables(workspace, database, beat.environment)
    finally:
        database.dispose()
    try:
        status = msgspec.json.decode(beat.state, type=EngineStatus)
    except msgspec.DecodeError as error:
        raise ExternalError(
            f"the status of the engine in {beat.environment} cannot be read ({error}): it is of"
            f" version {beat.version}, look at it with that version"
        ) from None
    age_s = max(0, _now_ms() - beat.beat_ms) / 1_000.0
    return RunningEngine(
        beat.environment, beat.pid, beat.host, beat.started_ms, age_s, beat.version, status, tables
    )


def engine_runs(workspace: Workspace, environment: str) -> bool:
    """Return whether an engine runs in an environment.

    Beside an SQLite file it is on this machine: where its lock is free no database is opened.
    """
    from ares.store.database import open_database

    if workspace.db_url.startswith("sqlite") and not _is_locked(workspace, environment):
        return False
    database = open_database(workspace.db_url)
    try:
        _running(workspace, database, environment)
    except ExternalError:
        return False
    finally:
        database.dispose()
    return True


def _tables(workspace: Workspace, database: Engine, environment: str) -> TableLag | None:
    from ares.bootstrap.tables import journal_folder
    from ares.runtime.engine.table_lag import table_lag

    try:
        return table_lag(database, environment, journal_folder(workspace, environment), _now_ms())
    except ExternalError:
        return None  # `ares db check` says why


def give(
    workspace: Workspace,
    environment: str | None,
    verb: str,
    version: str = "",
    wait_s: float = WAIT_S,
    command_id: str = "",
    **arguments: str,
) -> CommandAnswer:
    """Give a command to a running engine (None: the only one) and return its answer.

    wait_s    : how long the answer is waited for; a command that was not taken by then expires.
    command_id: given again, it is answered again; empty: a new one.
    arguments : those that are empty are left out.

    Raises ExternalError where no engine runs (nothing is left behind then), or it does not answer.
    """
    from ares.runtime.registry.model_journal import who
    from ares.store.commands import StoredCommand, answer_of, put
    from ares.store.database import open_database

    database = open_database(workspace.db_url)
    try:
        running = _running(workspace, database, environment).environment
        given = {name: value for name, value in arguments.items() if value}
        now_ms = _now_ms()
        expires_ms = now_ms + int(wait_s * 1_000)
        command = StoredCommand(
            command_id or uuid.uuid4().hex, who(), verb, given, version, expires_ms
        )
        put(database, running, command, now_ms)
        return _answered(lambda: answer_of(database, command.id), running, verb, wait_s)
    finally:
        database.dispose()


def stop_engine(
    workspace: Workspace, environment: str | None, reason: str
) -> tuple[CommandAnswer, bool]:
    """Stop a running engine and wait until it has ended: before that it cannot be started again.

    Return its answer, and whether it has ended, as far as this machine can tell.
    """
    environment = running_engine(workspace, environment).environment
    answer = give(workspace, environment, "stop", reason=reason)
    until_s = time.monotonic() + (0.0 if answer.outcome == "refused" else END_S)
    while time.monotonic() < until_s and _is_locked(workspace, environment):
        time.sleep(LOOK_S)
    return answer, not _is_locked(workspace, environment)


def drill(
    workspace: Workspace, environment: str | None, breaker: str, symbol: str, reason: str
) -> CommandAnswer:
    """Trip a breaker of a running engine on purpose; return the answer.

    Raises UserError where real money trades.
    """
    running = running_engine(workspace, environment).environment
    if running == "live":
        raise UserError("a drill stops trading: not where real money trades, use --env paper")
    return give(
        workspace, running, "breaker", action="test", name=breaker, instrument=symbol, reason=reason
    )


def set_config(
    workspace: Workspace, environment: str | None, assignment: str, version: str, reason: str
) -> CommandAnswer:
    """Change a live setting of a running engine; return the answer. ``ares.yaml`` stays.

    assignment : ``KEY=VALUE``.
    version    : of the settings that it is made for, see ``EngineStatus.config_version``; empty:
                 any.

    Raises ExternalError where no engine runs; UserError where the key is unknown or not live, or
    the value is not valid beside those that the engine has.
    """
    from ares.bootstrap.trade_rules import LIVE_RULES, is_fixed, run_rules, settings_of
    from ares.config.load import changed_settings

    in_force = dict[str, object]()
    with suppress(ExternalError):  # below, it is said that none runs
        in_force = settings_of(running_engine(workspace, environment).status.rule_changes)
    key, settings = changed_settings(workspace.settings, assignment, in_force)
    if key not in LIVE_RULES:
        takes = "a new run takes it" if is_fixed(key) else "the next start takes it"
        raise UserError(
            f"{key} is not a setting that a running engine can change: change it in ares.yaml,"
            f" {takes}"
        )
    name = LIVE_RULES[key]
    rules = msgspec.json.encode({name: run_rules(settings)[name]}).decode()
    value = assignment.partition("=")[2].strip()
    return give(
        workspace, environment, "config", version, key=key, value=value, rules=rules, reason=reason
    )


def _answered(
    answer: Callable[[], CommandAnswer | None], environment: str, verb: str, wait_s: float
) -> CommandAnswer:
    """Wait for the answer; raise ExternalError where none comes in time."""
    until_s = time.monotonic() + wait_s + LATE_S
    while time.monotonic() < until_s:
        found = answer()
        if found is not None:
            return found
        time.sleep(LOOK_S)
    raise ExternalError(
        f"the engine in {environment} did not answer `{verb}` within {wait_s:g} s: the command has"
        " expired, `ares status` shows whether it was carried out"
    )


def _running(workspace: Workspace, database: Engine, environment: str | None) -> EngineBeat:
    """Return the heartbeat of the running engine; raise where there is none, or no only one."""
    from ares.store.commands import beats, no_engine

    now_ms = _now_ms()
    running = [
        beat for beat in beats(database) if beat.is_alive(now_ms) and _holds_lock(workspace, beat)
    ]
    if environment is not None:
        running = [beat for beat in running if beat.environment == environment]
    if not running:
        raise ExternalError(no_engine(environment or "paper"))
    if len(running) > 1:
        names = ", ".join(beat.environment for beat in running)
        raise UserError(f"several engines run ({names}): name one with --env")
    return running[0]


def _holds_lock(workspace: Workspace, beat: EngineBeat) -> bool:
    """Return whether an engine holds its journal; one of another machine is taken at its word."""
    return beat.host != socket.gethostname() or _is_locked(workspace, beat.environment)


def _is_locked(workspace: Workspace, environment: str) -> bool:
    """Return whether an engine of this machine holds the journal of an environment."""
    from ares.journal.lock import require_free

    folder = workspace.journal_dir / environment
    try:
        require_free(folder, "an engine", "")
    except ExternalError:
        return True
    return False


def _now_ms() -> int:
    return time.time_ns() // NS_PER_MS
