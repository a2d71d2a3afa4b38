"""Each promise of the worlds can be broken: an engine without what keeps it is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.sim import world_journal
from tests.sim.promises import Stood
from tests.sim.shrink import first_finding

from ares.core import (
    commands,
    execution,
    halts,
    ledger,
    look_ups,
    orders,
    reconcile,
    sessions,
    settlement,
    step,
)
from ares.core.orders import Booking, Life, Order
from ares.core.state import State
from ares.domain.order_events import CommandGiven, OrderEnded, OrderUnknown
from ares.runtime.engine import recovery
from ares.runtime.engine.loop import Loop

Patch = pytest.MonkeyPatch
BREAKS: dict[str, tuple[Callable[[Patch], None], str]] = {}
"""What is taken out, and what must be found then."""


def breaks(finding: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Enter a change of the engine with the finding that it must lead to."""

    def enter(change: Callable[[Patch], None]) -> Callable[[Patch], None]:
        BREAKS[change.__name__] = change, finding
        return change

    return enter


@breaks("an entry while [Halt")
def halts_that_nobody_looks_at(patch: Patch) -> None:
    patch.setattr(halts, "write_halts", lambda _: None)


@breaks("an entry while a breaker is open")
def breakers_that_nobody_looks_at(patch: Patch) -> None:
    decide: Callable[..., Any] = step._on_bars

    def blind(state: State, *rest: Any) -> Any:
        status = state.trade.account[0]["breaker_status"]
        before = status.copy()
        status[:] = 0
        effects = decide(state, *rest)
        status[:] |= before
        return effects

    patch.setattr(step, "_on_bars", blind)


@breaks("gross exposure")
def a_limit_of_exposure_that_is_not_kept(patch: Patch) -> None:
    decide: Callable[..., Any] = step._on_bars

    def generous(state: State, *rest: Any) -> Any:
        rules = state.params.rules[0]
        before = float(rules["exposure_max"]), float(rules["position_max"])
        rules["exposure_max"], rules["position_max"] = 5.0, 0.6
        effects = decide(state, *rest)
        rules["exposure_max"], rules["position_max"] = before
        return effects

    patch.setattr(step, "_on_bars", generous)


@breaks("was not durable")
def orders_that_leave_before_they_are_on_the_disk(patch: Patch) -> None:
    begin: Callable[..., None] = Loop.__init__

    def careless(self: Loop, *words: Any, **named: Any) -> None:
        begin(self, *words, **named)
        self._make_durable = lambda: None

    patch.setattr(Loop, "__init__", careless)


@breaks("gives another state")
def a_start_that_forgets(patch: Patch) -> None:
    for module in (world_journal, recovery):
        whole: Callable[..., State] = module.restore

        def forgetful(*words: Any, whole: Callable[..., State] = whole) -> State:
            state = whole(*words)
            state.rule_changes, state.answers = {}, {}
            return state

        patch.setattr(module, "restore", forgetful)


@breaks("cash: ledger")
def an_execution_that_counts_twice(patch: Patch) -> None:
    count: Callable[..., Booking] = orders.execute

    def again(order: Order, exec_id: str, lots: int) -> Booking:
        if exec_id in order.exec_ids and abs(order.filled_lots) < abs(order.lots):
            order.exec_ids.remove(exec_id)
        return count(order, exec_id, lots)

    patch.setattr(ledger, "execute", again)


@breaks("lots are booked")
def lots_beyond_an_order_that_are_booked(patch: Patch) -> None:
    def all_of_it(order: Order, exec_id: str, lots: int) -> Booking:
        if exec_id in order.exec_ids:
            return orders.NOTHING
        order.exec_ids.append(exec_id)
        order.seen_lots += lots
        order.filled_lots += lots
        if order.open:
            order.life = Life.WORKING
        return Booking(lots, 0, "")

    patch.setattr(ledger, "execute", all_of_it)


