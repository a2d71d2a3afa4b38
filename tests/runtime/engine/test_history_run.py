"""A run over history: the same every time, taken up where it stopped, refused where it differs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import Engine

from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.state import restore, snapshot
from ares.core.step import step
from ares.domain.errors import UserMistake, WorldTrouble
from ares.domain.events import (
    BreakerChanged,
    EngineStarted,
    ModeChanged,
    OrderFilled,
    OrderRejected,
    Refused,
    RunStarted,
    SubmitOrder,
    TradeClosed,
)
from ares.journal.log import Lock
from ares.journal.run import entries, load_snapshot, save_snapshot
from ares.runtime.plan import Plan, code_hashes, default_window
from ares.runtime.prefetch import Prefetch
from ares.store.projections import Projector, forget, projected_seq

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
            if isinstance(what, OrderFilled):
                seen["partial" if what.remaining else "last"] += 1
    assert seen[OrderRejected]
    assert seen["partial"] > 5
    assert min(seen[kind] for kind in (ModeChanged, BreakerChanged, Refused)) > 0
    for reason in ("stop", "take_profit", "reversal"):
        assert seen["real", reason] > 3
    assert seen["real", "timeout"]
    assert seen["virtual", "reversal"]


def test_a_run_ends_at_its_last_candle(done: Any, plan: Plan) -> None:
    assert done.end.finished
    assert not done.end.resumed
    assert done.end.instants == len(plan.feed) == 9 * 60
    assert done.end.bars == int(plan.feed.present.sum()) < 2 * 9 * 60


def test_equal_runs_write_equal_journals(
    world: Any, plan: Plan, done: Any, tmp_path: Path, database: Engine
) -> None:
    wanted = journal_bytes(done.folder)
    world.run(tmp_path / "again", None, world.plan())
    world.run(tmp_path / "synced", database, plan, sync_ms=0, snapshot_events=50)
    assert journal_bytes(tmp_path / "again") == wanted
    assert journal_bytes(tmp_path / "synced") == wanted
    assert world.tables(database, exact=True) == done.exact


def test_scores_in_batches_are_scores_one_by_one(
    world: Any, plan: Plan, done: Any, tmp_path: Path
) -> None:
    """The prefetch is for speed alone: with a model that knows no batch, the same run."""
    asked: list[int] = []

    def one_by_one(score: Any) -> Any:
        def scorer(rows: Any) -> Any:
            asked.append(len(rows))
            return np.array([float(score(row[None, :])[0]) for row in rows])

        return scorer

    alone = world.with_(models={name: one_by_one(score) for name, score in world.models.items()})
    alone.run(tmp_path / "run", None, plan)
    assert journal_bytes(tmp_path / "run") == journal_bytes(done.folder)
    assert max(asked) > 400  # it was asked for batches


@pytest.mark.parametrize("block", [1, 7, 100])
def test_a_row_is_scored_before_it_is_asked_for(world: Any, plan: Plan, block: int) -> None:
    state = restore(plan.setup, snapshot(plan.state))
    prefetch = Prefetch(world.models, plan.feed, block)
    for t in range(150):
        prefetch.reach(state, t)
        step(state, plan.feed.event(t, plan.warming(t)), prefetch.scorers)
    assert prefetch.missed == 0


@pytest.mark.parametrize("stops", [(0,), (1,), (59, 1), (61, 100, 0, 200), (539,), (200,) * 4])
def test_stopped_and_taken_up_it_is_the_uninterrupted_run(
    world: Any, plan: Plan, done: Any, tmp_path: Path, database: Engine, stops: tuple[int, ...]
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
    world: Any, plan: Plan, tmp_path: Path, database: Engine
) -> None:
    world.run(tmp_path / "run", database, plan)
    before, rows = everything(tmp_path / "run"), world.tables(database, exact=True)
    end = world.run(tmp_path / "run", database, plan)
    assert (end.finished, end.resumed, end.instants, end.bars) == (True, True, 0, 0)
    assert everything(tmp_path / "run") == before
    assert world.tables(database, exact=True) == rows


def test_a_plan_can_be_run_more_than_once(world: Any, done: Any, tmp_path: Path) -> None:
    mine = world.plan()
    for name in ("a", "b"):
        world.run(tmp_path / name, None, mine)
        assert journal_bytes(tmp_path / name) == journal_bytes(done.folder)


def test_the_name_of_a_run_changes_its_order_ids_only(
    world: Any, done: Any, tmp_path: Path
) -> None:
    world.run(tmp_path / "run", None, world.plan("history/other"))
    assert world.story(tmp_path / "run") == done.story
    assert journal_bytes(tmp_path / "run") != journal_bytes(done.folder)


def test_a_second_engine_is_told_who_is_there(world: Any, plan: Plan, tmp_path: Path) -> None:
    lock = Lock(tmp_path / "run")
    with pytest.raises(WorldTrouble, match=rf"another engine \(process {os.getpid()}\)") as raised:
        world.run(tmp_path / "run", None, plan)
    assert raised.value.exit_code == 3
    lock.release()
    assert world.run(tmp_path / "run", None, plan).finished


OTHERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "models": (
        lambda w: w.with_(changes={"gain": 1.01}),
        r"champion \w{12} for binance:BTC/USDT \(now champion \w{12}\), .*",
    ),
    "settings": (
        lambda w: w.with_(settings_hash="other"),
        r"other settings \(none of those that trade\)",
    ),
    "rules": (
        lambda w: w.with_(rules=replace(w.rules, fee_bps=3.0)),
        r".*fee_bps 2 \(now 3\)",
    ),
    "cash": (lambda w: w.with_(cash_quote=9_999.0), r"cash 10000 \(now 9999\)"),
    "window": (
        lambda w: w.with_(to_ms=w.to_ms - MINUTE_MS),
        r"the window \S+ \S+ to \S+ \S+ \(now \S+ \S+ to \S+ \S+\)",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_run_is_not_taken_up_with_something_else(
    world: Any, plan: Plan, tmp_path: Path, what: str
) -> None:
    world.run(tmp_path / "run", None, plan, stopped=world.stop_after(100))
    before = everything(tmp_path / "run")
    other, said = OTHERS[what]
    with pytest.raises(WorldTrouble, match=f"run was begun with {said}: put that back, or start"):
        other(world).run(tmp_path / "run")
    assert everything(tmp_path / "run") == before


@pytest.mark.parametrize("name", ["kernel", "features", "engine"])
def test_a_run_is_not_taken_up_by_other_code(
    world: Any, plan: Plan, tmp_path: Path, name: str
) -> None:
    world.run(tmp_path / "run", None, plan, stopped=world.stop_after(100))
    before = everything(tmp_path / "run")
    hashes = plan.setup.hashes | {name: "another"}
    setup = msgspec.structs.replace(plan.setup, hashes=hashes)
    with pytest.raises(WorldTrouble, match=rf"another version of Ares \({name} differs\)"):
        world.run(tmp_path / "run", None, Plan(setup, plan.feed, plan.state))
    assert everything(tmp_path / "run") == before


@pytest.mark.parametrize("at", [-1, 30, 99])
def test_a_run_is_not_taken_up_on_other_candles(
    world: Any, plan: Plan, tmp_path: Path, at: int
) -> None:
    """A candle that was corrected since, before the window or in what was already run."""
    world.run(tmp_path / "run", None, plan, stopped=world.stop_after(100))
    before = everything(tmp_path / "run")
    other = world.copy(tmp_path / "store")
    ts_ms = int(plan.feed.close_ms[max(at, 0)]) - MINUTE_MS * (1 if at >= 0 else 2)
    with other.store._engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE candles SET close = close + 0.01, high = high + 0.01"
            " WHERE ts_ms = ? AND symbol = 'BTC/USDT'",
            (ts_ms,),
        )
    with pytest.raises(WorldTrouble, match="other candles"):
        other.run(tmp_path / "run")
    assert everything(tmp_path / "run") == before


def test_candles_of_the_future_may_change(world: Any, plan: Plan, tmp_path: Path) -> None:
    world.run(tmp_path / "run", None, plan, stopped=world.stop_after(100))
    other = world.copy(tmp_path / "store")
    with other.store._engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE candles SET volume = volume + 1 WHERE ts_ms >= ?",
            (int(plan.feed.close_ms[100]),),
        )
    assert other.run(tmp_path / "run").finished


def test_effects_that_were_tampered_with_are_found_on_starting(
    world: Any, plan: Plan, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    world.run(folder, None, plan, stopped=world.stop_after(200))
    shutil.rmtree(folder / "snapshots")

    def one_lot_more(seq: int, event: Any, effects: list[Any]) -> Any:
        return event, [
            msgspec.structs.replace(e, lots=e.lots + 1) if isinstance(e, SubmitOrder) else e
            for e in effects
        ]

    world.forge(folder, one_lot_more)
    before = everything(folder)
    with pytest.raises(WorldTrouble, match="steps to other effects than were journaled"):
        world.run(folder, None, plan)
    assert everything(folder) == before


def test_a_damaged_snapshot_is_passed_over(
    world: Any, plan: Plan, done: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    world.run(folder, None, plan, stopped=world.stop_after(300), snapshot_events=50)
    newest, second, *_ = sorted((folder / "snapshots").iterdir(), reverse=True)
    raw = bytearray(newest.read_bytes())
    raw[len(raw) // 2] ^= 1
    newest.write_bytes(raw)
    second.write_bytes(second.read_bytes()[:100])
    (folder / "snapshots" / "notes.snapshot").write_text("a person's")
    found = load_snapshot(folder)
    assert found is not None
    assert found[0] < int(second.stem)
    world.run(folder, None, plan)
    assert world.story(folder) == done.story


def test_without_any_snapshot_it_steps_from_the_start(
    world: Any, plan: Plan, done: Any, tmp_path: Path
) -> None:
    world.run(tmp_path / "run", None, plan, stopped=world.stop_after(300))
    shutil.rmtree(tmp_path / "run" / "snapshots")
    world.run(tmp_path / "run", None, plan)
    assert world.story(tmp_path / "run") == done.story


def test_snapshots_and_rows_ahead_of_the_journal_are_not_believed(
    world: Any, plan: Plan, done: Any, tmp_path: Path, database: Engine
) -> None:
    """The journal came back from a backup; what was written after it did not."""
    folder = tmp_path / "run"
    world.run(folder, database, plan, stopped=world.stop_after(150), snapshot_events=40)
    backup = (folder / "000001.journal").read_bytes()
    world.run(folder, database, plan, stopped=world.stop_after(150), snapshot_events=40)
    (folder / "000001.journal").write_bytes(backup)
    world.run(folder, database, plan)
    assert world.story(folder) == done.story
    assert world.tables(database) == done.tables


def test_a_new_run_under_an_old_name_has_its_own_rows(
    world: Any, plan: Plan, done: Any, tmp_path: Path, database: Engine
) -> None:
    """A person removed the run's folder; its rows are still there."""
    other = world.with_(changes={"gain": 1.3})
    other.run(tmp_path / "run", database)
    shutil.rmtree(tmp_path / "run")
    world.run(tmp_path / "run", database, plan)
    assert world.story(tmp_path / "run") == done.story
    assert world.tables(database, exact=True) == done.exact
    assert world.run(tmp_path / "run", database, plan).instants == 0


