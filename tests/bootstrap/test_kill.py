"""``ares kill`` and ``ares resume``: which environment, the stop file, what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ares.bootstrap.kill import (
    KillRequest,
    collar_bps,
    is_held,
    kill,
    kill_environment,
    kill_key,
    resume_stopped,
    server_of,
)
from ares.bootstrap.stopping import prepare_stop
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.events import RunStarted
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.run import NO_END, RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.journal.lock import Lock
from ares.journal.run import RunJournal
from ares.runtime.ops.stop_file import StopOrder, is_stopped, read_stop, write_stop

OWNER = "a1b2c3d4"


def journaled(workspace: Workspace, environment: str) -> Path:
    """Write the journal of an engine of paper money, or of a rehearsal, that has just begun."""
    spec = InstrumentSpec(Instrument("kraken", "BTC/USDT"), 2, 8)
    setup = RunSetup(
        environment, (RunInstrument(spec, MINUTE_MS, None, False),), (Timeframe("1m"),), -1,
        0, NO_END, 0, 1_000.0, {}, 0.5, {}, owner=OWNER,
    )  # fmt: skip
    folder = workspace.journal_dir / environment
    journal = RunJournal(folder, 0)
    journal.event(1, RunStarted(setup), 1)
    journal.effects(1, [])
    journal.close()
    Lock(folder).release()
    return folder


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    found, _ = Workspace.init(tmp_path / "w")
    monkeypatch.chdir(found.root)
    return found


def test_the_environment_is_named_or_the_only_one_or_the_one_that_runs(
    workspace: Workspace,
) -> None:
    with pytest.raises(UserError, match="none has run yet"):
        kill_environment(workspace, None)
    paper = journaled(workspace, "paper")
    assert kill_environment(workspace, None) == "paper"
    journaled(workspace, "rehearsal/kraken")
    with pytest.raises(UserError, match="--env: paper, rehearsal/kraken"):
        kill_environment(workspace, None)
    assert kill_environment(workspace, "rehearsal/kraken") == "rehearsal/kraken"
    with pytest.raises(UserError, match="live has no journal"):
        kill_environment(workspace, "live")
    lock = Lock(paper)
    assert is_held(paper)
    assert kill_environment(workspace, None) == "paper"
    lock.release()


def test_a_paper_engine_that_is_dead_is_stopped_by_its_next_start(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = journaled(workspace, "paper")
    assert run(["kill", "--flatten", "--reason", "news"]) == 0
    output = capsys.readouterr()
    assert "its next start carries this out before all else" in output.out
    found = read_stop(folder, "paper", OWNER)
    assert found is not None
    assert (found.reason, found.flatten, found.verb) == ("news", True, "flatten")
    assert run(["resume", "--reason", "calm"]) == 0
    assert not is_stopped(folder)
    assert "paper is not stopped any more" in capsys.readouterr().out
    assert resume_stopped(workspace, None) is None


def test_a_frozen_paper_engine_is_ended(workspace: Workspace) -> None:
    folder = journaled(workspace, "paper")
    program = (
        "import sys, time, os, signal\nfrom pathlib import Path\n"
        "from ares.journal.lock import Lock\nlock = Lock(Path(sys.argv[1]))\n"
        "print('held', flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        lines: list[str] = []
        end = kill(workspace, KillRequest(None, False, "x"), "ada", lines.append)
        assert end.killed == engine.pid
        assert engine.wait(10) == -9
    assert is_stopped(folder)


def test_a_stop_file_of_another_environment_is_refused_and_stays(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = journaled(workspace, "paper")
    order = StopOrder("id", "live", "ffffffff", "ada", "x", 1, flatten=True)
    write_stop(folder, order)
    for words in (["kill", "--flatten"], ["resume", "--reason", "x"]):
        assert run(words) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert "came from elsewhere, move it away" in lines[0]
    assert read_stop(folder, "live") == order


def test_a_damaged_stop_file_is_cleared_by_a_person(workspace: Workspace) -> None:
    folder = journaled(workspace, "paper")
    (folder / "stop").write_text("?")
    assert is_stopped(folder)
    assert resume_stopped(workspace, "paper") == "paper"
    assert not is_stopped(folder)


def test_the_server_of_the_last_start_is_used(workspace: Workspace) -> None:
    folder = journaled(workspace, "rehearsal/kraken")
    with pytest.raises(UserError, match="needs the --address"):
        server_of("rehearsal/kraken", "kraken", folder, None)
    prepare_stop(folder, "http://127.0.0.1:1", lambda _: None)
    assert server_of("rehearsal/kraken", "kraken", folder, None) == "http://127.0.0.1:1"
    other = "http://127.0.0.1:2"
    assert server_of("rehearsal/kraken", "kraken", folder, other) == other
    assert server_of("live", "kraken", folder, None) is None


def test_the_key_is_its_own_or_that_of_the_engine(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(UserError, match="REHEARSAL_KRAKEN_KEY and REHEARSAL_KRAKEN_SECRET"),
        kill_key(workspace, "rehearsal/kraken", None),
    ):
        pass
    for name in ("REHEARSAL_KRAKEN", "REHEARSAL_KRAKEN_KILL"):
        monkeypatch.setenv(f"{name}_KEY", f"key of {name}")
        monkeypatch.setenv(f"{name}_SECRET", "s")
        with kill_key(workspace, "rehearsal/kraken", None) as found:
            assert found.key == f"key of {name}"


def test_broken_settings_stop_no_kill(workspace: Workspace) -> None:
    assert collar_bps(workspace) == 200.0
    workspace.settings_path.write_text("kill: [")
    assert collar_bps(Workspace(workspace.root)) == 200.0
    assert os.environ.get("ARES_WORKSPACE") is None