@breaks("taken as ended")
def a_timeout_that_counts_as_a_rejection(patch: Patch) -> None:
    take: Callable[..., Any] = reconcile._on_open

    def hasty(state: State, order: Order, event: Any) -> Any:
        if isinstance(event, OrderUnknown):
            event = OrderEnded(event.client_id, event.ts_ms, "rejected", 0, "timeout")
        return take(state, order, event)

    patch.setattr(reconcile, "_on_open", hasty)


@breaks("taken as ended")
def an_absence_before_the_deadline(patch: Patch) -> None:
    take: Callable[..., Any] = reconcile._absent

    def at_once(state: State, order: Order, event: Any) -> Any:
        return take(state, order, msgspec.structs.replace(event, venue_ms=10**15))

    patch.setattr(reconcile, "_absent", at_once)


@breaks("of nobody is 0 differences")
def an_execution_of_nobody_that_is_ignored(patch: Patch) -> None:
    patch.setattr(reconcile, "_of_nobody", lambda *_: [])


@breaks("lots")
def balances_that_are_never_compared(patch: Patch) -> None:
    patch.setattr(sessions, "compare", lambda *_: [])


@breaks("is carried out again")
def a_command_that_is_carried_out_as_often_as_it_comes(patch: Patch) -> None:
    carry_out: Callable[..., Any] = commands.on_command

    def again(state: State, event: CommandGiven, models: Any) -> Any:
        state.answers.pop(event.id, None)
        return carry_out(state, event, models)

    patch.setattr(step, "on_command", again)


@breaks("while a person must look")
def a_difference_that_stops_nothing(patch: Patch) -> None:
    patch.setattr(execution, "is_disputed", lambda *_: False)


@breaks("halted for them")
def a_difference_without_a_halt(patch: Patch) -> None:
    begin: Callable[..., Any] = halts.halt

    def others(state: State, instrument: int, reason: str, **named: Any) -> Any:
        if reason == halts.BY_DIFFERENCE:
            return []
        return begin(state, instrument, reason, **named)

    patch.setattr(halts, "halt", others)


@breaks("needs nobody goes on")
def a_halt_for_doubt_that_never_ends(patch: Patch) -> None:
    for module in (reconcile, settlement):
        patch.setattr(module, "end_doubt_halt", lambda *_: [])


@breaks("without a person")
def an_order_in_doubt_that_is_not_looked_up(patch: Patch) -> None:
    for module in (look_ups, execution):
        patch.setattr(module, "due_ms", lambda *_: 0)


@breaks("no stop")
def a_stop_that_is_not_tried_again(patch: Patch) -> None:
    patch.setattr(execution, "UNPROTECTED_MS_MAX", 10**12)
    patch.setattr(execution, "_backoff_ms", lambda _: 10**9)


@breaks("bars sent an order of kind")
def a_catch_up_that_decides(patch: Patch) -> None:
    take: Callable[..., Any] = step._on_closing

    def now(state: State, event: Any, models: Any) -> Any:
        kind = "closing" if event.kind == "catch_up" else event.kind
        return take(state, msgspec.structs.replace(event, kind=kind), models)

    patch.setattr(step, "_on_closing", now)


@breaks("the venue takes")
def an_order_that_is_not_split(patch: Patch) -> None:
    patch.setattr(execution, "_order_lots_max", lambda *_: 0)


@pytest.mark.parametrize("name", BREAKS)
def test_it_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, finding = BREAKS[name]
    change(monkeypatch)
    assert first_finding(finding)


def test_time_without_a_stop_adds_up_until_there_is_one() -> None:
    """What is on its way stops the count; it does not begin it anew."""
    stood = Stood()
    looks = [
        (1_000, True, True, 0), (1_700, True, False, 700), (9_000, True, True, 700),
        (9_500, True, True, 1_200), (9_600, False, True, 0), (9_900, True, True, 0),
        (10_000, True, True, 100),
    ]  # fmt: skip
    for now_ms, is_wrong, counts, expected_ms in looks:
        assert stood.look(now_ms, is_wrong=is_wrong, counts=counts) == expected_ms
