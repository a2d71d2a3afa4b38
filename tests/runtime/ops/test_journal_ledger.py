"""The ledger out of the journal alone is that of the engine, in the attacking world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.sim.world import World

from ares.core.orders import Life
from ares.core.state import State
from ares.domain.errors import ExternalError
from ares.domain.events import RunStarted
from ares.domain.order_events import AccountSeen, ExecutionBooked, SubmitOrder, TimeReached
from ares.journal.run import RunJournal
from ares.journal.snapshots import save_snapshot
from ares.runtime.ops.journal_ledger import (
    JournalLedger,
    first_ledger,
    journal_ledger,
    ledger_of_snapshot,
)


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
