"""Whatever fails while it learns, the run goes on, and its journal says what failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ares.adapters.worker_pool import Task, WorkerPool
from ares.domain.model_events import (
    AlertRaised,
    RetrainingEnded,
)

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
FROM_MS = START_MS + 1_860 * HOUR
HOURS = range(1, 27)


@pytest.mark.parametrize("part", ["1h", "ensemble", "verdict"])
def test_whatever_fails_is_journaled_and_the_others_go_on(
    small: Any, here: Any, play: Any, tmp_path: Path, part: str
) -> None:
    said = "its worker process died (out of memory, or killed)"
    pool = here({f"0 {part}": said})
    both = (small.edge, small.noise)
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], *both, pool=pool)
    ends = {one.instrument: one for one in done.of(RetrainingEnded)}
    assert (ends[0].outcome, ends[0].note) == ("failed", f"{part}: {said}")
    assert ends[0].verdict_hash == ""
    assert ends[1].outcome == "refused"


class WrongResult(WorkerPool):
    """Gives something else back than what was asked for, where ``part`` is in the label."""

    def __init__(self, pool: WorkerPool, part: str, wrong: object) -> None:
        super().__init__(1)
        self._inner, self._part, self._wrong = pool, part, wrong

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        for task in tasks:
            if self._part in task.label:
                yield task, self._wrong
            else:
                yield from self._inner.run([task])


@pytest.mark.parametrize("wrong", [None, "done", 7.0])
@pytest.mark.parametrize("part", ["1h", "ensemble", "verdict"])
def test_a_worker_that_returns_the_wrong_type_has_failed(
    small: Any, here: Any, play: Any, tmp_path: Path, part: str, wrong: object
) -> None:
    pool = WrongResult(here(), f"0 {part}", wrong)
    both = (small.edge, small.noise)
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], *both, pool=pool)
    ends = {one.instrument: one for one in done.of(RetrainingEnded)}
    assert ends[0].outcome == "failed"
    assert ends[0].note.startswith(f"{part}: unexpected result")
    assert ends[1].outcome == "refused"


def test_a_drift_of_the_wrong_type_was_not_measured(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    pool = WrongResult(here(known={}), "drift", None)
    done = play(small.workspace, tmp_path / "r", range(1, 27), [], small.edge, pool=pool)
    [alert] = done.of(AlertRaised)
    assert alert.message.startswith("drift could not be measured: unexpected result")


def test_what_breaks_beside_the_workers_is_the_trainings_end_and_not_the_engines(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "verdicts").write_text("a file where a folder should be")
    pool = here()
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], small.edge, pool=pool)
    [ended] = done.of(RetrainingEnded)
    assert ended.outcome == "failed"
    assert "verdict" in ended.note


def test_drift_that_cannot_be_measured_is_an_alert_and_asked_again_the_next_day(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    pool = here({"drift": "no candles"}, known={})
    done = play(small.workspace, tmp_path / "r", range(1, 52), [], small.edge, pool=pool)
    alerts = done.of(AlertRaised)
    assert [(one.ts_ms - FROM_MS) // HOUR for one in alerts] == [24, 48]
    assert alerts[0].message == "drift could not be measured: no candles"
    assert len(pool.labels) == 2


class Doomed:
    """Arrives in a worker as the job that it holds, and kills that process a moment later, once."""

    def __init__(self, job: Any, done: Path) -> None:
        self._job, self._done = job, done

    def __reduce__(self) -> tuple[Any, ...]:
        get = "(os := __import__('os'))"
        kill = f"__import__('threading').Timer(0.1, {get}.kill, (os.getpid(), 9)).start()"
        once = f"done.exists() or (done.touch(), {kill})"
        return eval, (f"({once}, job)[1]", {"job": self._job, "done": self._done})


class Murderous(WorkerPool):
    """Trains in a process, which it kills in the middle of it, once; leaves the rest to another."""

    def __init__(self, pool: WorkerPool, done: Path) -> None:
        super().__init__(1)
        self._inner, self._done = pool, done
        self._processes = WorkerPool(1)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        if not all(task.label.endswith(" 1h") for task in tasks):
            return self._inner.run(tasks)
        doomed = [Task(t.label, t.function, Doomed(t.argument, self._done)) for t in tasks]
        return self._processes.run(doomed)

    def close(self, at_once: bool = False) -> None:
        self._processes.close(at_once)


def test_a_worker_killed_while_it_trains_costs_nothing_but_time(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    hours, champion = range(20, 22), small.edge
    calm = play(small.workspace, tmp_path / "a", hours, [20], champion, pool=here())
    pool = Murderous(here(), tmp_path / "killed")
    shot = play(small.workspace, tmp_path / "b", hours, [20], champion, pool=pool)
    assert (tmp_path / "killed").exists()
    assert shot.bytes == calm.bytes
