"""The ledger out of the journal alone is that of the engine, in the attacking world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.conftest import TRAITS, TwoInstruments
from tests.sim.world import World

from ares.core.orders import Life
from ares.core.state import State
from ares.domain.errors import ExternalError
from ares.domain.events import RunStarted
from ares.domain.holding_events import DifferenceFound
from ares.domain.order_events import (
    AccountSeen,
    CommandGiven,
    ExecutionBooked,
    OrderEnded,
    OrderFilled,
    SubmitOrder,
    TimeReached,
)
from ares.journal.run import RunJournal
from ares.journal.snapshots import save_snapshot
from ares.runtime.ops.journal_ledger import (
    JournalLedger,
    first_ledger,
    journal_ledger,
    ledger_of_snapshot,
)
from ares.runtime.ops.liquidation import Sale, to_sell
from ares.runtime.ops.unwinding_ledger import UnwindingLedger


def assert_same(ledger: JournalLedger, state: State) -> None:
    assert ledger.lots == state.trade.book["position_lots"].tolist()
    found = {o.client_id: (o.lane, o.kind, o.send_by_ms) for o in ledger.orders.values()}
    assert found == {
        o.client_id: (o.instrument, o.kind, o.send_by_ms) for o in state.orders.values()
    }
    confirmed = {o.client_id for o in ledger.orders.values() if o.working}
    assert confirmed <= {o.client_id for o in state.orders.values() if o.life is Life.WORKING}
    assert (ledger.outside is not None) == state.account_known
    if ledger.outside is not None:
        assert ledger.outside == state.outside_lots
    n = state.setup.n_instruments
    assert ledger.disputed == {d.instrument % n for d in state.differences if d.instrument >= 0}
    assert ledger.at_ms == state.at_ms


@pytest.mark.parametrize("seed", range(6))
def test_the_ledger_is_that_of_the_engine(seed: int) -> None:
    """From the first record, and from a snapshot in the middle of the run."""
    world = World(seed).run()
    saved = world.journal.saved()
    seq, setup, raw = saved[len(saved) // 2]
    begun = [(0, first_ledger(world.setup)), (seq, ledger_of_snapshot(setup, raw))]
    for after, ledger in begun:
        for entry in world.journal.facts():
            if entry.seq > after:
                ledger.take(entry.at_ms, entry.event, entry.effects)
        assert_same(ledger, world.state)


def test_it_is_read_from_the_folder(tmp_path: Path) -> None:
    world = World(1, n_events=60).run()
    setup, seq = world.setup, world.journal.saved()[0][0]
    journal = RunJournal(tmp_path, 0)
    with pytest.raises(ExternalError, match="nothing to stop"):
        journal_ledger(tmp_path)
    order = SubmitOrder("o", 0, "entry", 7, 0, "signal", 0.6, 9.0, 50.0, send_by_ms=9)
    records: list[Any] = [
        (RunStarted(setup), []),
        (AccountSeen(1, 1, True, (3,) * setup.n_instruments, ()), []),
        (TimeReached(2), [order, ExecutionBooked("o", 0, 2, 5, 10, 1, "x")]),
    ]
    for k, (event, effects) in enumerate(records, seq + 1):
        journal.event(k, event, k)
        journal.effects(k, effects)
    journal.event(seq + 9, TimeReached(3), 9)  # it died before the effects
    journal.close()
    save_snapshot(tmp_path, seq, world.journal.saved()[0][2], setup=setup)
    ledger = journal_ledger(tmp_path)
    assert ledger.lots[0] == 5
    assert list(ledger.orders) == ["o"]
    assert not ledger.is_flat
    assert ("o", "x") in ledger.executions


def test_a_snapshot_of_another_version_is_one_line() -> None:
    world = World(1, n_events=60).run()
    with pytest.raises(ExternalError, match="use that version"):
        ledger_of_snapshot(world.setup, b"\x80")


# --- differences and residues ------------------------------------------------------------------


class Engine:
    """An engine whose account holds nothing at first, and the ledger of its journal."""

    def __init__(self, **traits: Any) -> None:
        self.two = TwoInstruments(msgspec.structs.replace(TRAITS, **traits), known=False)
        self.ledger = first_ledger(self.two.setup)

    def take(self, event: Any) -> list[Any]:
        effects = self.two.take(event)
        self.ledger.take(self.two.at_ms, event, effects)
        return effects

    def fill(self, client_id: str, lots: int, exec_id: str) -> list[Any]:
        return self.take(OrderFilled(client_id, self.two.at_ms, lots, 10_000, 0, exec_id, 0))

    def settle(self, **args: str) -> None:
        command = f"c{self.two.state.seq}"
        self.take(CommandGiven(command, self.two.at_ms, "ada", "settle", args))

    def assert_same(self) -> None:
        state = self.two.state
        assert self.ledger.differences == state.differences
        assert self.ledger.outside == state.outside_lots
        assert self.ledger.lots == state.trade.book["position_lots"].tolist()


@pytest.fixture
def engine() -> Engine:
    made = Engine(refuses_small=True)
    made.take(AccountSeen(made.two.at_ms, made.two.at_ms, True, (0, 0), ()))
    return made


def test_one_of_two_differences_is_settled_and_the_other_stands(engine: Engine) -> None:
    (first,) = (e for e in engine.fill("app", 3, "e1") if isinstance(e, DifferenceFound))
    engine.fill("app", 5, "e2")
    engine.settle(difference=first.id)
    engine.assert_same()
    assert (engine.ledger.disputed, engine.ledger.unsettled) == ({0}, [5, 0])
    engine.settle(how="ignore")
    engine.assert_same()
    assert (engine.ledger.disputed, engine.ledger.outside) == (set(), [8, 0])


def test_a_residue_is_held_outside(engine: Engine) -> None:
    engine.two.state.params.specs["order_lots_min"] = 5
    entry = engine.two.enter(0, 10)
    engine.fill(entry, 3, "e1")
    engine.take(OrderEnded(entry, engine.two.at_ms, "expired", 3))
    engine.assert_same()
    assert engine.ledger.outside == [3, 0]


def test_what_a_difference_brought_is_not_sold_for_what_another_one_took(engine: Engine) -> None:
    """10 are ours. A person buys 5 and sells 4: 6 of ours are left, none of the 5 is sold."""
    engine.fill(engine.two.enter(0, 10), 10, "e1")
    engine.fill("app", 5, "e2")
    unwinding = UnwindingLedger(engine.ledger)
    assert to_sell(unwinding.lots, (11, 0), unwinding.others, {}) == [Sale(0, 6)]
    engine.fill("app", -4, "e3")
    assert (engine.ledger.unsettled, engine.ledger.others) == ([1, 0], [5, 0])
    unwinding = UnwindingLedger(engine.ledger)
    assert to_sell(unwinding.lots, (11, 0), unwinding.others, {}) == [Sale(0, 6)]
