"""A run that another version began: it goes on after a clean stop, and after a crash from facts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine
from tests.core.test_migration import without

from ares.core import migration
from ares.core.money_facts import CONFIDENCE, VIRTUAL_TRADES
from ares.core.snapshot import restore
from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed, EngineStarted
from ares.domain.order_events import ExecutionBooked, Stopping
from ares.journal.run import entries, setup_of
from ares.journal.snapshots import delete_snapshots, load_snapshot, save_snapshot
from ares.runtime.engine.plan import RunPlan
from ares.runtime.replay.certify import certify
from ares.runtime.replay.epochs import changed_at, recorded_epochs
from ares.runtime.replay.explain import explain
from ares.runtime.replay.explanation import decision_seq
from ares.runtime.replay.restep import restep
from ares.store.projections import projected_seq

OLD = {"kernel": "old", "engine": "old"}


@pytest.fixture
def old(plan: RunPlan) -> RunPlan:
    """Return the plan as another version of the code made it."""
    setup = msgspec.structs.replace(plan.setup, hashes=plan.setup.hashes | OLD)
    return RunPlan(setup, plan.feed, plan.state, plan.history)


def stop(world: Any, old: RunPlan, folder: Path, database: Engine | None = None) -> int:
    """Stop a run of the other version; return its newest seq."""
    world.run(folder, database, old, stopped=world.stop_after(300), snapshot_events=150)
    *_, last = entries(folder)
    assert isinstance(last.event, Stopping)
    return last.seq


def crash(world: Any, folder: Path) -> None:
    """Take away what a clean stop writes: its event, and the snapshots of the last events."""
    *_, last = entries(folder)
    world.forge(folder, lambda seq, event, effects: None if seq == last.seq else (event, effects))
    delete_snapshots(folder, last.seq - 100)


def test_a_clean_stop_is_a_snapshot_at_the_end(world: Any, old: RunPlan, tmp_path: Path) -> None:
    seq = stop(world, old, tmp_path / "run")
    found = load_snapshot(tmp_path / "run")
    assert found is not None
    assert found.seq == seq


def test_a_run_that_finished_was_not_stopped(done: Any) -> None:
    assert not any(isinstance(entry.event, Stopping) for entry in entries(done.folder))


def test_after_a_clean_stop_another_version_goes_on_as_if_nothing_had_been(
    world: Any, plan: RunPlan, old: RunPlan, done: Any, tmp_path: Path, database: Engine
) -> None:
    folder = tmp_path / "run"
    seq = stop(world, old, folder, database)
    end = world.run(folder, database, plan)
    assert (end.finished, end.resumed) == (True, True)
    (remark,) = end.remarks
    assert remark.startswith("taken over from another version of Ares (kernel and engine differ)")
    assert remark.endswith("from a clean stop")
    assert world.story(folder) == done.story
    assert world.tables(database) == done.tables
    epochs = recorded_epochs(folder).epochs
    assert [(e.first_seq, bool(e.changed)) for e in epochs] == [(1, True), (seq + 1, False)]
    started = next(e.event for e in entries(folder) if isinstance(e.event, EngineStarted))
    assert started.restarted == ()
    assert not OLD.items() & started.hashes.items()
    assert world.run(folder, database, plan).remarks == ()


@pytest.mark.parametrize("snapshots", ["some", "none"])
def test_after_a_crash_facts_are_folded_and_what_restarts_is_reported(
    world: Any, plan: RunPlan, old: RunPlan, tmp_path: Path, database: Engine, snapshots: str
) -> None:
    folder = tmp_path / "run"
    seq = stop(world, old, folder)
    stopped, setup = load_snapshot(folder), setup_of(folder)
    crash(world, folder)
    if snapshots == "none":
        shutil.rmtree(folder / "snapshots")
    *foreign, remark = world.run(folder, database, plan, stopped=lambda: True).remarks
    assert len(foreign) == (snapshots == "some")  # that of the stop, which the journal has not
    assert VIRTUAL_TRADES in remark
    assert CONFIDENCE in remark
    started = next(e.event for e in entries(folder) if isinstance(e.event, EngineStarted))
    assert VIRTUAL_TRADES in started.restarted
    folded = load_snapshot(folder, seq_max=seq - 1)
    assert folded is not None
    assert folded.restarted == started.restarted
    assert setup is not None
    assert stopped is not None
    assert folded is not None
    assert folded.seq == seq - 1
    expected, found = restore(setup, stopped.state), restore(setup, folded.state)
    for name in ("cash", "equity", "peak_equity", "fees", "realized", "reserved", "day_equity"):
        assert found.trade.account[name] == expected.trade.account[name], name
    for name in ("position_lots", "cost_units", "stop_ticks", "take_ticks", "mode"):
        assert (found.trade.book[name] == expected.trade.book[name]).all(), name
    assert found.orders.keys() == expected.orders.keys()
    assert world.run(folder, database, plan).finished
    *_, last = entries(folder)
    assert projected_seq(database, plan.setup.environment) == last.seq


def test_facts_that_do_not_add_up_are_not_taken_over(
    world: Any, plan: RunPlan, old: RunPlan, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    stop(world, old, folder)
    shutil.rmtree(folder / "snapshots")

    def one_unit_more(_: int, event: Any, effects: list[Any]) -> Any:
        return event, [
            msgspec.structs.replace(e, fee_units=e.fee_units + 1)
            if isinstance(e, ExecutionBooked)
            else e
            for e in effects
        ]

    world.forge(folder, one_unit_more)
    with pytest.raises(ExternalError, match="its executions lead to cash of"):
        world.run(folder, None, plan)


def test_what_restarts_is_still_reported_where_the_start_after_a_fold_is_cut_off(
    world: Any, plan: RunPlan, old: RunPlan, tmp_path: Path
) -> None:
    """The attacking world, seed 27: the folded snapshot was there, and its epoch had not begun."""
    folder = tmp_path / "run"
    stop(world, old, folder)
    crash(world, folder)
    world.run(folder, None, plan, stopped=lambda: True)
    started = next(e for e in entries(folder) if isinstance(e.event, EngineStarted))
    world.forge(
        folder, lambda seq, event, effects: None if seq >= started.seq else (event, effects)
    )
    delete_snapshots(folder, started.seq - 1)
    (remark,) = world.run(folder, None, plan, stopped=lambda: True).remarks
    assert VIRTUAL_TRADES in remark
    again = next(e.event for e in entries(folder) if isinstance(e.event, EngineStarted))
    assert again == started.event


@pytest.mark.parametrize("clean", [True, False])
def test_only_the_epochs_of_this_code_are_compared(
    world: Any, plan: RunPlan, old: RunPlan, tmp_path: Path, clean: bool
) -> None:
    folder = tmp_path / "run"
    stop(world, old, folder)
    if not clean:
        crash(world, folder)
    world.run(folder, None, plan, stopped=world.stop_after(60))
    world.run(folder, None, plan)
    of_old, *of_new = recorded_epochs(folder).epochs
    assert of_old.changed == ("kernel", "engine")
    assert f"events 1 to {of_old.last_seq} are of another version" in of_old.remark
    assert "engine old" in of_old.remark
    assert [epoch.changed for epoch in of_new] == [(), ()]
    stepped = restep(folder, world.models)
    assert (stepped.mismatches, stepped.first) == (0, None)
    assert stepped.events == stepped.compared == of_new[-1].last_seq - of_old.last_seq
    certified = certify(folder, world.models)
    assert (certified.mismatches, certified.first) == (0, None)
    assert certified.lines["fills"][0] > 0
    assert certified.epochs == stepped.epochs == (of_old, *of_new)


@pytest.mark.parametrize("clean", [True, False])
def test_an_instant_is_explained_by_the_code_of_its_epoch(
    world: Any, plan: RunPlan, old: RunPlan, tmp_path: Path, clean: bool
) -> None:
    """That of the first epoch was looked at, whatever the instant."""
    folder = tmp_path / "run"
    seq = stop(world, old, folder)
    if not clean:
        crash(world, folder)
    world.run(folder, None, plan)
    setup = setup_of(folder)
    assert setup is not None
    key = setup.instruments[0].spec.instrument.key
    before = [e.event for e in entries(folder) if e.seq < seq]
    of_old = max(event.ts_ms for event in before if isinstance(event, BarsClosed))
    assert changed_at(folder, decision_seq(folder, setup, key, of_old)) == ("kernel", "engine")
    assert changed_at(folder, decision_seq(folder, setup, key, None)) == ()
    why = explain(folder, key, None, world.models)
    assert why.seq > seq
    assert why.votes
    assert "another version" not in why.sentence


def test_epochs_of_other_code_in_the_middle_are_left_out(
    world: Any, plan: RunPlan, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    for instants in (100, 100, 100):
        world.run(folder, None, plan, stopped=world.stop_after(instants))
    world.run(folder, None, plan)
    starts = [e.seq for e in entries(folder) if isinstance(e.event, EngineStarted)]

    def of_other_code(seq: int, event: Any, effects: list[Any]) -> Any:
        if seq == starts[1]:
            event = msgspec.structs.replace(event, hashes=event.hashes | {"engine": "other"})
        return event, effects

    world.forge(folder, of_other_code)
    left_out = starts[2] - starts[1]
    *_, last = entries(folder)
    stepped = restep(folder, world.models)
    assert (stepped.mismatches, stepped.compared) == (0, last.seq - left_out)
    certified = certify(folder, world.models)
    assert (certified.mismatches, certified.first) == (0, None)
    assert [bool(epoch.changed) for epoch in certified.epochs] == [False, False, True, False]


@pytest.mark.parametrize("check", [restep, certify])
def test_a_run_that_goes_on_is_compared_as_it_was_at_the_start(
    world: Any, plan: RunPlan, tmp_path: Path, check: Any
) -> None:
    folder = tmp_path / "run"
    world.run(folder, None, plan, stopped=world.stop_after(200))
    *_, last = entries(folder)
    calls = iter([1])

    def going_on(name: str) -> Any:
        def score(rows: Any) -> Any:
            if next(calls, 0):
                world.run(folder, None, plan)
            return world.models[name](rows)

        return score

    compared = check(folder, {name: going_on(name) for name in world.models})
    assert (compared.mismatches, compared.events) == (0, last.seq)
    *_, newest = entries(folder)
    assert newest.seq > last.seq


def test_a_run_that_is_stopped_goes_on_after_the_state_got_a_field(
    world: Any, plan: RunPlan, old: RunPlan, done: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The old version knew neither the clock's skew nor when executions were booked."""
    folder = tmp_path / "run"
    seq = stop(world, old, folder)
    found = load_snapshot(folder)
    assert found is not None
    raw = without(found.state, "venue_ahead_ms", "trade.book.entry_p")
    save_snapshot(folder, found.seq, raw, found.anchor, found.setup, is_kept=True)
    added = {"venue_ahead_ms": 0, "trade.book.entry_p": 0.0}
    monkeypatch.setattr(migration, "ADDED", migration.ADDED | added)
    end = world.run(folder, None, plan)
    assert (end.finished, end.resumed) == (True, True)
    (remark,) = end.remarks
    assert remark.endswith("from a clean stop")
    assert [e.first_seq for e in recorded_epochs(folder).epochs] == [1, seq + 1]
