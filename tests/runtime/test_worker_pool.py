"""The worker pool: results as they come, deaths named, nothing left running."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from ares.domain.timeframe import Timeframe
from ares.runtime.worker_pool import Failed, Task, WorkerPool

PID = "__import__('os').getpid()"
IGNORED = "(s := __import__('signal')).getsignal(s.SIGINT) is s.SIG_IGN"


def test_results_errors_and_deaths_all_come_back_by_name() -> None:
    tasks = [
        Task("a", abs, -2),
        Task("b", Timeframe.parse, "2h"),
        Task("killer", os._exit, 9),
        Task("c", int, "x"),
        Task("d", abs, -4),
    ]
    with WorkerPool(1) as pool:
        found = {task.label: result for task, result in pool.run(tasks)}
    assert found["a"] == 2
    assert found["b"].error.startswith("unknown interval '2h': use one of 1m")
    assert found["c"].error.startswith("ValueError: invalid literal")
    assert found["d"] == 4
    assert found["killer"] == Failed("its worker process died (out of memory, or killed)")


def test_workers_stay_warm_and_leave_interrupts_to_their_parent() -> None:
    with WorkerPool(1, ["json"]) as pool:
        [(_, first)] = pool.run([Task("x", eval, PID)])
        [(_, second)] = pool.run([Task("x", eval, PID)])
        [(_, ignored)] = pool.run([Task("x", eval, IGNORED)])
    assert first == second
    assert first != os.getpid()
    assert ignored
    assert not multiprocessing.active_children()


def test_an_interrupt_ends_the_workers_at_once() -> None:
    def interrupted() -> None:
        with WorkerPool(1) as pool:
            for _ in pool.run([Task("a", abs, -1), Task("b", abs, -2)]):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not multiprocessing.active_children()


def test_no_tasks_start_nothing() -> None:
    with WorkerPool(2) as pool:
        assert list(pool.run([])) == []
    assert not multiprocessing.active_children()
