"""A run over history: the same every time, stopped or not, whoever asks."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from ares.domain.errors import ExternalError, UserError
from ares.domain.events import (
    BreakerChanged,
    EngineStarted,
    ModeChanged,
    RunStarted,
    SignalRefused,
    TradeClosed,
)
from ares.domain.order_events import OrderEnded, OrderMoved
from ares.journal.lock import Lock
from ares.journal.run import entries
from ares.journal.snapshots import load_snapshot
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.plan import RunPlan, default_window

MINUTE_MS, DAY_MS = 60_000, 86_400_000


def journal_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.journal")))


def everything(folder: Path) -> dict[str, bytes]:
    """Return every file of a run, but the lock's."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_market_of_these_tests_has_everything(done: Any) -> None:
    seen: Counter[Any] = Counter()
    for entry in entries(done.folder):
        for what in (entry.event, *entry.effects):
            seen[type(what)] += 1
            if isinstance(what, TradeClosed):
                seen["virtual" if what.virtual else "real", what.reason] += 1
            if isinstance(what, OrderEnded):
                seen[what.reason] += 1
            if isinstance(what, OrderMoved):
                seen[what.status] += 1
    assert seen["rejected"]
    assert seen["partly_filled"]
    assert seen["expired"] + seen["partly_filled"] > 5
    assert min(seen[kind] for kind in (ModeChanged, BreakerChanged, SignalRefused)) > 0
    for reason in ("stop", "take_profit", "reversal"):
        assert seen["real", reason] > 3
    assert seen["real", "timeout"]
    assert seen["virtual", "reversal"]


def test_a_run_ends_at_its_last_candle(done: Any, plan: RunPlan) -> None:
    assert done.end.finished
    assert not done.end.resumed
    assert done.end.instants == len(plan.feed) == 9 * 60
    assert done.end.bars == int(plan.feed.present.sum()) < 2 * 9 * 60


def test_equal_runs_write_equal_journals(
    world: Any, plan: RunPlan, done: Any, tmp_path: Path, database: Engine
) -> None:
    wanted = journal_bytes(done.folder)
    world.run(tmp_path / "again", None, world.plan())
    world.run(tmp_path / "synced", database, plan, sync_ms=0, snapshot_events=50)
    assert journal_bytes(tmp_path / "again") == wanted
    assert journal_bytes(tmp_path / "synced") == wanted
    assert world.tables(database, exact=True) == done.exact


def test_instant_by_instant_it_has_the_same_entries_and_rows(
    world: Any, plan: RunPlan, done: Any, tmp_path: Path, database: Engine
) -> None:
    world.run(tmp_path / "run", database, plan, stretch_instants=0)
    assert list(entries(tmp_path / "run")) == list(entries(done.folder))
    assert world.tables(database, exact=True) == done.exact
    assert journal_bytes(tmp_path / "run") != journal_bytes(done.folder)


def test_scores_in_batches_are_scores_one_by_one(
    world: Any, plan: RunPlan, done: Any, tmp_path: Path
) -> None:
    """The prefetch is for speed alone: with a model that knows no batch, the same run."""
    batch_sizes: list[int] = []

    def one_by_one(score: Any) -> Any:
        def scorer(rows: Any) -> Any:
            batch_sizes.append(len(rows))
            return np.array([float(score(row[None, :])[0]) for row in rows])

        return scorer

    alone = world.with_(models={name: one_by_one(score) for name, score in world.models.items()})
    alone.run(tmp_path / "run", None, plan)
    assert journal_bytes(tmp_path / "run") == journal_bytes(done.folder)
    assert max(batch_sizes) > 400  # it was asked for batches


