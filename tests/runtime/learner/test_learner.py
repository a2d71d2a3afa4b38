"""The learner of a history run: the same journal teaches the same, and nothing of the future."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import Task, WorkerPool
from ares.bootstrap.learner import learner_of
from ares.domain.events import BarsClosed, RunStarted
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    ModelPublished,
    RetrainingEnded,
    RetrainingStarted,
)
from ares.kernel.bars import Bars
from ares.learn.learner_state import LearnerState
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import RetrainPolicy
from ares.runtime.learner.learner import Learner
from ares.store.candles import CandleStore
from ares.store.database import open_database

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
FROM_MS = START_MS + 1_860 * HOUR
HOURS = range(1, 27)


def test_a_loss_triggers_a_refit_with_a_verdict(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    workspace = small.workspace
    before = ModelStore(workspace.models_dir).listed()
    done = play(workspace, tmp_path / "run", HOURS, [20], small.edge, pool=here())
    [begun], [ended], [made] = (
        done.of(kind) for kind in (RetrainingStarted, RetrainingEnded, ModelPublished)
    )
    at_ms = FROM_MS + 20 * HOUR
    assert (begun.ts_ms, begun.trigger) == (at_ms, "loss_immediate")
    assert (ended.ts_ms, ended.triggered_ms, ended.duration_ms) == (at_ms + 60_000, at_ms, 60_000)
    assert (ended.outcome, ended.passed, ended.failed) == ("published", True, ())
    assert ended.rows > 1_500
    assert 0 < ended.epochs <= 20
    assert ended.confidence > 0.9
    assert (made.stage, made.refit, made.verdict_hash) == ("shadow", True, ended.verdict_hash)
    own = ModelStore(tmp_path / "run" / "models")
    assert own.ensemble(ended.ensemble_hash) == made.ensemble
    [member] = made.ensemble.members
    card = own.member(member).card
    assert card.version == "20230320_080000", "virtual time"
    assert card.window_to_ms == at_ms
    assert card.data_to_ms <= at_ms
    champion = ModelStore(workspace.models_dir).ensemble(small.edge)
    assert made.ensemble.recipe_hash == champion.recipe_hash
    [file] = (tmp_path / "run" / "verdicts").glob("*.json")
    content = msgspec.json.decode(file.read_bytes())
    assert content["verdict_hash"] == ended.verdict_hash
    assert content["evidence"]["hypothesis"] == "not_worse"
    assert content["evidence"]["to_ms"] <= at_ms
    assert content["basis"]["champion"] == small.edge
    assert ModelStore(workspace.models_dir).listed() == before, "nothing crosses environments"
    drifts = done.of(DriftMeasured)
    assert [one.ts_ms for one in drifts] == [FROM_MS + 24 * HOUR + 60_000]
    assert 0.0 < drifts[0].score < 0.70
    assert "1h" in drifts[0].feature


def test_a_refused_refit_is_not_published_and_doubles_the_rest(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    losses = [20, 24, 27, 31, 33, 34, 57]  # 6 hours of rest double to 12, then to 24
    pool = here()
    done = play(small.workspace, tmp_path / "run", range(1, 58), losses, small.noise, pool=pool)
    hours = [(one.ts_ms - FROM_MS) / HOUR for one in done.of(RetrainingStarted)]
    assert hours == [20, 33]
    assert [one.outcome for one in done.of(RetrainingEnded)] == ["refused", "refused"]
    assert all("net_bps" in one.failed for one in done.of(RetrainingEnded))
    assert done.of(ModelPublished) == []
    assert len(list((tmp_path / "run" / "verdicts").glob("*.json"))) == 2


def test_worker_processes_and_this_process_give_the_same_bytes(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    both = (small.edge, small.noise)
    here = play(small.workspace, tmp_path / "a", HOURS, [20], *both, pool=here())
    there = play(small.workspace, tmp_path / "b", HOURS, [20], *both)
    assert here.bytes == there.bytes
    ends = {one.instrument: one for one in here.of(RetrainingEnded)}
    assert (ends[0].outcome, ends[1].outcome) == ("published", "refused")
    files = [
        {str(path.relative_to(tmp_path / run)): path.read_bytes() for path in paths}
        for run in "ab"
        for paths in [[p for p in (tmp_path / run).rglob("*") if p.is_file()]]
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 2 * (3 + 1 + 1), "packages, ensembles, verdicts"


def test_shown_stretches_it_does_the_same(small: Any, here: Any, play: Any, tmp_path: Path) -> None:
    losses = [20, 24, 27, 31, 33, 34, 57]
    world, hours, pool = small.workspace, range(1, 60), here()
    single = play(world, tmp_path / "a", hours, losses, small.noise, pool=pool)
    at_once = play(world, tmp_path / "b", hours, losses, small.noise, pool=pool, stretches=True)
    assert at_once.bytes == single.bytes
    assert at_once.instants_in_stretches > 40
    assert len(single.of(DriftMeasured)) == 2


def test_a_run_resumed_anywhere_gives_the_same_journal(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    pool, champion = here(), small.edge
    whole = play(small.workspace, tmp_path / "a", HOURS, [20], champion, pool=pool)
    begun = next(k for k, (e, _) in enumerate(whole.journal, 1) if isinstance(e, RetrainingStarted))
    for place in range(begun - 1, len(whole.journal)):
        folder = tmp_path / f"at{place}"
        first = play(
            small.workspace, folder, HOURS, [20], champion, pool=pool,
            crash=lambda n, place=place: n == place,
        )  # fmt: skip
        assert len(first.journal) == place
        closed = sum(isinstance(event, BarsClosed) for event, _ in first.journal)
        again = play(
            small.workspace, folder, range(1 + closed, HOURS.stop), [20], champion, pool=pool,
            before=first.journal,
        )  # fmt: skip
        assert again.bytes == whole.bytes


def test_a_training_uses_no_candle_after_its_trigger(
    small: Any, another: Callable[[], Any], here: Any, play: Any, tmp_path: Path
) -> None:
    pool = here()
    first = play(small.workspace, tmp_path / "a", HOURS, [20], small.edge, pool=pool)
    workspace = another().workspace
    engine = open_database(workspace.db_url)
    store = CandleStore(engine, workspace.cache_dir)
    after_ms = FROM_MS + 20 * HOUR
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
    old = store.load(spec.instrument, "1h", after_ms, None)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "DELETE FROM candles WHERE symbol = 'BTC/USDT' AND ts_ms >= ?", (after_ms,)
        )
    wild = np.round(old.close * np.linspace(1.0, 3.0, len(old)), 4)
    store.save(spec, "1h", Bars.make(old.ts_ms, wild, wild, wild, wild, old.volume), "another")
    engine.dispose()
    second = play(workspace, tmp_path / "b", HOURS, [20], small.edge, pool=here(known={}))
    assert first.of(RetrainingEnded) == second.of(RetrainingEnded)
    assert first.of(ModelPublished) == second.of(ModelPublished)
    assert first.of(DriftMeasured) != second.of(DriftMeasured), "four hours later it sees it"


def test_without_a_champion_a_refit_must_beat_staying_flat(
    small: Any, here: Any, playing: Any, setup_of: Any, tmp_path: Path
) -> None:
    setup = setup_of(small.workspace, small.edge)
    one, empty = setup.instruments
    setup = msgspec.structs.replace(
        setup, instruments=(msgspec.structs.replace(one, is_champion=False), empty)
    )
    played = playing(learner_of(small.workspace, setup, tmp_path / "run", here()))
    played.put(RunStarted(setup))
    played.instants(range(20, 22), [20])
    [file] = (tmp_path / "run" / "verdicts").glob("*.json")
    assert msgspec.json.decode(file.read_bytes())["evidence"]["hypothesis"] == "beats_flat"


def test_a_drift_of_the_wrong_type_was_not_measured(
    small: Any, here: Any, play: Any, tmp_path: Path, wrong_result: Any
) -> None:
    pool = wrong_result(here(known={}), "drift", None)
    done = play(small.workspace, tmp_path / "r", range(1, 27), [], small.edge, pool=pool)
    [alert] = done.of(AlertRaised)
    assert alert.message.startswith("drift could not be measured: unexpected result")


def test_drift_that_cannot_be_measured_is_an_alert_and_measured_again_the_next_day(
    small: Any, here: Any, play: Any, tmp_path: Path
) -> None:
    pool = here({"drift": "no candles"}, known={})
    done = play(small.workspace, tmp_path / "r", range(1, 52), [], small.edge, pool=pool)
    alerts = done.of(AlertRaised)
    assert [(one.ts_ms - FROM_MS) // HOUR for one in alerts] == [24, 48]
    assert alerts[0].message == "drift could not be measured: no candles"
    assert len(pool.labels) == 2


def test_at_rest_it_has_no_processes() -> None:
    pool: Any = WorkerPool(1)
    learner = Learner(LearnerState(RetrainPolicy(), Thresholds()), pool, pool, 60_000)
    before = set(active_children())
    for _ in range(2):
        [(_, result)] = pool.run([Task("a task", abs, -1)])
        assert result == 1
        assert set(active_children()) - before
        learner.rest()
        assert not set(active_children()) - before
