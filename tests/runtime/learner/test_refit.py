"""Refits: the same recipe on newer candles, and faults that end one refit only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import Task, WorkerPool
from ares.bootstrap.validation import validation_config
from ares.domain.model_events import (
    RetrainingEnded,
)
from ares.runtime.learner.refit import RefitRunner
from ares.runtime.learner.refit_job import RefitRequest

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
FROM_MS = START_MS + 1_860 * HOUR


class KillsWorker:
    """Unpickles in a worker as the job that it holds; kills that process once, a moment later."""

    def __init__(self, job: Any, done: Path) -> None:
        self._job, self._done = job, done

    def __reduce__(self) -> tuple[Any, ...]:
        get = "(os := __import__('os'))"
        kill = f"__import__('threading').Timer(0.1, {get}.kill, (os.getpid(), 9)).start()"
        once = f"done.exists() or (done.touch(), {kill})"
        return eval, (f"({once}, job)[1]", {"job": self._job, "done": self._done})


class KillingPool(WorkerPool):
    """Trains in a process that is killed halfway, once; runs other tasks in another pool."""

    def __init__(self, pool: WorkerPool, done: Path) -> None:
        super().__init__(1)
        self._inner, self._done = pool, done
        self._processes = WorkerPool(1)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        if not all(task.label.endswith(" 1h") for task in tasks):
            return self._inner.run(tasks)
        doomed = [Task(t.label, t.function, KillsWorker(t.argument, self._done)) for t in tasks]
        return self._processes.run(doomed)

    def close(self, at_once: bool = False) -> None:
        self._processes.close(at_once)


@pytest.mark.parametrize("part", ["1h", "ensemble", "verdict"])
def test_a_failure_is_journaled_and_the_other_refits_continue(
    small: Any, here: Any, play: Any, tmp_path: Path, part: str
) -> None:
    reason = "its worker process died (out of memory, or killed)"
    pool = here({f"0 {part}": reason})
    both = (small.edge, small.noise)
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], *both, pool=pool)
    ends = {one.instrument: one for one in done.of(RetrainingEnded)}
    assert (ends[0].outcome, ends[0].note) == ("failed", f"{part}: {reason}")
    assert ends[0].verdict_hash == ""
    assert ends[1].outcome == "refused"


@pytest.mark.parametrize("wrong", [None, "done", 7.0])
@pytest.mark.parametrize("part", ["1h", "ensemble", "verdict"])
def test_a_worker_that_returns_the_wrong_type_has_failed(
    small: Any, here: Any, play: Any, tmp_path: Path, part: str, wrong: object, wrong_result: Any
) -> None:
    pool = wrong_result(here(), f"0 {part}", wrong)
    both = (small.edge, small.noise)
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], *both, pool=pool)
    ends = {one.instrument: one for one in done.of(RetrainingEnded)}
    assert ends[0].outcome == "failed"
    assert ends[0].note.startswith(f"{part}: unexpected result")
    assert ends[1].outcome == "refused"


def test_an_exception_outside_the_workers_ends_the_refit_not_the_run(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "verdicts").write_text("a file where a folder should be")
    pool = here()
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], small.edge, pool=pool)
    [ended] = done.of(RetrainingEnded)
    assert ended.outcome == "failed"
    assert "verdict" in ended.note


def test_a_worker_killed_while_it_trains_costs_nothing_but_time(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    hours, champion = range(20, 22), small.edge
    calm = play(small.workspace, tmp_path / "a", hours, [20], champion, pool=here())
    pool = KillingPool(here(), tmp_path / "killed")
    shot = play(small.workspace, tmp_path / "b", hours, [20], champion, pool=pool)
    assert (tmp_path / "killed").exists()
    assert shot.bytes == calm.bytes


def test_without_newer_rows_nothing_has_changed(small: Any, here: Any, tmp_path: Path) -> None:
    refits = RefitRunner(validation_config(small.workspace), 400, "history/x", tmp_path, (), here())
    ensemble = ModelStore(small.workspace.models_dir).ensemble(small.edge)
    at_ms = START_MS + 1_850 * HOUR  # when it was trained
    [result] = refits.run([RefitRequest(ensemble, ensemble, at_ms)])
    assert result.outcome == "unchanged"
    assert not (tmp_path / "verdicts").exists()


def test_an_ensemble_of_one_package_is_refitted_as_one_package(
    small: Any, here: Any, tmp_path: Path
) -> None:
    models = ModelStore(small.workspace.models_dir)
    package = models.member(models.ensemble(small.edge).members[0])
    ensemble = package.alone("binance:BTC/USDT", package.card.created_at)
    refits = RefitRunner(validation_config(small.workspace), 400, "history/x", tmp_path, (), here())
    [result] = refits.run([RefitRequest(ensemble, ensemble, FROM_MS + 20 * HOUR)])
    assert result.outcome in ("published", "refused"), result.note
    assert result.ensemble is not None
    assert result.ensemble.recipe_hash == ensemble.recipe_hash
    assert (result.ensemble.platt_a, result.ensemble.platt_b) == (1.0, 0.0)
    assert "reproducible" not in result.failed
