"""A process is kept running: started again, adopted, left alone where a person stopped it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ares.journal.lock import Lock, holder
from ares.runtime.ops.child import PAUSE_S_MAX, Child, ChildEvent, ChildPlan, memory_kills

SCRIPT = Path(__file__).with_name("locked_process.py")
WAIT_S = 60.0


class World:
    """A folder, the processes that were started in it, and a clock that the test moves."""

    def __init__(self, root: Path) -> None:
        self.root, self.now_s, self.events = root, 100.0, list[ChildEvent]()
        self.beat = root / "beat"
        self.held = ""
        self.made = list[Child]()

    def plan(self, mode: str = "run") -> ChildPlan:
        command = (sys.executable, str(SCRIPT), str(self.root / "lock"), str(self.beat), mode)
        return ChildPlan(
            "engine", command, self.root, self.root / "lock", self.root / "out",
            words=("locked_process",),
        )  # fmt: skip

    def child(self, mode: str = "run", **more: object) -> Child:
        child = Child(self.plan(mode), self.events.append, is_held=lambda: self.held, **more)  # type: ignore[arg-type]
        self.made.append(child)
        return child

    def turns(self, child: Child, until: Callable[[], bool]) -> None:
        """Take turns until something holds; time stands still."""
        end_s = time.monotonic() + WAIT_S
        while not until():
            child.turn(self.now_s)
            assert time.monotonic() < end_s, (child.state, self.events, self.output())
            time.sleep(0.01)

    def output(self) -> str:
        path = self.root / "out"
        return path.read_text() if path.exists() else ""

    def await_lock(self, child: Child) -> None:
        self.turns(child, lambda: child.pid != 0 and holder(self.root / "lock") == child.pid)

    @property
    def changes(self) -> list[str]:
        return [event.change for event in self.events]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for child in made.made:
        child.send(signal.SIGKILL)
        if child._process is not None:
            child._process.wait(WAIT_S)
    pid = holder(tmp_path / "lock")
    if pid:
        os.kill(pid, signal.SIGKILL)


def test_what_is_killed_is_started_again_after_a_pause_that_grows(world: World) -> None:
    child = world.child()
    pauses = []
    for _ in range(3):
        world.await_lock(child)
        pid = child.pid
        os.kill(pid, signal.SIGKILL)
        world.turns(child, lambda: child.state == "waiting")
        assert "ended by SIGKILL; started again" in world.events[-1].detail
        before_s = world.now_s
        child.turn(before_s)
        assert child.pid == pid  # not before its time
        while child.pid == pid:
            world.now_s += 0.25
            child.turn(world.now_s)
        pauses.append(world.now_s - before_s)
    assert pauses == [0.5, 1.0, 2.0]
    world.await_lock(child)
    world.now_s += 61.0  # it was steady
    os.kill(child.pid, signal.SIGKILL)
    world.turns(child, lambda: child.state == "waiting")
    assert "started again in 0.5 s" in world.events[-1].detail


def test_the_pause_has_a_limit(world: World) -> None:
    child = world.child("exit3")
    for _ in range(12):
        world.now_s += PAUSE_S_MAX
        world.turns(child, lambda: child.state == "running")
        world.turns(child, lambda: child.state == "waiting")
    assert "exit code 3; started again in 60 s" in world.events[-1].detail


def test_what_ended_cleanly_was_stopped_by_a_person(world: World) -> None:
    child = world.child("exit0")
    world.turns(child, lambda: child.state == "stopped")
    world.now_s += 1_000.0
    child.turn(world.now_s)
    assert world.changes == ["started", "stopped"]


def test_an_error_in_the_settings_is_not_repeated(world: World) -> None:
    child = world.child("exit2")
    world.turns(child, lambda: child.state == "refused")
    world.now_s += 1_000.0
    child.turn(world.now_s)
    assert world.changes == ["started", "refused"]
    child.release()
    world.turns(child, lambda: child.starts == 2)


def test_it_outlives_its_supervisor_and_is_adopted_by_the_next(world: World) -> None:
    first = world.child()
    world.await_lock(first)
    second = world.child()  # as after a kill of the supervisor
    world.turns(second, lambda: second.state == "running")
    assert (second.pid, world.changes) == (first.pid, ["started", "adopted"])
    assert os.getpgid(first.pid) != os.getpgid(0)
    os.kill(first.pid, signal.SIGKILL)
    assert first._process is not None
    first._process.wait(WAIT_S)
    world.turns(second, lambda: second.state == "waiting")
    world.now_s += 1.0
    world.turns(second, lambda: second.starts == 1)


def test_of_an_adopted_process_others_say_that_it_was_stopped(world: World) -> None:
    first = world.child()
    world.await_lock(first)
    second = world.child(has_stopped=lambda pid: pid == first.pid)
    world.turns(second, lambda: second.state == "running")
    second.send(signal.SIGTERM)
    assert first._process is not None
    assert first._process.wait(WAIT_S) == 0
    world.turns(second, lambda: second.state == "stopped")


def test_with_a_stop_file_nothing_is_started_until_it_is_gone(world: World) -> None:
    world.held = "stopped by a person"
    child = world.child()
    child.turn(world.now_s)
    assert (child.state, child.detail, child.starts) == ("waiting", "stopped by a person", 0)
    world.held = ""
    world.await_lock(child)
    world.held = "stopped by a person"
    child.send(signal.SIGTERM)
    world.turns(child, lambda: child.state == "stopped")
    child.turn(world.now_s)
    assert child.starts == 1
    world.held = ""
    world.turns(child, lambda: child.starts == 2)


def test_a_process_that_a_person_started_meanwhile_is_adopted(world: World) -> None:
    child = world.child("exit0")
    world.turns(child, lambda: child.state == "stopped")
    manual = subprocess.Popen(world.plan().command, stdin=subprocess.DEVNULL)
    world.turns(child, lambda: child.state == "running")
    assert child.pid == manual.pid
    manual.kill()
    manual.wait(WAIT_S)


def test_who_only_keeps_it_from_running_is_not_adopted(world: World) -> None:
    """`ares kill` holds the engine's lock while it acts in its place."""
    fence = Lock(world.root / "lock")
    child = world.child()
    for _ in range(5):
        child.turn(world.now_s)
    assert (child.state, child.starts) == ("waiting", 0)
    assert child.detail == f"process {os.getpid()} keeps it from being started"
    fence.release()
    world.await_lock(child)


