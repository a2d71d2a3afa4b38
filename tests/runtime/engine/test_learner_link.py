"""The learner's process: what it sends arrives, and its death is survived."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ares.domain.events import Event
from ares.domain.model_events import AlertRaised
from ares.runtime.engine import side_process
from ares.runtime.engine.learner_link import LearnerLine, LearnerLink, encode_line

ALERT = AlertRaised(1, 0, "code", 1.0, 2.0, "a test")


@pytest.fixture
def process_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that makes a module of some lines and returns its name."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(sys.path)}")
    monkeypatch.setattr(side_process, "PAUSE_S_MIN", 0.01)

    def make(text: str) -> str:
        (tmp_path / "child_of_test.py").write_text(text)
        return "child_of_test"

    return make


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_events_and_lines_arrive_and_noise_is_shown(process_of: Callable[[str], str]) -> None:
    posted: list[Event] = []
    outputs: list[str] = []
    name = process_of(
        "import sys\n"
        "request = sys.stdin.buffer.readline().decode().strip()\n"
        f"print({encode_line(LearnerLine(ALERT)).decode()!r})\n"
        "print('a library prints')\n"
        f"print({encode_line(LearnerLine(line='training')).decode()!r}, flush=True)\n"
        "print(request, flush=True)\n"
        "sys.stdin.buffer.read()\n"
    )
    link = LearnerLink(name, b"the request", posted.append, outputs.append)
    until(lambda: len(outputs) == 3)
    link.stop()
    assert posted == [ALERT]
    assert outputs == [
        "the learner: a library prints", "training", "the learner: the request",
    ]  # fmt: skip


def test_a_process_that_dies_is_started_again(process_of: Callable[[str], str]) -> None:
    outputs: list[str] = []
    posted: list[Event] = []
    again = threading.Event()

    def say(text: str) -> None:
        outputs.append(text)
        if len(outputs) >= 2:
            again.set()

    name = process_of(
        f"print({encode_line(LearnerLine(ALERT)).decode()!r}, flush=True)\nraise SystemExit(3)\n"
    )
    link = LearnerLink(name, b"", posted.append, say)
    assert again.wait(30.0)
    link.stop()
    assert "ended with code 3: starting it again" in outputs[0]
    assert len(posted) >= 2
