"""``ares drill``: the faults of a rehearsal, made on purpose on what `ares up` runs, composed."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ares.bootstrap.up import ENGINE, up_status
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, ExternalError, UserError
from ares.domain.model_life import is_rehearsal

if TYPE_CHECKING:
    from ares.runtime.engine.status import EngineStatus
    from ares.runtime.ops.drill import DrillResult
    from ares.sim.serve.admin import SimAdmin

HEAL_S = 180.0
FLAT_S = 60.0
LOOK_S = 0.2
LOST_VENUE = ("unavailable:seconds=8", "http_503:seconds=8", "close:count=1")
LOST_DATABASE_S = 8.0


def drill_rehearsal(
    workspace: Workspace, environment: str, address: str, say: Callable[[str], None]
) -> list[DrillResult]:
    """Make each fault, and see whether it is overcome. `ares up` and the server must run.

    Raises UserError for an environment that is no rehearsal, ExternalError where nothing runs.
    """
    from ares.bootstrap.rehearsal import require_loopback
    from ares.runtime.ops.drill import DrillStep, run_drill
    from ares.sim.serve.admin import SimAdmin

    if not is_rehearsal(environment):
        raise UserError(f"--env {environment}: faults are made in a rehearsal/NAME only")
    require_loopback(workspace.settings.venue, address)
    drill = _Drill(workspace, environment, SimAdmin(address))
    drill.await_healthy()
    steps = [
        DrillStep("kill", "a killed engine lives again by itself", drill.kill),
        DrillStep("hang", "a frozen engine is killed and lives again", drill.freeze),
        DrillStep("lost venue", "the engine reconnects and knows every order", drill.lose_venue),
        DrillStep(
            "lost database", "trading goes on without it, commands work afterwards",
            drill.lose_database,
        ),
        DrillStep("restore", "a backup gives the same effects elsewhere", drill.restore),
        DrillStep("flatten", "nothing is held, entries are halted", drill.flatten),
        DrillStep("resume", "entries are allowed again", drill.resume),
    ]  # fmt: skip
    return run_drill(steps, time.monotonic, say)


class _Drill:
    def __init__(self, workspace: Workspace, environment: str, admin: SimAdmin) -> None:
        self._workspace, self._environment, self._admin = workspace, environment, admin

    # --- steps ---------------------------------------------------------------------------------

    def kill(self) -> str:
        return self._healed_after(signal.SIGKILL)

    def freeze(self) -> str:
        return self._healed_after(signal.SIGSTOP)

    def lose_venue(self) -> str:
        from ares.sim.serve.faults import parse_fault

        for fault in LOST_VENUE:
            self._admin.add(parse_fault(fault))
        self._await(lambda: not self._status().venue_up, 15.0, required=False)
        status = self._await_up()
        unknown = [order for order in status.orders if order.status == "unknown"]
        if unknown or status.differences:
            raise ExternalError(f"{len(unknown)} orders in doubt, {len(status.differences)} open")
        return "connected and reconciled"

    def lose_database(self) -> str:
        """Move the database away while the engine runs, and put it back."""
        from ares.store.database_url import is_postgres, path_of

        if is_postgres(self._workspace.db_url):
            raise ExternalError("the database is a server: stop it by hand")
        path, pid = path_of(self._workspace.db_url), self._engine_pid()
        names = [path.with_name(f"{path.name}{suffix}") for suffix in ("", "-wal", "-shm")]
        hidden = [(each, each.with_name(f"{each.name}.drill")) for each in names if each.exists()]
        for each, away in hidden:
            each.rename(away)
        time.sleep(LOST_DATABASE_S)
        for each in names:
            each.unlink(missing_ok=True)  # made anew meanwhile
        for each, away in hidden:
            away.rename(each)
        self.await_healthy()
        if self._engine_pid() != pid:
            raise ExternalError("the engine did not survive it")
        from ares.bootstrap.control import give

        answer = give(self._workspace, self._environment, "snapshot")
        return f"the engine went on; a command was {answer.outcome}"

    def restore(self) -> str:
        from ares.bootstrap.backup import backup_workspace, restore_workspace, restored_journal

        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _, manifest = backup_workspace(self._workspace, root / "backup")
            restore_workspace(root / "backup", root / "restored", step=False)
            found = restored_journal(Workspace(root / "restored"), self._environment, step=True)
        if found.problem or found.remark:
            raise ExternalError(found.problem or found.remark)
        return f"{len(manifest.files)} files, {found.compared} events with byte-equal effects"

    def flatten(self) -> str:
        from ares.bootstrap.control import give

        give(self._workspace, self._environment, "flatten", reason="ares drill")
        self._await(lambda: not any(r.position_base for r in self._status().instruments), FLAT_S)
        if not self._status().halts:
            raise ExternalError("entries are not halted")
        return "flat, entries halted"

    def resume(self) -> str:
        from ares.bootstrap.control import give

        answer = give(self._workspace, self._environment, "resume", reason="ares drill")
        if answer.outcome != "done":
            raise ExternalError(answer.detail)
        return "resumed"

    # --- parts ---------------------------------------------------------------------------------

    def await_healthy(self) -> None:
        """Wait until the engine lives and its venue is up."""
        up_status(self._workspace, self._environment)  # says where none runs
        self._await_up()

    def _healed_after(self, number: int) -> str:
        pid = self._engine_pid()
        os.kill(pid, number)
        self._await(lambda: self._engine_pid() not in (0, pid), HEAL_S)
        status = self._await_up()
        return f"process {pid} became {self._engine_pid()}, event {status.seq}"

    def _engine_pid(self) -> int:
        for process in up_status(self._workspace, self._environment).processes:
            if process.name == ENGINE and process.liveness == "live":
                return process.pid
        return 0

    def _status(self) -> EngineStatus:
        from ares.bootstrap.control import running_engine

        return running_engine(self._workspace, self._environment).status

    def _await_up(self) -> EngineStatus:
        self._await(self._is_up, HEAL_S)
        return self._status()

    def _is_up(self) -> bool:
        status = self._status()
        return bool(self._engine_pid()) and status.venue_up and not status.reconciling

    def _await(self, condition: Callable[[], bool], wait_s: float, required: bool = True) -> None:
        """Wait for a condition; a look that fails is made again."""
        until_s, problem = time.monotonic() + wait_s, ""
        while time.monotonic() < until_s:
            try:
                if condition():
                    return
                problem = ""
            except AresError as error:
                problem = f": {error}"
            time.sleep(LOOK_S)
        if required:
            raise ExternalError(f"not overcome within {wait_s:g} s{problem}")