@pytest.mark.parametrize("stops", [(0,), (1,), (59, 1), (61, 100, 0, 200), (539,), (200,) * 4])
def test_stopped_and_taken_up_it_is_the_uninterrupted_run(
    world: Any, plan: RunPlan, done: Any, tmp_path: Path, database: Engine, stops: tuple[int, ...]
) -> None:
    fed = 0
    for instants in stops:
        end = world.run(
            tmp_path / "run", database, plan, stopped=world.stop_after(instants), snapshot_events=90
        )
        fed += end.instants
        assert end.finished == (fed == len(plan.feed))
    end = world.run(tmp_path / "run", database, plan)
    assert (end.finished, end.resumed) == (True, True)
    assert fed + end.instants == len(plan.feed)
    assert world.story(tmp_path / "run") == done.story
    assert world.tables(database) == done.tables
    starts = [e.event for e in entries(tmp_path / "run") if isinstance(e.event, EngineStarted)]
    assert len(starts) == sum(1 for k in range(len(stops)) if sum(stops[: k + 1]) < len(plan.feed))
    assert all(start.hashes == code_hashes() for start in starts)


def test_a_finished_run_started_again_does_nothing(
    world: Any, plan: RunPlan, tmp_path: Path, database: Engine
) -> None:
    world.run(tmp_path / "run", database, plan)
    before, rows = everything(tmp_path / "run"), world.tables(database, exact=True)
    end = world.run(tmp_path / "run", database, plan)
    assert (end.finished, end.resumed, end.instants, end.bars) == (True, True, 0, 0)
    assert everything(tmp_path / "run") == before
    assert world.tables(database, exact=True) == rows


def test_a_plan_can_be_run_more_than_once(world: Any, done: Any, tmp_path: Path) -> None:
    own = world.plan()
    for name in ("a", "b"):
        world.run(tmp_path / name, None, own)
        assert journal_bytes(tmp_path / name) == journal_bytes(done.folder)


def test_the_name_of_a_run_changes_its_order_ids_only(
    world: Any, done: Any, tmp_path: Path
) -> None:
    world.run(tmp_path / "run", None, world.plan("history/other"))
    assert world.story(tmp_path / "run") == done.story
    assert journal_bytes(tmp_path / "run") != journal_bytes(done.folder)


def test_a_second_engine_is_refused_with_the_process_of_the_first(
    world: Any, plan: RunPlan, tmp_path: Path
) -> None:
    lock = Lock(tmp_path / "run")
    with pytest.raises(ExternalError, match=rf"another engine \(process {os.getpid()}\)") as raised:
        world.run(tmp_path / "run", None, plan)
    assert raised.value.exit_code == 3
    lock.release()
    assert world.run(tmp_path / "run", None, plan).finished


def test_the_first_record_of_a_journal_is_the_run(done: Any, plan: RunPlan) -> None:
    first = next(entries(done.folder))
    assert isinstance(first.event, RunStarted)
    assert (first.seq, first.event.setup) == (1, plan.setup)
    found = load_snapshot(done.folder, 0)
    assert found is not None
    assert hashlib.sha256(found.state).hexdigest() == plan.setup.first_state


def test_the_default_window_is_what_all_instruments_have(world: Any) -> None:
    end_ms = world.to_ms - world.ends_early_ms
    midnight_ms = end_ms // DAY_MS * DAY_MS
    assert default_window(world.store, [world.btc, world.eth], 0) == (midnight_ms, end_ms)
    assert default_window(world.store, [world.btc], 1) == (midnight_ms - DAY_MS, world.to_ms)


def test_nothing_to_run_on_is_a_user_error(world: Any) -> None:
    with pytest.raises(UserError, match="is not before"):
        world.with_(from_ms=world.to_ms).plan()
    with pytest.raises(UserError, match="no candles"):
        world.with_(
            from_ms=world.to_ms + 10 * 86_400_000, to_ms=world.to_ms + 11 * 86_400_000
        ).plan()
    with pytest.raises(UserError, match="train again"):
        world.with_(changes={"features_hash": "old"}).plan()


def test_a_speed_is_made_of_the_time_that_instants_took(done: Any, plan: RunPlan) -> None:
    end = done.end
    assert end.bars == plan.feed.present[:, : plan.feed.n_instruments].sum()
    assert end.feeding_seconds > 0.0
    assert end.feeding_seconds + end.code_seconds + end.waited_seconds < end.seconds
    assert end.waited_seconds == 0.0, "nobody teaches"
    assert end.bars_per_s == end.bars / end.feeding_seconds
