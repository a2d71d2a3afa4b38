"""The processes of ``ares up`` in an environment: signer, watchdog, engine, where it has them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ares.bootstrap.real_time import ENGINE_BEAT, PAPER
from ares.bootstrap.signer import BEAT, SIGNER, signer_folder
from ares.bootstrap.watchdog import WATCHDOG, WATCHDOG_BEAT
from ares.config.account_keys import account_key
from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.runtime.ops.child import ChildEvent, ChildPlan
    from ares.runtime.ops.supervisor import Watched
    from ares.security.passphrase import PassphraseSources

ENGINE = "engine"
FD = ("--passphrase-fd", "0")


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What `ares up` is asked for.

    engine_words : further words for `ares run`.
    address : of the venue's server, for all processes; None: the venue's own.
    """

    environment: str
    engine_words: tuple[str, ...] = ()
    address: str | None = None


def watched_processes(
    workspace: Workspace,
    request: UpRequest,
    report: Callable[[ChildEvent], None],
    sources: PassphraseSources,
    say: Callable[[str], None],
) -> list[Watched]:
    """Return what is kept running, in the order of its start.

    The signer is there where the engine's key is in the key file, the watchdog where it has a key
    of its own. The passphrase is asked for once, and stays in locked memory for their restarts.
    """
    from ares.bootstrap.keys import stored_key
    from ares.runtime.ops.child import Child
    from ares.runtime.ops.supervisor import Watched
    from ares.security.passphrase import passphrase
    from ares.security.process_memory import LockedBytes, keep_private

    environment, settings = request.environment, workspace.settings.supervision
    ops = workspace.ops_dir(environment)
    limits = (settings.hung_seconds, settings.start_seconds)
    at_venue = environment != PAPER
    signs = at_venue and stored_key(workspace, environment) is not None
    stored = at_venue and stored_key(workspace, environment, WATCHDOG) is not None
    plain = account_key(workspace.root / ".env", os.environ, f"{environment}-{WATCHDOG}")
    held: LockedBytes | None = None
    if signs or (stored and plain is None):
        for remark in keep_private():
            say(remark)
        held = LockedBytes(passphrase(sources))
    secret = None if held is None else held.read
    address = () if request.address is None else ("--address", request.address)
    found: list[Watched] = []
    if signs:
        words = ("signer", "run", "--env", environment, *address, *FD)
        folder = signer_folder(workspace, environment)
        plan = _plan(workspace, environment, SIGNER, words, folder, ("signer", "run"))
        signer = Watched(
            Child(plan, report, secret=secret), lambda: _changed_s(folder / BEAT), *limits
        )
        found.append(signer)
    if at_venue and (stored or plain is not None):
        uses = FD if plain is None else ()
        words = ("watchdog", "--env", environment, *address, *uses)
        plan = _plan(workspace, environment, WATCHDOG, words, ops / WATCHDOG, (WATCHDOG,))
        child = Child(plan, report, secret=secret if uses else None)
        found.append(Watched(child, lambda: _changed_s(ops / WATCHDOG_BEAT), *limits))
    elif at_venue:
        say("no watchdog: it needs a key of its own (`ares keys set`, docs/STOPPING.md)")
    words = ("run", "--env", environment, *address, *request.engine_words)
    plan = _plan(
        workspace, environment, ENGINE, words, workspace.journal_dir / environment, ("\0run\0",)
    )
    first = found[0] if signs else None

    def waits_for() -> str:
        lives = first is None or first.has_shown_life
        return "" if lives else "waits for the signer"

    engine = Child(
        plan, report, lambda pid: _stopped_cleanly(workspace, environment, pid),
        waits_for=waits_for,
    )  # fmt: skip
    found.append(Watched(engine, lambda: _changed_s(ops / ENGINE_BEAT), *limits))
    return found


def _plan(
    workspace: Workspace,
    environment: str,
    name: str,
    words: tuple[str, ...],
    lock: Path,
    named: tuple[str, ...],
) -> ChildPlan:
    from ares.runtime.ops.child import ChildPlan

    root = workspace.root.resolve()
    return ChildPlan(
        name, (sys.executable, "-m", "ares", *words), root, lock,
        output_of(workspace, environment, name), variables={"ARES_WORKSPACE": str(root)},
        words=(*named, environment),
    )  # fmt: skip


def output_of(workspace: Workspace, environment: str, name: str) -> Path:
    """Return the file with the output of a process."""
    return workspace.logs_dir / f"{environment.replace('/', '-')}-{name}.out"


def _changed_s(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _stopped_cleanly(workspace: Workspace, environment: str, pid: int) -> bool:
    """Return whether an engine has written that it stopped."""
    from ares.domain.errors import AresError
    from ares.store.commands import beat_of
    from ares.store.database import open_database

    try:
        database = open_database(workspace.db_url)
        try:
            beat = beat_of(database, environment)
        finally:
            database.dispose()
    except AresError:
        return False
    return beat is not None and beat.pid == pid and beat.stopped_ms is not None
