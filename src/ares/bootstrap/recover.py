"""``ares recover``: what is looked for, and done, for each fault, composed."""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace
from ares.domain.errors import AresError, ExternalError, UserError

if TYPE_CHECKING:
    from ares.runtime.engine.status import EngineStatus
    from ares.runtime.ops.recovery import FaultRecovery, Issue, Recovered, RecoveryStep

SETTLE_S = 60.0
LOOK_S = 0.5
END_S = 30.0
MEMORY_FREE_MIN = 0.05
CLOCK_MS_MAX = 1_000
OLD_LOGS = ("*.log.*", "*.out.1")


def recover_issue(
    workspace: Workspace,
    environment: str,
    issue: Issue,
    say: Callable[[str], None],
    settle_s: float = SETTLE_S,
) -> Recovered:
    """Look for a fault, and take one step after the other until it is gone."""
    from ares.runtime.ops.recovery import recover

    procedures = RecoveryProcedures(workspace, environment)
    found = {each.issue: each for each in procedures.all()}

    def settles(look: Callable[[], str]) -> str:
        until_s = time.monotonic() + settle_s
        problem = look()
        while problem and time.monotonic() < until_s:
            time.sleep(LOOK_S)
            problem = look()
        return problem

    return recover(found[issue], procedures.emergency(), settles, say)


