"""``ares up``: what is supervised in an environment, composed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ares.bootstrap.real_time import PAPER
from ares.bootstrap.up_processes import ENGINE, UpRequest, watched_processes
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model_life import is_rehearsal

if TYPE_CHECKING:
    from ares.observe.component_health import EngineView
    from ares.runtime.ops.alarm_watch import AlarmWatch
    from ares.runtime.ops.child import ChildEvent
    from ares.runtime.ops.up_status import UpStatus
    from ares.security.passphrase import PassphraseSources

__all__ = ["ENGINE", "UpRequest", "require_environment", "run_up", "up_status"]

NS_PER_MS = 1_000_000
LOOK_S = 2.0
BUSY_MS = 5_000
"""How long a look at the engine's status waits for another process's lock."""


def run_up(
    workspace: Workspace,
    request: UpRequest,
    say: Callable[[str], None],
    wait: Callable[[float], bool],
    sources: PassphraseSources | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Keep an environment's processes running until ``wait`` returns that a person wants it to
    stop; then end them in order. Return whether all have ended.

    sources : of the passphrase of the key file, which is asked for once; None: the settings'.

    Raises ExternalError where another supervisor runs there.
    """
    from ares.bootstrap.keys import passphrase_sources
    from ares.journal.lock import Lock
    from ares.runtime.ops.supervisor import Supervisor
    from ares.runtime.ops.up_status import SUPERVISOR, StatusFile

    require_environment(request.environment)
    ops = workspace.ops_dir(request.environment)
    lock = Lock(ops / SUPERVISOR, "another `ares up`", "it supervises this environment already")
    try:
        watch = _watch(workspace, request.environment, clock, say)

        def report(event: ChildEvent) -> None:
            say(str(event))
            watch.on_event(event)

        status = StatusFile(ops, request.environment)

        def each_turn(now_s: float) -> None:
            processes = tuple(supervisor.status(now_s))
            watch.turn(now_s, processes)
            status.write(
                processes, now_s, time.time_ns() // NS_PER_MS, watch.health, watch.checks_in_a_row,
                watch.alarms,
            )  # fmt: skip

        sources = sources or passphrase_sources(workspace)
        watched = watched_processes(workspace, request, report, sources, say)
        supervisor = Supervisor(watched, clock, say, wait, each_turn)
        supervisor.run()
        ended = supervisor.shut_down(wait)
        watch.close()
    finally:
        lock.release()
    return ended


def _watch(
    workspace: Workspace,
    environment: str,
    clock: Callable[[], float],
    say: Callable[[str], None],
) -> AlarmWatch:
    """Return what looks after health and alarms."""
    from ares.adapters.apprise_notifier import AppriseNotifier
    from ares.adapters.heartbeat_url import request_heartbeat
    from ares.journal.run import setup_of
    from ares.runtime.ops.alarm_watch import AlarmRules, AlarmWatch, failed_view
    from ares.runtime.ops.background import BackgroundLook, Outbox, Pulse

    settings = workspace.settings.supervision
    setup = setup_of(workspace.journal_dir / environment)
    rules = AlarmRules(
        environment, workspace.root,
        60_000 if setup is None else min(lane.base_ms for lane in setup.instruments),
        settings.disk_free_mb_min, settings.heartbeat_seconds,
    )  # fmt: skip
    url, messages, beats = settings.heartbeat_url, None, None
    if settings.notify_urls is not None:
        messages = Outbox(AppriseNotifier(settings.notify_urls).send, say)
    if url is not None:
        beats = Pulse(lambda: request_heartbeat(url), say, "the heartbeat URL")
    looks = BackgroundLook(lambda: engine_view(workspace, environment), failed_view, clock, LOOK_S)
    return AlarmWatch(rules, looks, clock, say, messages, beats)


def engine_view(workspace: Workspace, environment: str) -> EngineView:
    """Return what the database says of an engine; raise AresError where it cannot be read."""
    import msgspec

    from ares.observe.component_health import EngineView
    from ares.runtime.engine.status import EngineStatus
    from ares.store.commands import beat_of
    from ares.store.database import open_database

    database = open_database(workspace.db_url, BUSY_MS)
    try:
        beat = beat_of(database, environment)
    finally:
        database.dispose()
    if beat is None:
        return EngineView("has no engine's status yet")
    status = msgspec.json.decode(beat.state, type=EngineStatus)
    return EngineView(
        "", status.bars_ms, len(status.instruments),
        sum(1 for row in status.instruments if row.champion), status.venue_up, status.reconciling,
    )  # fmt: skip


def require_environment(environment: str) -> None:
    """Raise UserError where nothing can be supervised in an environment."""
    if environment not in (PAPER, "live") and not is_rehearsal(environment):
        raise UserError(f"--env {environment}: paper, live or rehearsal/NAME is supervised")


def up_status(workspace: Workspace, environment: str) -> UpStatus:
    """Return what `ares up` last wrote about itself; raise ExternalError where none runs."""
    from ares.runtime.ops.up_status import read_status

    require_environment(environment)
    return read_status(workspace.ops_dir(environment), environment)
