"""When a watchdog acts: on silence alone, and never on an engine that stopped or starts."""

from __future__ import annotations

from collections.abc import Sequence

from ares.runtime.ops.watch import EngineSigns, Watch


def looks(watch: Watch, signs: Sequence[tuple[float, int, float | None]]) -> list[str]:
    """Return what the watchdog says at each (time, process, heartbeat)."""
    return [watch.look(EngineSigns(pid, beat), now_s) for now_s, pid, beat in signs]


def test_an_engine_that_beats_is_left_alone() -> None:
    watch = Watch(30.0, lambda: False)
    assert not any(looks(watch, [(t, 7, float(t)) for t in range(0, 600, 10)]))


def test_an_engine_that_hangs_is_found_once() -> None:
    watch = Watch(30.0, lambda: False)
    found = looks(watch, [(0, 7, 1.0), (1, 7, 2.0), (30, 7, 2.0), (31, 7, 2.0), (32, 7, 2.0)])
    assert [bool(text) for text in found] == [False, False, False, True, False]
    assert "process 7" in found[3]


def test_a_start_may_take_longer_than_a_beat() -> None:
    watch = Watch(30.0, lambda: False, start_s=300.0)
    assert not any(looks(watch, [(t, 7, 1.0) for t in range(0, 300, 10)]))
    assert looks(watch, [(301, 7, 1.0)]) != [""]


def test_a_dead_engine_is_found_unless_it_stopped_or_is_started_again() -> None:
    dead = [(0.0, 7, 1.0), (1.0, 7, 2.0), (2.0, 0, 2.0), (31.9, 0, 2.0), (32.0, 0, 2.0)]
    assert looks(Watch(30.0, lambda: False), dead)[-1] == "no engine has run for 30 s"
    assert not any(looks(Watch(30.0, lambda: True), dead))
    healed = [*dead[:3], (20.0, 8, 2.0), (40.0, 8, 3.0), (60.0, 8, 4.0)]
    assert not any(looks(Watch(30.0, lambda: False), healed))


def test_where_a_stop_file_stands_somebody_has_acted() -> None:
    watch = Watch(30.0, lambda: False)
    signs = [(t, EngineSigns(7, 1.0, stopped=True)) for t in range(0, 900, 10)]
    assert not any(watch.look(each, now_s) for now_s, each in signs)