class RecoveryProcedures:
    """The procedures of an environment."""

    def __init__(self, workspace: Workspace, environment: str) -> None:
        self._workspace, self._environment = workspace, environment

    def all(self) -> tuple[FaultRecovery, ...]:
        """Return them, by issue."""
        from ares.runtime.ops.recovery import FaultRecovery, RecoveryStep

        halt = RecoveryStep("halt entries; stops and exits go on", self._halt, contains=True)
        restart = RecoveryStep("end the engine; starting is recovering", self._restart)
        return (
            FaultRecovery(
                "database", "the database cannot be read, or its file is damaged",
                self._database_problem,
                RecoveryStep("open it again, migrate it, write its tables", self._rebuild),
                RecoveryStep("restore it from the newest backup", self._restore_database),
            ),
            FaultRecovery(
                "venue", "the engine has lost its venue", self._venue_problem, restart, halt
            ),
            FaultRecovery("feed", "no bars come", self._feed_problem, restart, halt),
            FaultRecovery(
                "model", "a model that is served is missing or damaged", self._model_problem,
                RecoveryStep("restore its files from the newest backup", self._restore_models),
                halt,
            ),
            FaultRecovery(
                "disk", "the disk is nearly full", self._disk_problem,
                RecoveryStep("delete what can be made again: cache, old logs", self._clear),
                halt,
            ),
            FaultRecovery(
                "memory", "the machine is out of memory", self._memory_problem,
                RecoveryStep("end the learner; the engine starts it again", self._end_learner),
                restart,
            ),
            FaultRecovery(
                "clock", "the machine's clock is wrong", self._clock_problem,
                RecoveryStep("wait until the system has set it", lambda: "waited"), halt,
            ),
        )  # fmt: skip

    def emergency(self) -> RecoveryStep:
        """Return what is done where nothing else helps."""
        from ares.runtime.ops.recovery import RecoveryStep

        text = "emergency shut-down: stop trading, save the state, notify"
        return RecoveryStep(text, self._shut_down, contains=True)

    # --- looks ---------------------------------------------------------------------------------

    def _database_problem(self) -> str:
        from ares.bootstrap.tables import check_databases

        try:
            found = check_databases(self._workspace, None, time.time_ns() // 1_000_000)
        except AresError as error:
            return str(error)
        return "; ".join(f"{each.name}: {each.problem}" for each in found if each.problem)

    def _status(self) -> EngineStatus | None:
        from ares.bootstrap.control import running_engine

        with suppress(AresError):
            return running_engine(self._workspace, self._environment).status
        return None

    def _venue_problem(self) -> str:
        status = self._status()
        if status is None:
            return f"no engine answers in {self._environment}"
        return "" if status.venue_up else "the venue is down"

    def _feed_problem(self) -> str:
        from ares.journal.run import setup_of
        from ares.observe.silence_alarm import bars_late_s

        status = self._status()
        if status is None:
            return f"no engine answers in {self._environment}"
        setup = setup_of(self._workspace.journal_dir / self._environment)
        base_ms = 60_000 if setup is None else min(lane.base_ms for lane in setup.instruments)
        late_s = (status.now_ms - status.bars_ms) / 1_000.0
        return f"the newest bar is {late_s:.0f} s old" if late_s > bars_late_s(base_ms) else ""

    def _model_problem(self) -> str:
        from ares.adapters.model_store import ModelStore

        status, store = self._status(), ModelStore(self._workspace.models_dir)
        served = {row.champion for row in status.instruments if row.champion} if status else set()
        for name in sorted(served):
            try:
                for member in store.ensemble(name).members:
                    store.member(member)
            except AresError as error:
                return str(error)
        return ""

    def _disk_problem(self) -> str:
        from ares.runtime.ops.alarm_watch import free_space_mb

        least_mb = self._workspace.settings.supervision.disk_free_mb_min
        free_mb = free_space_mb(self._workspace.root)
        return f"{free_mb:.0f} MB are free, less than {least_mb:.0f}" if free_mb < least_mb else ""

    def _memory_problem(self) -> str:
        share = free_memory()
        return f"{share:.1%} of the memory is free" if share < MEMORY_FREE_MIN else ""

    def _clock_problem(self) -> str:
        ahead_ms = clock_ahead_ms(self._workspace, self._environment)
        if ahead_ms is None or abs(ahead_ms) <= CLOCK_MS_MAX:
            return ""
        return f"the venue's clock is {ahead_ms / 1_000.0:+.1f} s from the machine's"

    # --- steps ---------------------------------------------------------------------------------

    def _rebuild(self) -> str:
        from ares.bootstrap.tables import rebuild_tables

        done: list[str] = []
        rebuild_tables(
            self._workspace, self._environment, lambda name, seq: done.append(f"{name}: {seq}")
        )
        return f"tables written ({', '.join(done)} events)"

    def _restore_database(self) -> str:
        """Put the newest backup's database in place of the damaged one, which is kept."""
        from ares.runtime.ops.backup import DATABASE
        from ares.store.database_url import is_postgres, path_of

        if is_postgres(self._workspace.db_url):
            raise ExternalError("the database is a server: restore it with its own tools")
        folder = self._newest_backup(DATABASE)
        path = path_of(self._workspace.db_url)
        draft = path.with_name(f".{path.name}.restored")
        shutil.copyfile(folder / DATABASE, draft)
        kept = path.with_name(f"{path.name}.damaged-{time.time_ns() // 1_000_000_000}")
        for suffix in ("", "-wal", "-shm"):
            old = path.with_name(f"{path.name}{suffix}")
            if old.exists():
                old.rename(kept.with_name(f"{kept.name}{suffix}"))
        draft.replace(path)
        tables = "it has no tables yet"
        with suppress(UserError):  # no engine ever ran
            tables = self._rebuild()
        return f"{path.name} is that of {folder.name}, {tables}; the damaged one is {kept.name}"

    def _restore_models(self) -> str:
        """Put back the files of models that are missing or changed; packages never change."""
        import hashlib

        from ares.runtime.ops.backup import check_backup

        folder, count = self._newest_backup("models"), 0
        for name, file in check_backup(folder).files.items():
            if not name.startswith(("models/packages/", "models/ensembles/")):
                continue
            path = self._workspace.root / name
            if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, path)
            count += 1
        return f"{count} files are those of {folder.name}"

    def _newest_backup(self, holds: str) -> Path:
        """Return the newest backup with a file or folder whose hashes all hold."""
        from ares.runtime.ops.backup import check_backup

        for folder in sorted((self._workspace.root / "backups").glob("[!.]*"), reverse=True):
            with suppress(AresError):
                check_backup(folder)
                if (folder / holds).exists():
                    return folder
        raise ExternalError("there is no backup whose hashes hold: `ares db backup` makes one")

    def _clear(self) -> str:
        freed = 0
        for path in self._deletable():
            with suppress(OSError):
                size = path.stat().st_size
                path.unlink()
                freed += size
        return f"{freed / 1e6:.1f} MB deleted"

    def _deletable(self) -> Iterator[Path]:
        yield from (p for p in self._workspace.cache_dir.rglob("*") if p.is_file())
        for pattern in OLD_LOGS:
            yield from self._workspace.logs_dir.glob(pattern)

    def _end_learner(self) -> str:
        pid = self._engine()
        for child in Path(f"/proc/{pid}/task").glob("*/children"):
            for each in child.read_text().split():
                command = Path(f"/proc/{each}/cmdline").read_bytes()
                if b"learner_process" in command:
                    os.kill(int(each), signal.SIGKILL)
                    return f"the learner (process {each}) was ended"
        raise ExternalError("no learner runs")

    def _halt(self) -> str:
        from ares.bootstrap.control import give

        answer = give(self._workspace, self._environment, "halt", reason="ares recover")
        if answer.outcome != "done":
            raise ExternalError(f"the engine refused: {answer.detail}")
        return answer.detail or "entries are halted"

    def _restart(self) -> str:
        """SIGKILL the engine, whose supervisor starts it again; nothing is lost by that.

        Raises ExternalError where somebody acts in its place, who is not ended.
        """
        from ares.journal.lock import holder
        from ares.runtime.ops.up_status import SUPERVISOR

        ops = self._workspace.ops_dir(self._environment)
        if holder(ops / SUPERVISOR) is None:
            raise ExternalError("no `ares up` runs that would start it again")
        pid = self._engine()
        os.kill(pid, signal.SIGKILL)
        return f"the engine (process {pid}) was ended; `ares up` starts it again"

    def _engine(self) -> int:
        from ares.journal.lock import holder

        pid = holder(self._workspace.journal_dir / self._environment)
        if not pid:
            raise ExternalError(f"no engine runs in {self._environment}")
        _require_engine(pid)
        return pid

    def _shut_down(self) -> str:
        """Halt entries, end the engine with its state saved, tell everybody."""
        from ares.adapters.apprise_notifier import AppriseNotifier
        from ares.journal.lock import holder

        done = []
        folder = self._workspace.journal_dir / self._environment
        with suppress(AresError, OSError):
            self._write_stop(folder)
        with suppress(AresError):
            done.append(self._halt())
        pid = holder(folder)
        if pid:
            try:
                done.append(_ended(pid, folder))
            except ExternalError as error:
                done.append(str(error))
        urls = self._workspace.settings.supervision.notify_urls
        if urls is not None:
            text = f"emergency shut-down of {self._environment}: look at the venue"
            done.append(AppriseNotifier(urls).send("Ares", text) or "everybody was notified")
        return "; ".join(done) or "no engine ran"

    def _write_stop(self, folder: Path) -> None:
        """Keep the environment stopped over restarts, until a person's `ares resume`."""
        from ares.journal.run import setup_of
        from ares.runtime.ops.stop_file import StopOrder, write_stop

        setup = setup_of(folder)
        order = StopOrder(
            uuid.uuid4().hex, self._environment, "" if setup is None else setup.owner,
            "ares recover", "emergency shut-down", time.time_ns() // 1_000_000, flatten=False,
        )  # fmt: skip
        write_stop(folder, order)


