"""The engine keeps its promises in worlds that attack it; and the worlds can find broken ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest
from tests.sim.finding import Finding
from tests.sim.shrink import SEEDS_MAX, Failure, failure_of, first_finding, shrink
from tests.sim.world import World
from tests.sim.world_tables import WorldTables

from ares.core import execution, ledger, price_watch, reconcile
from ares.core.orders import Order
from ares.core.state import State
from ares.domain.model_events import Move
from ares.domain.order_events import OrderFilled
from ares.sim.faults import Faults, drawn

SEEDS = 200


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [World(seed).run() for seed in range(SEEDS)]


def test_no_promise_is_broken_and_everything_happens(worlds: list[World]) -> None:
    faults = Counter(name for world in worlds for _, name in world.chance.happened)
    for fault in fields(Faults):
        assert faults[fault.name] >= 3, (fault.name, faults)
    counts: Counter[str] = Counter()
    for world in worlds:
        counts.update(world.counts)
    for name in (
        "folds", "upgrades cut off", "starts cut off", "pieces", "jumped", "SubmitOrder",
        "ExecutionBooked", "TradeClosed", "StopMissing", "DifferenceFound",
        "DifferenceSettled", "HaltChanged", "QueryOrder", "AmendOrder", "CancelOrder",
        "CommandDone", "CommandRefused", "flatten done", "settle done",
        "BreakerChanged", "EventRefused", "crashes", "upgrades", "states compared",
    ):  # fmt: skip
        assert counts[name] >= 10, (name, counts)
    assert counts["ResidueLeft"] >= 3, counts
    for move in get_args(Move):
        assert counts[f"slot {move}"] >= 5, (move, counts)
    assert min(counts["SlotChangeRefused"], counts["ModelRefused"], counts["ArmsCompared"]) >= 10


def test_a_world_without_faults_has_no_halts_and_no_differences() -> None:
    for seed in range(5):
        world = World(seed, faults=Faults()).run()
        assert world.counts["TradeClosed"] > 3
        assert world.counts["HaltChanged"] == 2  # of the start, on and off
        assert world.counts["DifferenceFound"] == world.counts["StopMissing"] == 0


@pytest.mark.slow
def test_the_tables_are_those_of_the_journal_after_all_crashes(tmp_path: Path) -> None:
    """The worker is killed, its database fails, and a crash takes back what it has read."""
    counts: Counter[str] = Counter()
    for seed in range(1, 26, 2):  # journals of files
        tables = WorldTables(tmp_path, seed)
        World(seed, 150, tables=tables).run()
        counts.update({name: getattr(tables, name) for name in ("killed", "failed", "taken_back")})
    assert min(counts.values()) >= 1, counts


def test_the_same_seed_writes_the_same_bytes() -> None:
    for seed in (3, 16):
        assert World(seed).run().journal_hash() == World(seed).run().journal_hash()


# --- what the worlds must be able to find --------------------------------------------------------


def test_an_exit_sent_before_its_stop_ended_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old defect: stop and exit both fill, and the position falls below zero."""
    wait: Callable[..., Any] = execution._exit

    def at_once(state: State, lane: int, held: int, entry: Any, exits: Any, _stops: Any) -> Any:
        return wait(state, lane, held, entry, exits, ())

    monkeypatch.setattr(execution, "_exit", at_once)
    assert first_finding("for sale")


def test_a_stop_left_larger_than_what_is_held_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a person has settled that coins are gone, the stop would sell coins of somebody else."""
    change: Callable[..., Any] = execution._changed

    def only_larger(
        state: State, lane: int, entry: Any, stops: Any, wanted: Any, ticks: int
    ) -> Any:
        kept = [(s, n) for s, n in zip(stops, wanted, strict=True) if -s.remaining_lots <= n]
        return change(state, lane, entry, [s for s, _ in kept], [n for _, n in kept], ticks)

    monkeypatch.setattr(execution, "_changed", only_larger)
    assert "in lane" in first_finding("for sale")


def test_a_late_rest_of_an_entry_without_a_stop_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old defect: partly filled, stopped out, the remainder fills, and nothing protects it."""
    book: Callable[..., Any] = ledger.book_execution

    def forgetful(state: State, order: Order, event: OrderFilled) -> Any:
        is_rest = order.kind == "entry" and order.filled_lots != 0
        if is_rest and int(state.trade.book[order.instrument]["position_lots"]) == 0:
            order.barrier_bps = float("nan")
        return book(state, order, event)

    cancel: Callable[..., Any] = execution._cancel

    def never_an_entry(state: State, *orders: Order | None) -> Any:
        return cancel(state, *(o for o in orders if o is None or o.kind != "entry"))

    monkeypatch.setattr(execution, "_cancel", never_an_entry)
    monkeypatch.setattr(reconcile, "book_execution", forgetful)
    assert first_finding("no stop")


def test_a_stop_that_the_market_has_jumped_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop-limit rests at its limit while the market falls on: it is open, and sells nothing."""
    monkeypatch.setattr(price_watch, "note_price", lambda _state, _stop, _ticks: False)
    monkeypatch.setattr(reconcile, "note_triggered", lambda _state, _stop: None)
    found = []
    for seed in range(SEEDS_MAX):
        faults = replace(drawn(Random(seed)), price_jump=0.3)
        try:
            World(seed, 300, faults).run()
        except Finding as finding:
            found = [str(finding)]
            break
    assert "no stop for" in found[0]


def test_an_unknown_order_that_ends_the_engine_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old defect: an execution of an unknown order is journaled, and then kills every start."""

    def strict(_state: State, event: OrderFilled) -> Any:
        raise RuntimeError(f"an answer for the unknown order {event.client_id}")

    monkeypatch.setattr(reconcile, "_of_nobody", strict)
    assert "unknown order" in first_finding("raised")


def test_a_finding_is_shrunk_to_the_faults_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(_state: State, event: OrderFilled) -> Any:
        raise RuntimeError(f"an answer for the unknown order {event.client_id}")

    monkeypatch.setattr(reconcile, "_of_nobody", strict)
    found = (failure_of(seed, 300) for seed in range(SEEDS_MAX))
    failure: Failure | None = next((f for f in found if f is not None), None)
    assert failure is not None
    least = shrink(failure)
    assert "unknown_order" in [name for _, name in least.faults]
    assert len(least.faults) <= 3 < len(failure.faults)
