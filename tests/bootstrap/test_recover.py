"""Each fault is made, and one of the steps ends it; emergency shut-down is the last."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.runtime.ops.locked_process import __file__ as SCRIPT
from tests.webhook import webhook

from ares.bootstrap import recover
from ares.bootstrap.backup import backup_workspace
from ares.bootstrap.recover import RecoveryProcedures, free_memory, recover_issue
from ares.config.workspace import Workspace
from ares.journal.lock import Lock, holder
from ares.runtime.ops.recovery import Issue, Recovered
from ares.runtime.ops.stop_file import is_stopped
from ares.store.database import check_integrity, open_database

WAIT_S = 60.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made, _ = Workspace.init(tmp_path / "w")
    open_database(made.db_url).dispose()
    return made


class Running:
    """A process in the engine's place, which holds its lock; and a supervisor's lock."""

    def __init__(self, workspace: Workspace, *command: str) -> None:
        folder = workspace.journal_dir / "paper"
        words = command or (SCRIPT, str(folder), str(workspace.root / "beat"), "run")
        self.process = subprocess.Popen([sys.executable, *words], stdin=subprocess.DEVNULL)
        self.up = Lock(workspace.ops_dir("paper") / "up")
        await_(lambda: holder(folder) == self.process.pid)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)
        self.up.release()


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Running]:
    made = Running(workspace)
    yield made
    made.close()


def await_(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def recovered(workspace: Workspace, issue: Issue) -> Recovered:
    return recover_issue(workspace, "paper", issue, lambda _: None, settle_s=0.0)


def test_the_database_is_restored_from_the_newest_backup(workspace: Workspace) -> None:
    assert recovered(workspace, "database").problem == ""
    backup_workspace(workspace, None)
    workspace.db_path.write_bytes(b"no database" * 1_000)
    for suffix in ("-wal", "-shm"):
        workspace.db_path.with_name(f"ares.db{suffix}").unlink(missing_ok=True)
    found = recovered(workspace, "database")
    assert (found.by, found.is_well) == ("fallback", True)
    database = open_database(workspace.db_url)
    assert check_integrity(database) == ""
    database.dispose()
    kept = list(workspace.root.glob("ares.db.damaged-*"))
    assert kept[0].read_bytes().startswith(b"no database")


def test_without_a_backup_the_last_step_is_taken(workspace: Workspace) -> None:
    workspace.db_path.write_bytes(b"no database" * 1_000)
    found = recovered(workspace, "database")
    assert (found.by, found.is_well) == ("emergency", False)
    assert "there is no backup whose hashes hold" in found.tries[1].outcome


def status(**values: Any) -> Any:
    given = {"venue_up": True, "now_ms": 1_000_000, "bars_ms": 990_000, "instruments": ()}
    return SimpleNamespace(**(given | values))


@pytest.mark.parametrize(
    ("issue", "ill"), [("venue", {"venue_up": False}), ("feed", {"bars_ms": 900_000})]
)
def test_an_engine_that_lost_its_venue_or_bars_is_started_again(
    workspace: Workspace, engine: Running, monkeypatch: pytest.MonkeyPatch, issue: Issue,
    ill: dict[str, object],
) -> None:  # fmt: skip
    def seen(_: object) -> Any:
        return status(**ill) if engine.process.poll() is None else status()

    monkeypatch.setattr(RecoveryProcedures, "_status", seen)
    found = recover_issue(workspace, "paper", issue, lambda _: None, settle_s=WAIT_S)
    assert found.by == "procedure"
    assert engine.process.wait(WAIT_S) == -signal.SIGKILL


@pytest.mark.parametrize("issue", ["venue", "feed"])
def test_where_that_does_not_help_entries_are_halted(
    workspace: Workspace, engine: Running, monkeypatch: pytest.MonkeyPatch, issue: Issue
) -> None:
    monkeypatch.setattr(RecoveryProcedures, "_status", lambda _: status(venue_up=False, bars_ms=0))
    monkeypatch.setattr(RecoveryProcedures, "_halt", lambda _: "entries are halted")
    found = recovered(workspace, issue)
    assert (found.by, found.tries[-1].outcome) == ("fallback", "entries are halted")


def test_who_acts_in_the_engines_place_is_not_ended(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecoveryProcedures, "_status", lambda _: None)
    folder = workspace.journal_dir / "paper"
    person = Running(workspace, "-c", HOLD, str(folder), "kill", "--env", "paper")
    try:
        found = recovered(workspace, "venue")
        assert person.process.poll() is None
    finally:
        person.close()
    text = f"process {person.process.pid} acts in its place: wait"
    assert found.tries[0].outcome == f"failed: {text}"
    assert (found.by, found.tries[-1].outcome) == ("emergency", text)


def test_a_damaged_model_is_restored(archived_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ares.adapters.model_store import ModelStore

    workspace = Workspace(archived_root)
    store = ModelStore(workspace.models_dir)
    ensemble = next(iter(store.listed().ensembles))
    row = SimpleNamespace(champion=ensemble.hash)
    monkeypatch.setattr(RecoveryProcedures, "_status", lambda _: status(instruments=(row,)))
    assert recovered(workspace, "model").problem == ""
    backup_workspace(workspace, None)
    member = ensemble.members[0]
    graph = next(workspace.models_dir.rglob(f"{member.version}/model.onnx"))
    graph.chmod(0o644)
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    found = recovered(workspace, "model")
    assert (found.by, found.is_well) == ("procedure", True)
    assert "1 files are those of" in found.tries[0].outcome


def test_a_full_disk_is_cleared_of_what_can_be_made_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached, journal = workspace.cache_dir / "x", workspace.journal_dir / "y"
    old, log = workspace.logs_dir / "paper.log.1", workspace.logs_dir / "paper.log"
    for path in (cached, journal, old, log):
        path.write_bytes(b"0" * 1_000)
    monkeypatch.setattr(
        "ares.runtime.ops.alarm_watch.free_space_mb",
        lambda _: 10.0 if cached.exists() else 10_000.0,
    )
    found = recovered(workspace, "disk")
    assert found.by == "procedure"
    assert (cached.exists(), old.exists()) == (False, False)
    assert (journal.exists(), log.exists()) == (True, True)


HOLD = """
import sys, time
from pathlib import Path
from ares.journal.lock import Lock
lock = Lock(Path(sys.argv[1]))
time.sleep(600)
"""

LEARNER = """
import subprocess, sys
from pathlib import Path
from ares.journal.lock import Lock
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "learner_process"])
lock = Lock(Path(sys.argv[1]))
child.wait()
import time; time.sleep(600)
"""


def test_a_machine_without_memory_ends_the_learner(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Running(workspace, "-c", LEARNER, str(workspace.journal_dir / "paper"), "run")
    shares = [0.01, 0.5]
    monkeypatch.setattr(recover, "free_memory", lambda: shares.pop(0))
    try:
        found = recovered(workspace, "memory")
    finally:
        engine.close()
    assert found.by == "procedure"
    assert "the learner (process" in found.tries[0].outcome
    assert 0.0 < free_memory() <= 1.0


def test_a_wrong_clock_is_waited_for_then_entries_are_halted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [2_500, 20]
    monkeypatch.setattr(recover, "clock_ahead_ms", lambda *_: ahead.pop(0))
    found = recovered(workspace, "clock")
    assert (found.problem, found.by) == (
        "the venue's clock is +2.5 s from the machine's", "procedure",
    )  # fmt: skip
    monkeypatch.setattr(recover, "clock_ahead_ms", lambda *_: -2_500)
    monkeypatch.setattr(RecoveryProcedures, "_halt", lambda _: "entries are halted")
    assert recovered(workspace, "clock").by == "fallback"


def test_emergency_shut_down_ends_the_engine_cleanly_and_notifies(
    workspace: Workspace, engine: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recover, "clock_ahead_ms", lambda *_: 9_000)
    with webhook() as hook:
        monkeypatch.setenv("ARES_SUPERVISION__NOTIFY_URLS", f"json://127.0.0.1:{hook.port}")
        found = recovered(Workspace(workspace.root), "clock")
        assert found.by == "emergency"
        assert engine.process.wait(WAIT_S) == 0
        assert "emergency shut-down of paper" in hook.requests[0][2]
    assert "the engine has ended, its state is saved; everybody was notified" in (
        found.tries[-1].outcome
    )
    assert not found.is_well
    assert is_stopped(workspace.journal_dir / "paper")
