"""The lock of an environment: one engine, named; a process that died leaves it free."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.journal.test_log import one_line

from ares.domain.errors import ExternalError
from ares.journal.lock import Lock, holder


def test_a_second_writer_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    with pytest.raises(ExternalError, match=rf"another engine \(process {os.getpid()}\)") as raised:
        Lock(tmp_path)
    assert raised.value.exit_code == 3
    assert str(tmp_path) in one_line(raised.value)
    lock.release()
    Lock(tmp_path).release()


def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    script = "import os,sys; from pathlib import Path; from ares.journal.lock import Lock;"
    script += "Lock(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=30)
    assert done.returncode == -9
    assert (tmp_path / "lock").read_text().isdigit()
    Lock(tmp_path).release()


def test_who_only_looks_whether_a_lock_is_free_keeps_no_writer_out(tmp_path: Path) -> None:
    """`ares status` looks at the instant in which the engine starts."""
    Lock(tmp_path).release()
    with (tmp_path / "lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        ends = threading.Timer(0.05, fcntl.flock, (looking, fcntl.LOCK_UN))
        ends.start()
        Lock(tmp_path).release()
        ends.join()


def test_a_lock_without_a_name_in_it_is_still_a_lock(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ExternalError, match="process unknown"):
            Lock(tmp_path)
        assert holder(tmp_path) == 0


def test_who_holds_a_lock_can_be_seen(tmp_path: Path) -> None:
    assert holder(tmp_path / "none") is None
    lock = Lock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    lock.release()
    assert holder(tmp_path) is None
