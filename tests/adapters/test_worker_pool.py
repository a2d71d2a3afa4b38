"""The worker pool: results as they come, deaths named, nothing left running."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from ares.adapters.worker_pool import InlinePool, PoolInterrupted, Task, TaskFailed, WorkerPool
from ares.domain.timeframe import Timeframe

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
    assert found["killer"] == TaskFailed("its worker process died (out of memory, or killed)")


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


NICENESS = "__import__('os').nice(0)"
HANGS = "__import__('threading').Event().wait()"


def test_workers_have_the_requested_niceness() -> None:
    with WorkerPool(1, nice=7) as pool:
        [(_, niceness)] = pool.run([Task("x", eval, NICENESS)])
    assert niceness == min(os.nice(0) + 7, 19)


def test_what_hangs_is_ended_and_named_and_the_rest_is_done() -> None:
    tasks = [Task("hangs", eval, HANGS), Task("a", abs, -1), Task("b", abs, -2)]
    with WorkerPool(1, timeout_s=3.0) as pool:
        found = {task.label: result for task, result in pool.run(tasks)}
    assert found["hangs"] == TaskFailed("timed out after 3 s")
    assert (found["a"], found["b"]) == (1, 2)
    assert not multiprocessing.active_children()


def test_a_stop_does_not_wait_for_running_tasks() -> None:
    stops = iter([False, False])
    pool = WorkerPool(2, stopped=lambda: next(stops, True))
    with pytest.raises(PoolInterrupted):
        list(pool.run([Task("hangs", eval, HANGS), Task("too", eval, HANGS)]))
    assert not multiprocessing.active_children()


def test_a_task_that_is_done_again_alone_can_be_stopped_too() -> None:
    pool = WorkerPool(1, timeout_s=2.0, stopped=lambda: False)
    tasks = pool.run([Task("hangs", eval, HANGS), Task("too", eval, HANGS)])
    assert next(tasks)[1] == TaskFailed("timed out after 2 s")
    pool.stopped = lambda: True
    with pytest.raises(PoolInterrupted):
        next(tasks)
    assert not multiprocessing.active_children()


def test_a_worker_is_the_first_to_go_where_memory_runs_out() -> None:
    score = "__import__('pathlib').Path('/proc/self/oom_score_adj').read_text()"
    with WorkerPool(1) as pool:
        [(_, found)] = pool.run([Task("x", eval, score)])
    assert int(found) == 1_000


def test_a_worker_can_do_tasks_in_its_place() -> None:
    tasks = [Task("a", abs, -1), Task("b", abs, -2)]
    assert [result for _, result in InlinePool().run(tasks)] == [1, 2]
    with pytest.raises(ValueError, match="invalid literal"):
        list(InlinePool().run([Task("x", int, "y")]))
