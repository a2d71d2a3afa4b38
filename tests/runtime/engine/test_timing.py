"""What a run's wall time went into: machine code and waiting are told apart from feeding."""

from __future__ import annotations

import time
from pathlib import Path

import numba

from ares.cli.run import speed
from ares.runtime.engine.history_run import RunEnd
from ares.runtime.engine.timing import RunTiming


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def test_waiting_is_no_feeding_and_what_comes_before_is_neither() -> None:
    clock = Clock()
    watch = RunTiming(clock)
    clock.s += 7.0  # recovers
    with watch.feeding():
        clock.s += 2.0
        with watch.waiting():
            clock.s += 30.0
        clock.s += 1.0
    clock.s += 0.5
    assert (watch.seconds, watch.feeding_s, watch.waited_s) == (40.5, 3.0, 30.0)
    assert watch.code_s == 0.0


def test_machine_code_that_is_made_meanwhile_is_no_feeding() -> None:
    made = numba.njit(lambda x: x + 1.0)
    watch = RunTiming()
    with watch.listening(), watch.feeding():
        made(1.0)
        end_s = time.perf_counter() + 0.01
        while time.perf_counter() < end_s:
            made(1.0)
    assert watch.code_s > 0.01
    assert watch.feeding_s >= 0.01
    assert watch.feeding_s + watch.code_s <= watch.seconds
    before_s = watch.code_s
    numba.njit(lambda x: x + 2.0)(1.0)
    assert watch.code_s == before_s, "nobody listens any more"


def ended(code_s: float, waited_s: float) -> RunEnd:
    seconds = 2.3 + code_s + waited_s
    return RunEnd(
        "history/x", Path(), True, False, 30_000, 60_000, seconds, 2.0, code_s, waited_s
    )  # fmt: skip


def test_the_sentence_names_what_is_not_in_the_speed() -> None:
    line = "60,000 bars at 30,000 closing instants in 2.0s: 30,000 bars/s."
    assert speed(ended(0.4, 0.0)) == line
    first = "compilation took 21.0s"
    assert speed(ended(21.0, 0.0)) == f"{line} Not included: {first}."
    assert speed(ended(21.0, 90.0)) == (
        f"{line} Not included: {first}, waiting for trainings took 1m 30s."
    )
