"""The learner's process, as the engine starts it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from ares.bootstrap.learner_process import LearnerProcess


@pytest.mark.slow
def test_it_ends_when_the_engine_is_gone(archived_root: Path) -> None:
    request = msgspec.json.encode(LearnerProcess(str(archived_root), "history/fixture"))
    process = subprocess.Popen(
        [sys.executable, "-m", "ares.bootstrap.learner_process"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(request + b"\n")
    process.stdin.flush()
    time.sleep(0.5)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(30.0) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_without_a_request_it_ends(archived_root: Path) -> None:
    module = [sys.executable, "-m", "ares.bootstrap.learner_process"]
    done = subprocess.run(module, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
