"""The status of a supervisor: written, read by others, and no reason to stop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ares.domain.errors import ExternalError
from ares.journal.lock import Lock
from ares.runtime.ops.supervisor import ProcessStatus
from ares.runtime.ops.up_status import StatusFile, read_status

ENGINE = ProcessStatus("engine", "running", "live", 7, 1, "")


def test_it_is_written_once_a_second_and_read_while_the_supervisor_runs(tmp_path: Path) -> None:
    file = StatusFile(tmp_path, "paper")
    lock = Lock(tmp_path / "up")
    with pytest.raises(ExternalError, match="cannot be read yet"):
        read_status(tmp_path, "paper")
    file.write((ENGINE,), 10.0, 1_000)
    file.write((), 10.5, 1_500)
    found = read_status(tmp_path, "paper")
    assert (found.environment, found.pid, found.at_ms) == ("paper", os.getpid(), 1_000)
    assert found.processes == (ENGINE,)
    file.write((), 11.0, 2_000)
    assert read_status(tmp_path, "paper").processes == ()
    lock.release()
    with pytest.raises(ExternalError, match="no `ares up` runs in paper"):
        read_status(tmp_path, "paper")


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    StatusFile(tmp_path / "gone", "paper").write((ENGINE,), 1.0, 1)
