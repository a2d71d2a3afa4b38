"""A run that is taken up: with the same things only, and never on what was lost, cut or forged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from ares.domain.errors import ExternalError, UserError
from ares.domain.order_events import SubmitOrder, TimeReached
from ares.journal.run import JournalEntry
from ares.journal.snapshots import load_snapshot
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.recovery import RecoveredRun

MINUTE_MS, DAY_MS = 60_000, 86_400_000


def everything(folder: Path) -> dict[str, bytes]:
    """Return every file of a run, but the lock's."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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
    world: Any, plan: RunPlan, tmp_path: Path, what: str
) -> None:
    world.run(tmp_path / "run", None, plan, stopped=world.stop_after(100))
    before = everything(tmp_path / "run")
    other, message = OTHERS[what]
    with pytest.raises(UserError, match=f"run was made with {message}: restore that, or start"):
        other(world).run(tmp_path / "run")
    assert everything(tmp_path / "run") == before


@pytest.mark.parametrize("at", [-1, 30, 99])
def test_a_run_is_not_taken_up_on_other_candles(
    world: Any, plan: RunPlan, tmp_path: Path, at: int
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
    with pytest.raises(ExternalError, match="other candles"):
        other.run(tmp_path / "run")
    assert everything(tmp_path / "run") == before


def test_candles_of_the_future_may_change(world: Any, plan: RunPlan, tmp_path: Path) -> None:
    world.run(tmp_path / "run", None, plan, stopped=world.stop_after(100))
    other = world.copy(tmp_path / "store")
    with other.store._engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE candles SET volume = volume + 1 WHERE ts_ms >= ?",
            (int(plan.feed.close_ms[100]),),
        )
    assert other.run(tmp_path / "run").finished


def test_effects_that_were_tampered_with_are_found_on_starting(
    world: Any, plan: RunPlan, tmp_path: Path
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
    with pytest.raises(ExternalError, match="steps to effects that are not the"):
        world.run(folder, None, plan)
    assert everything(folder) == before


def test_a_damaged_snapshot_is_passed_over(
    world: Any, plan: RunPlan, done: Any, tmp_path: Path
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
    assert found.seq < int(second.stem)
    world.run(folder, None, plan)
    assert world.story(folder) == done.story


def test_without_any_snapshot_it_steps_from_the_start(
    world: Any, plan: RunPlan, done: Any, tmp_path: Path
) -> None:
    world.run(tmp_path / "run", None, plan, stopped=world.stop_after(300))
    shutil.rmtree(tmp_path / "run" / "snapshots")
    world.run(tmp_path / "run", None, plan)
    assert world.story(tmp_path / "run") == done.story


def test_snapshots_and_rows_ahead_of_the_journal_are_not_believed(
    world: Any, plan: RunPlan, done: Any, tmp_path: Path, database: Engine
) -> None:
    """The journal came back from a backup; what was written after it did not."""
    folder = tmp_path / "run"
    world.run(folder, database, plan, stopped=world.stop_after(150), snapshot_events=40)
    backup = (folder / "000001.journal").read_bytes()
    world.run(folder, database, plan, stopped=world.stop_after(150), snapshot_events=40)
    newest = load_snapshot(folder)
    (folder / "000001.journal").write_bytes(backup)
    end = world.run(folder, database, plan)
    assert newest is not None
    assert any(f"event {newest.seq} is not of this journal" in line for line in end.remarks)
    assert world.story(folder) == done.story
    assert world.tables(database) == done.tables


def test_a_new_run_under_an_old_name_has_its_own_rows(
    world: Any, plan: RunPlan, done: Any, tmp_path: Path, database: Engine
) -> None:
    """A person removed the run's folder; its rows are still there."""
    other = world.with_(changes={"gain": 1.3})
    other.run(tmp_path / "run", database)
    shutil.rmtree(tmp_path / "run")
    world.run(tmp_path / "run", database, plan)
    assert world.story(tmp_path / "run") == done.story
    assert world.tables(database, exact=True) == done.exact
    assert world.run(tmp_path / "run", database, plan).instants == 0


def test_a_lost_journal_is_reported_and_never_begun_anew(
    world: Any, plan: RunPlan, tmp_path: Path, database: Engine
) -> None:
    """Its snapshots tell that there was one; nothing is written over what is left."""
    world.run(tmp_path / "run", database, plan)
    (tmp_path / "run" / "000001.journal").unlink()
    before = everything(tmp_path / "run"), world.tables(database, exact=True)
    with pytest.raises(ExternalError, match="is empty, but there is a snapshot of event"):
        world.run(tmp_path / "run", database, plan)
    assert (everything(tmp_path / "run"), world.tables(database, exact=True)) == before


def test_a_start_is_not_before_an_event_whose_effects_a_crash_cut_off(plan: RunPlan) -> None:
    """Its clock then stood still until it caught up: a position had no stop for 2.8 s."""
    state = plan.state
    last = JournalEntry(1, TimeReached(state.at_ms + 3_000), None, at_ms=state.at_ms + 3_000)
    assert RecoveredRun(state).at_ms == state.at_ms
    assert RecoveredRun(state, unanswered=last).at_ms == state.at_ms + 3_000
