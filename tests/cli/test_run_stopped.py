"""``ares run`` stopped by a signal or a full disk, damaged, or met by another engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ares.config.workspace import Workspace
from ares.journal.lock import Lock

Ares = Callable[..., tuple[int, str, str]]

WINDOW = ("--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00")


def one_line(text: str) -> bool:
    return text.startswith("ares: ") and text.count("\n") == 1


def test_a_second_engine_is_refused(root: Path, ares: Ares) -> None:
    lock = Lock(Workspace(root).journal_dir / "history" / "busy")
    code, out, err = ares("run", *WINDOW, "--run", "busy")
    lock.release()
    assert (code, out, one_line(err)) == (3, "", True)
    assert f"another engine (process {os.getpid()})" in err


def test_a_damaged_journal_is_one_line(root: Path, ares: Ares) -> None:
    assert ares("run", *WINDOW, "--run", "broken")[0] == 0
    path = Workspace(root).journal_dir / "history" / "broken" / "000001.journal"
    raw = bytearray(path.read_bytes())
    raw[30_000] ^= 16
    path.write_bytes(raw)
    commands = (["certify", "broken"], ["restep", "broken"], ["why", "BTC/USDT", "--run", "broken"])
    for arguments in (*commands, ["run", *WINDOW, "--run", "broken"]):
        code, out, err = ares(*arguments)
        assert (code, out, one_line(err)) == (3, "", True), arguments
        assert "is damaged at byte" in err
    assert path.read_bytes() == raw


CUT = """
import os, signal, sys
from ares.cli.main import main
from ares.journal.run import RunJournal
event, seen = RunJournal.event, []
def counted(*arguments, **named):
    seen.append(1)
    if len(seen) == 120:
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    return event(*arguments, **named)
RunJournal.event = counted
main(sys.argv[2:])
"""


def cut(root: Path, with_signal: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that gets a signal at the 120th event outside of stretches."""
    return subprocess.run(
        [sys.executable, "-c", CUT, with_signal, *arguments],
        env=os.environ | {"ARES_WORKSPACE": str(root)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 130), ("SIGKILL", -9)])
def test_stopped_by_a_signal_the_same_command_goes_on(
    root: Path, ares: Ares, first: dict[str, Any], signal: str, code: int
) -> None:
    name = signal.lower()
    done = cut(root, signal, "run", *WINDOW, "--run", name)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code == 130:
        assert "stopped: run the same command again to continue" in done.stderr
    after, out, err = ares("run", *WINDOW, "--run", name, "--json")
    assert after == 0, err
    output = json.loads(out)
    assert (output["finished"], output["resumed"]) == (True, True)
    for command in ("certify", "restep"):
        assert ares(command, name)[0] == 0
    same = {
        k: v for k, v in output.items() if k in ("fills", "orders", "equity_end", "instruments")
    }
    assert same == {k: first[k] for k in same}


FULL = """
import resource, sys
from ares.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
main(sys.argv[2:])
"""


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    root: Path, ares: Ares, first: dict[str, Any]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, "130000", "run", *WINDOW, "--run", "full"],
        env=os.environ | {"ARES_WORKSPACE": str(root)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    *_, line = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert "cannot write the journal" in line
    journal = Workspace(root).journal_dir / "history" / "full" / "000001.journal"
    held = journal.read_bytes()
    assert 0 < len(held) <= 130_000
    code, out, err = ares("run", *WINDOW, "--run", "full", "--json")
    assert code == 0, err
    assert journal.read_bytes()[:50_000] == held[:50_000]
    assert json.loads(out)["equity_end"] == first["equity_end"]
    assert ares("certify", "full")[0] == 0
