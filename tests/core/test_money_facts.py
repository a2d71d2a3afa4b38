"""Facts of journals of the attacking world, folded: the money of the stepped state."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from tests.sim.world import World
from tests.sim.world_setup import SCORERS

from ares.core.models import Models
from ares.core.money_facts import JournaledFacts, UnexplainedMoney, fold
from ares.core.snapshot import restore
from ares.core.state import State
from ares.domain.events import DecisionMade
from ares.domain.holding_events import DifferenceSettled, ResidueLeft
from ares.domain.order_events import ExecutionBooked
from ares.kernel.trade.money import notional_units

SEEDS = 60
OF_STATISTICS = {
    "posterior_n", "posterior_mean", "posterior_m2", "arm_bps", "arm_trades", "expected_ticks",
}  # fmt: skip
"""Fields of the book that virtual trades change too; and the close of the newest decision, which
may have been on an exit that was never sent: each order carries its own."""
OF_EXITS = {"exit_reason", "stop_lots"}
"""An exit that was decided and not sent is no fact."""
OF_ORDERS = (
    "client_id", "instrument", "kind", "lots", "price_ticks", "reason", "expected_ticks", "seq",
    "correlation", "sent_ms", "send_by_ms", "life", "end_reason", "ended_ms", "venue_id",
    "cum_lots", "filled_lots", "seen_lots", "exec_ids", "cancel", "amend",
)  # fmt: skip


def money(state: State) -> dict[str, Any]:
    """Return everything of a state that facts carry."""
    account, book = state.trade.account, state.trade.book
    assert account.dtype.names is not None
    assert book.dtype.names is not None
    found: dict[str, Any] = {name: account[name].tolist() for name in account.dtype.names}
    for lane, row in enumerate(book):
        unsent = int(row["exit_reason"]) != 0 and not state.lane_orders[lane].exit
        left_out = OF_STATISTICS | (OF_EXITS if unsent else set())
        found[f"lane {lane}"] = {
            name: row[name].item() for name in book.dtype.names if name not in left_out
        }
    for name in ("orders", "ended"):
        orders = getattr(state, name).values()
        found[name] = [{field: getattr(o, field) for field in OF_ORDERS} for o in orders]
    found["lanes"] = [(o.entry, o.exit, o.stop, o.pieces) for o in state.lane_orders]
    found["halts"] = sorted((h.instrument, h.reason, h.needs_person) for h in state.halts)
    names = (
        "seq", "now_ms", "at_ms", "differences", "outside_lots", "account_known", "strange_execs",
        "answers", "nonce", "orders_sent", "venue_up", "venue_ahead_ms", "trades_begun", "slots",
        "ledger_ms", "rule_changes", "config_version",
    )  # fmt: skip
    return found | {name: getattr(state, name) for name in names}


def differences(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return what differs, lane by lane and order by order."""
    wrong: dict[str, Any] = {}
    for name, value in expected.items():
        if name.startswith("lane ") and value != found[name]:
            shared = value.keys() & found[name].keys()
            for field in shared:
                if value[field] != found[name][field]:
                    wrong[f"{name}.{field}"] = (value[field], found[name][field])
        elif value != found[name]:
            wrong[name] = (value, found[name])
    return wrong


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_folded_state_has_the_money_of_the_stepped_one(seed: int) -> None:
    """From the start, and from a snapshot in the middle of the run."""
    world = World(seed).run()
    entries = list(world.journal.facts())
    saved = world.journal.saved()
    for seq, setup, raw in (saved[0], saved[len(saved) // 2]):
        state = restore(setup, raw)
        restarted = fold(state, entries, Models(SCORERS))
        assert bool(restarted) == (seq < world.state.seq)
        assert differences(money(world.state), money(state)) == {}
    assert np.array_equal(state.features, world.state.features, equal_nan=True)
    assert_conserved(world, state, entries)


def assert_conserved(world: World, state: State, entries: list[JournaledFacts]) -> None:
    """Cash and lots are what the executions and settlements in the journal add up to."""
    cash, lots = world.cash_start, [0] * len(state.slots)
    for effect in (effect for entry in entries for effect in entry.effects):
        if isinstance(effect, ExecutionBooked):
            spec = world.setup.instruments[effect.instrument].spec
            units = notional_units(
                effect.price_ticks, abs(effect.lots), spec.notional_mul, spec.notional_div
            )
            cash -= (units if effect.lots > 0 else -units) + effect.fee_units
            lots[effect.instrument] += effect.lots
        elif isinstance(effect, DifferenceSettled):
            cash += effect.cash_units
        elif isinstance(effect, ResidueLeft):
            cash -= effect.units
    assert int(state.trade.account[0]["cash"]) == cash
    assert state.trade.book["position_lots"].tolist() == lots


def test_an_empty_tail_restarts_nothing() -> None:
    world = World(1, n_events=60).run()
    seq, setup, raw = world.journal.saved()[-1]
    state = restore(setup, raw)
    assert fold(state, (e for e in world.journal.facts() if e.seq <= seq), Models(SCORERS)) == ()


def test_cash_that_the_executions_do_not_explain_is_refused() -> None:
    world = World(2, n_events=120).run()

    def forged(entry: JournaledFacts) -> JournaledFacts:
        effects = [
            msgspec.structs.replace(e, fee_units=e.fee_units + 1)
            if isinstance(e, ExecutionBooked)
            else e
            for e in entry.effects
        ]
        return entry._replace(effects=effects)

    entries = list(world.journal.facts())
    booked = [e.seq for e in entries if any(isinstance(x, ExecutionBooked) for x in e.effects)]
    decided = [e.seq for e in entries if any(isinstance(x, DecisionMade) for x in e.effects)]
    assert booked
    assert booked[0] < decided[-1]
    state = restore(world.setup, world.journal.saved()[0][2])
    with pytest.raises(UnexplainedMoney, match="its executions lead to cash of"):
        fold(state, map(forged, entries), Models(SCORERS))