def test_a_secret_goes_down_the_pipe_and_nowhere_else(world: World) -> None:
    child = world.child(secret=lambda: b"a passphrase")
    world.await_lock(child)
    read = world.beat.with_suffix(".input")
    world.turns(child, lambda: read.exists() and read.read_bytes() == b"a passphrase")
    for name in ("cmdline", "environ"):
        assert b"a passphrase" not in Path(f"/proc/{child.pid}/{name}").read_bytes()


def test_a_program_that_is_missing_is_tried_again(world: World) -> None:
    plan = ChildPlan("x", ("/does/not/exist",), world.root, world.root / "lock", world.root / "out")
    child = Child(plan, world.events.append)
    child.turn(world.now_s)
    assert "cannot be started: No such file" in str(world.events[0])
    assert child.state == "waiting"


def test_output_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ares.runtime.ops.child.OUTPUT_BYTES_MAX", 10)
    child = world.child()
    (world.root / "out").write_text("0123456789abc")
    child.bound_output()
    assert (world.output(), (world.root / "out.1").read_text()) == ("", "0123456789abc")


def test_the_last_error_line_is_part_of_the_report(world: World) -> None:
    child = world.child("exit3")
    (world.root / "out").write_text("lines\nares: the disk is full\nmore\n")
    world.turns(child, lambda: child.starts == 1 and child.state == "waiting")
    assert "exit code 3 (the disk is full); started again" in world.events[-1].detail


def test_a_kill_of_a_system_without_memory_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = [4]
    monkeypatch.setattr("ares.runtime.ops.child.memory_kills", lambda: kills[0])
    child = world.child()
    world.await_lock(child)
    kills[0] = 5
    os.kill(child.pid, signal.SIGKILL)
    world.turns(child, lambda: child.state == "waiting")
    assert "ended by SIGKILL: the system was out of memory" in world.events[-1].detail


def test_the_systems_counter_can_be_read() -> None:
    assert memory_kills() >= 0