def _ended(pid: int, folder: Path) -> str:
    """End an engine; return how. Raises ExternalError for a process that is none."""
    from ares.journal.lock import holder

    _require_engine(pid)
    os.kill(pid, signal.SIGTERM)
    until_s = time.monotonic() + END_S
    while holder(folder) == pid and time.monotonic() < until_s:
        time.sleep(0.05)
    if holder(folder) != pid:
        return "the engine has ended, its state is saved"
    os.kill(pid, signal.SIGKILL)
    return "the engine hung and was killed; its journal is whole"


def _require_engine(pid: int) -> None:
    """Raise ExternalError where the holder of a journal is `ares kill` or a watchdog that acts."""
    from ares.runtime.ops.fence import command_of

    words = command_of(pid)
    if words and "run" not in words:
        raise ExternalError(f"process {pid} acts in its place: wait")


def free_memory() -> float:
    """Return the share of the machine's memory that is available; 1 where nobody tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 1.0
    found = {line.split(":")[0]: float(line.split()[1]) for line in lines if len(line.split()) > 1}
    return found.get("MemAvailable", 1.0) / found.get("MemTotal", 1.0)


def clock_ahead_ms(workspace: Workspace, environment: str) -> int | None:
    """Return how far the venue's clock was ahead at the engine's newest comparison; None: there is
    none.
    """
    from ares.domain.order_events import ClockSkewMeasured
    from ares.journal.run import entries

    newest: int | None = None
    with suppress(AresError):
        for entry in entries(workspace.journal_dir / environment):
            if isinstance(entry.event, ClockSkewMeasured):
                newest = entry.event.venue_ahead_ms
    return newest
