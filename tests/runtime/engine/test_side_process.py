"""A process beside the engine: kept running, finished, terminated, killed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ares.runtime.engine import side_process
from ares.runtime.engine.side_process import SideProcess

READS_ALL = "import sys\nsys.stdin.buffer.read()\n"
Start = Callable[[str], SideProcess]


@pytest.fixture
def lines() -> list[bytes]:
    return []


@pytest.fixture
def codes() -> list[int]:
    return []


@pytest.fixture
def start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], codes: list[int]
) -> Start:
    """Return a function that runs some source as a module beside this process."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(sys.path)}")
    monkeypatch.setattr(side_process, "PAUSE_S_MIN", 0.01)

    def run(source: str) -> SideProcess:
        (tmp_path / "beside_a_test.py").write_text(source)
        return SideProcess("beside_a_test", b"request", lines.append, codes.append)

    return run


def until(condition: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < limit_s
        time.sleep(0.01)


def test_its_request_is_its_first_line(start: Start, lines: list[bytes]) -> None:
    process = start("import sys\nprint(sys.stdin.readline(), end='', flush=True)\n" + READS_ALL)
    until(lambda: bool(lines))
    process.kill()
    assert lines == [b"request\n"]


def test_one_that_finishes_is_not_started_again(start: Start, codes: list[int]) -> None:
    process = start(READS_ALL)
    assert process.finish(30.0)
    assert process.has_ended
    assert codes == []


def test_one_that_dies_while_it_finishes_is_started_again(
    start: Start, codes: list[int], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    process = start(
        f"{READS_ALL}from pathlib import Path\nmark = Path({str(mark)!r})\n"
        "if not mark.exists():\n    mark.touch()\n    raise SystemExit(3)\n"
    )
    assert process.finish(30.0)
    assert codes == [3]


def test_one_that_does_not_finish_in_time_is_killed(start: Start) -> None:
    process = start("import time\ntime.sleep(600)\n")
    assert not process.finish(0.2)
    assert process.has_ended


def test_sigterm_is_tried_before_it_is_killed(start: Start, lines: list[bytes]) -> None:
    handles = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (print('ends', "
    process = start(handles + "flush=True), sys.exit(0)))\nprint('up', flush=True)\n" + READS_ALL)
    until(lambda: bool(lines))
    process.terminate(30.0)
    assert lines == [b"up\n", b"ends\n"]


def test_one_that_dies_again_and_again_is_ended_at_once(start: Start, codes: list[int]) -> None:
    process = start("raise SystemExit(4)\n")
    until(lambda: len(codes) >= 2)
    process.kill()
    assert process.has_ended
