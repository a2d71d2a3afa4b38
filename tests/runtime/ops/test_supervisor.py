"""Processes are watched, killed where they hang, and ended in order."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.runtime.ops.locked_process import __file__ as SCRIPT

from ares.journal.lock import holder
from ares.runtime.ops.child import Child, ChildEvent, ChildPlan
from ares.runtime.ops.supervisor import Supervisor, Watched

WAIT_S = 60.0


class World:
    def __init__(self, root: Path) -> None:
        self.root, self.now_s = root, 100.0
        self.events, self.lines = list[ChildEvent](), list[str]()
        self.children = dict[str, Child]()

    def watched(self, name: str, mode: str = "run", stop_s: float = 60.0) -> Watched:
        folder, beat = self.root / name, self.root / f"{name}.beat"
        command = (sys.executable, SCRIPT, str(folder), str(beat), mode)
        plan = ChildPlan(name, command, self.root, folder, self.root / f"{name}.out", stop_s)
        child = Child(plan, self.events.append)
        self.children[name] = child

        def changed() -> float | None:
            return beat.stat().st_mtime_ns if beat.exists() else None

        return Watched(child, changed)

    def supervisor(self, *watched: Watched) -> Supervisor:
        return Supervisor(watched, lambda: self.now_s, self.lines.append, self.wait)

    def wait(self, _seconds: float) -> bool:
        time.sleep(0.01)
        return False

    def turns(self, supervisor: Supervisor, until: Callable[[], bool]) -> None:
        end_s = time.monotonic() + WAIT_S
        while not until():
            supervisor.turn(self.now_s)
            assert time.monotonic() < end_s, self.events
            time.sleep(0.01)

    def lives(self, supervisor: Supervisor, *names: str) -> Callable[[], bool]:
        def all_live() -> bool:
            found = {each.name: each.liveness for each in supervisor.status(self.now_s)}
            return all(found[name] == "live" for name in names)

        return all_live


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for child in made.children.values():
        child.send(signal.SIGKILL)
        if child._process is not None:
            child._process.wait(WAIT_S)


def test_what_hangs_is_killed_and_started_again(world: World) -> None:
    engine = world.watched("engine", "hang")
    supervisor = world.supervisor(engine)
    world.turns(supervisor, world.lives(supervisor, "engine"))
    beat = world.root / "engine.beat"
    world.turns(supervisor, lambda: beat.read_text() == "2")
    supervisor.turn(world.now_s)
    world.now_s += 0.2
    for _ in range(140):  # 28 s
        world.now_s += 0.2
        supervisor.turn(world.now_s)
    assert supervisor.status(world.now_s)[0].liveness == "live"
    world.turns(supervisor, lambda: has_died(world))
    assert "no sign of life for 30 s: it was killed" in world.events[-1].detail
    world.now_s += 1.0
    world.turns(supervisor, lambda: world.children["engine"].starts == 2)


def has_died(world: World) -> bool:
    world.now_s += 0.2
    return any(event.change == "died" for event in world.events)


def test_a_supervisor_that_stood_still_kills_nothing(world: World) -> None:
    engine = world.watched("engine", "hang")
    supervisor = world.supervisor(engine)
    world.turns(supervisor, world.lives(supervisor, "engine"))
    world.now_s += 3_600.0  # the machine slept
    supervisor.turn(world.now_s)
    assert supervisor.status(world.now_s)[0].liveness == "live"
    assert [event.change for event in world.events] == ["started"]


def test_a_start_has_more_time(world: World) -> None:
    quiet = Watched(world.watched("engine").child, lambda: None, hung_s=30.0, start_s=300.0)
    supervisor = world.supervisor(quiet)
    supervisor.turn(world.now_s)
    for _ in range(250):
        world.now_s += 1.0
        supervisor.turn(world.now_s)
    assert supervisor.status(world.now_s)[0].liveness == "starting"


def test_they_are_ended_in_the_opposite_order_of_their_start(world: World) -> None:
    names = ("signer", "watchdog", "engine")
    supervisor = world.supervisor(*(world.watched(name) for name in names))
    world.turns(supervisor, world.lives(supervisor, *names))
    assert [event.name for event in world.events] == list(names)
    assert supervisor.shut_down(world.wait)
    assert [line.split()[1] for line in world.lines] == ["engine", "watchdog", "signer"]
    assert all(holder(child.plan.lock) is None for child in world.children.values())


def test_what_does_not_end_is_killed(world: World) -> None:
    supervisor = world.supervisor(world.watched("engine", "deaf", stop_s=5.0))
    world.turns(supervisor, world.lives(supervisor, "engine"))

    def wait(_seconds: float) -> bool:
        world.now_s += 1.0
        time.sleep(0.01)
        return False

    assert supervisor.shut_down(wait)
    assert "engine did not end in 5 s: killed" in world.lines


def test_a_second_signal_leaves_them_running(world: World) -> None:
    supervisor = world.supervisor(world.watched("engine", "deaf"))
    world.turns(supervisor, world.lives(supervisor, "engine"))
    assert not supervisor.shut_down(lambda _: True)
    assert holder(world.root / "engine") == world.children["engine"].pid