def test_a_lost_journal_is_said_and_never_begun_anew(
    world: Any, plan: Plan, tmp_path: Path, database: Engine
) -> None:
    """Its snapshots tell that there was one; nothing is written over what is left."""
    world.run(tmp_path / "run", database, plan)
    (tmp_path / "run" / "000001.journal").unlink()
    before = world.tables(database, exact=True)
    with pytest.raises(WorldTrouble, match="is empty, but a snapshot of event"):
        world.run(tmp_path / "run", database, plan)
    assert world.tables(database, exact=True) == before


def test_a_lost_journal_is_said_and_not_begun_anew(world: Any, plan: Plan, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    world.run(folder, None, plan, stopped=world.stop_after(50))
    (folder / "000001.journal").unlink()
    before = everything(folder)
    with pytest.raises(WorldTrouble, match="is empty, but a snapshot of event"):
        world.run(folder, None, plan)
    assert everything(folder) == before


def test_rows_can_be_forgotten_and_made_again(
    world: Any, plan: Plan, done: Any, tmp_path: Path, database: Engine
) -> None:
    shutil.copytree(done.folder, tmp_path / "run")
    for lag in (0, 1, 200, 555):
        forget(database, plan.setup.environment)
        assert all(not rows for rows in world.tables(database).values())
        projector = Projector(database, plan.setup)
        for entry in entries(tmp_path / "run"):
            if entry.seq <= lag:
                projector.watch(entry.seq, entry.event, entry.effects)
        projector.flush()
        assert projected_seq(database, plan.setup.environment) == lag
        world.run(tmp_path / "run", database, plan)
        assert world.tables(database, exact=True) == done.exact


def test_the_journal_is_durable_before_the_rows_are(
    world: Any, plan: Plan, tmp_path: Path, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any moment, the tables never know more than the journal."""
    monkeypatch.setattr("ares.store.projections.FLUSH_EVENTS", 97)
    ahead: list[int] = []

    def look(done_: int, _: int) -> None:
        newest = max((entry.seq for entry in entries(tmp_path / "run")), default=0)
        ahead.append(projected_seq(database, plan.setup.environment) - newest)

    monkeypatch.setattr("ares.runtime.history_run.PROGRESS_INSTANTS", 10)
    world.run(tmp_path / "run", database, plan, progress=look)
    assert len(ahead) > 50
    assert max(ahead) <= 0
    assert min(ahead) < 0


def test_a_snapshot_is_never_ahead_of_the_journal(
    world: Any, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def watched(folder: Path, seq: int, raw: bytes) -> str:
        seen.append((seq, max((entry.seq for entry in entries(folder)), default=0)))
        return save_snapshot(folder, seq, raw)

    monkeypatch.setattr("ares.runtime.history_run.save_snapshot", watched)
    world.run(tmp_path / "run", None, plan, snapshot_events=9)
    assert len(seen) > 50
    assert all(seq == durable for seq, durable in seen)


def test_a_command_is_durable_before_it_is_sent(
    world: Any, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = SimulatedVenue.submit
    seen = []

    def watched(venue: SimulatedVenue, command: SubmitOrder, ts_ms: int) -> Any:
        written = [e for entry in entries(tmp_path / "run") for e in entry.effects]
        seen.append(command in written)
        return submit(venue, command, ts_ms)

    monkeypatch.setattr(SimulatedVenue, "submit", watched)
    world.run(tmp_path / "run", None, plan)
    assert len(seen) > 50
    assert all(seen)


def test_the_first_record_of_a_journal_is_the_run(done: Any, plan: Plan) -> None:
    first = next(entries(done.folder))
    assert isinstance(first.event, RunStarted)
    assert (first.seq, first.event.setup) == (1, plan.setup)
    found = load_snapshot(done.folder, 0)
    assert found is not None
    assert hashlib.sha256(found[1]).hexdigest() == plan.setup.first_state


def test_a_snapshot_that_cannot_be_written_leaves_no_half_of_it(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from ares.domain.errors import WorldTrouble\n"
        "from ares.journal.run import save_snapshot\n"
        "folder = Path(sys.argv[1])\n"
        "save_snapshot(folder, 1, b'x' * 1000)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))\n"
        "try: save_snapshot(folder, 2, b'y' * 1000)\n"
        "except WorldTrouble as trouble: print(trouble)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("cannot write")
    assert done.stdout.count("\n") == 1
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["000000000001.snapshot"]
    assert load_snapshot(tmp_path) == (1, b"x" * 1000)


def test_an_equal_snapshot_replaces_itself(tmp_path: Path) -> None:
    assert save_snapshot(tmp_path, 5, b"state") == save_snapshot(tmp_path, 5, b"state")
    assert load_snapshot(tmp_path) == (5, b"state")
    assert load_snapshot(tmp_path, 4) is None


def test_the_default_window_is_what_all_instruments_have(world: Any) -> None:
    end_ms = world.to_ms - world.ends_early_ms
    midnight_ms = end_ms // DAY_MS * DAY_MS
    assert default_window(world.store, [world.btc, world.eth], 0) == (midnight_ms, end_ms)
    assert default_window(world.store, [world.btc], 1) == (midnight_ms - DAY_MS, world.to_ms)


def test_nothing_to_run_on_is_the_callers_mistake(world: Any) -> None:
    with pytest.raises(UserMistake, match="is not before"):
        world.with_(from_ms=world.to_ms).plan()
    with pytest.raises(UserMistake, match="no candles"):
        world.with_(
            from_ms=world.to_ms + 10 * 86_400_000, to_ms=world.to_ms + 11 * 86_400_000
        ).plan()
    with pytest.raises(UserMistake, match="train again"):
        world.with_(changes={"features_hash": "old"}).plan()
