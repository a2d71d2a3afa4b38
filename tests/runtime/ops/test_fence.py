"""An engine is ended before anybody acts in its place, found by its lock alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ares.domain.errors import ExternalError
from ares.journal.lock import Lock
from ares.runtime.ops.fence import Fence, command_of, holder_of, is_frozen

HOLD = """
import sys, time
from pathlib import Path
from ares.journal.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a process that holds the lock of a folder, as an engine does."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_holder_is_ended_and_none_can_start(
    tmp_path: Path, engine: subprocess.Popen[str]
) -> None:
    assert holder_of(tmp_path) == engine.pid
    fence = Fence(tmp_path)
    assert engine.wait(10) == -signal.SIGKILL
    assert fence.killed == engine.pid
    with pytest.raises(ExternalError, match="runs in"):
        Lock(tmp_path)
    fence.release()
    Lock(tmp_path).release()


def test_a_process_with_a_file_of_the_same_number_is_left_alone(tmp_path: Path) -> None:
    """Numbers of files are unique on one disk only: a process of somebody else was named."""
    Lock(tmp_path).release()
    inode = (tmp_path / "lock").stat().st_ino
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        locks = tmp_path / "locks"
        locks.write_text(f"1: FLOCK  ADVISORY  WRITE {other.pid} 00:99:{inode} 0 EOF\n")
        assert holder_of(tmp_path, locks) == 0
    finally:
        other.kill()
        other.wait()


def test_a_frozen_one_does_not_wake_up_again(tmp_path: Path, engine: subprocess.Popen[str]) -> None:
    assert not is_frozen(engine.pid)
    engine.send_signal(signal.SIGSTOP)
    until_s = time.monotonic() + 10.0
    while not is_frozen(engine.pid) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert is_frozen(engine.pid)
    Fence(tmp_path).release()
    assert engine.wait(10) == -signal.SIGKILL


def test_the_command_line_of_a_process(tmp_path: Path, engine: subprocess.Popen[str]) -> None:
    assert command_of(engine.pid) == (sys.executable, "-c", HOLD, str(tmp_path))
    assert command_of(0) == ()


def test_without_an_engine_nothing_is_ended(tmp_path: Path) -> None:
    Lock(tmp_path).release()
    (tmp_path / "lock").write_text(str(os.getpid()))  # the name of one that ended long ago
    fence = Fence(tmp_path)
    assert fence.killed == 0
    fence.release()


def test_this_process_is_never_ended(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    with pytest.raises(ExternalError, match="this process"):
        Fence(tmp_path)
    lock.release()


def test_a_holder_that_the_system_does_not_name_is_reported(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    locks.write_text("1: POSIX ADVISORY WRITE 1 08:01:7 0 EOF\n")
    (tmp_path / "lock").touch()
    assert holder_of(tmp_path, locks) == 0
    assert holder_of(tmp_path / "absent") == 0
