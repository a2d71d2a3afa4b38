"""Entries leave while an instrument trades; stops and exits wherever the venue takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from ares.core.execution import wake_ms
from ares.core.halts import SELLING, instrument_state
from ares.domain.feed_events import InstrumentChanged, InstrumentState
from ares.domain.order_events import (
    CancelOrder,
    CommandDone,
    EventRefused,
    HaltChanged,
    StopMissing,
    SubmitOrder,
)
from ares.kernel.trade.decide import entry_refusal
from ares.kernel.trade.layout import REFUSAL_NAMES

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

STATES = get_args(InstrumentState)
CLOSED = sorted(set(STATES) - SELLING)


def become(two: TwoInstruments, state: Any, detail: str = "", lane: int = 0) -> list[Any]:
    return two.take(InstrumentChanged(two.at_ms, lane, state, detail))


def refusal(two: TwoInstruments, lane: int = 0) -> str:
    code = entry_refusal(lane, two.at_ms, two.state.trade, two.state.params)
    return REFUSAL_NAMES[code]


@pytest.mark.parametrize("state", STATES)
def test_entries_of_an_instrument_that_does_not_trade_have_a_code_of_their_own(
    two: TwoInstruments, state: InstrumentState
) -> None:
    two.state.params.specs["has_champion"], two.state.params.rules["gate_mode"] = 1, 0
    assert refusal(two) == "allowed"
    become(two, state)
    assert refusal(two) == ("allowed" if state == "trading" else "not_tradable")
    assert refusal(two, 1) == "allowed"
    two.command("halt", reason="x")
    assert refusal(two) == "halted"
    (done,) = [e for e in two.command("resume", reason="x") if isinstance(e, CommandDone)]
    assert done
    assert instrument_state(two.state, 0) == state, "no person opens a market"
    become(two, "trading")
    assert refusal(two) == "allowed"


def test_a_state_is_a_fact_once(two: TwoInstruments) -> None:
    (halted,) = become(two, "halted", "suspended")
    assert isinstance(halted, HaltChanged)
    assert halted.detail == "halted: suspended"
    assert not halted.needs_person
    assert become(two, "halted", "suspended") == []
    changes = become(two, "maintenance")
    assert [(e.halted, e.detail) for e in changes] == [
        (False, "halted: suspended"), (True, "maintenance"),
    ]  # fmt: skip
    assert [e.halted for e in become(two, "trading")] == [False]


def test_what_is_left_of_an_entry_is_cancelled(two: TwoInstruments) -> None:
    entry = two.enter()
    two.accept(entry)
    assert CancelOrder(entry, 0) in become(two, "cancel_only")


@pytest.mark.parametrize("state", CLOSED)
def test_a_stop_that_rests_stays_and_an_exit_waits(
    two: TwoInstruments, state: InstrumentState
) -> None:
    """Cancelled for an exit that the venue does not take, the stop would be gone."""
    stop = two.hold()
    assert [type(e) for e in become(two, state)] == [HaltChanged]
    assert two.leave() == []
    assert two.state.orders[stop].open
    assert CancelOrder(stop, 0) in become(two, "trading")


@pytest.mark.parametrize("state", CLOSED)
def test_a_position_without_a_stop_is_named_once_and_protected_later(
    two: TwoInstruments, state: InstrumentState
) -> None:
    entry = two.enter()
    become(two, state)
    assert two.orders_of(two.fill(entry, 10)) == []
    two.end(entry, "cancelled", 10)
    became = become(two, "halted" if state != "halted" else "maintenance")
    assert [e.lots for e in became if isinstance(e, StopMissing)] == [10]
    assert wake_ms(two.state) == two.state.account_due_ms, "nothing is tried meanwhile"
    two.pass_ms(120_000)
    assert two.orders_of(become(two, "trading")) == [("stop", -10)]


def test_a_venue_that_takes_limits_only_is_sold_to_at_a_limit(two: TwoInstruments) -> None:
    two.state.trade.book[0]["last_close"] = 10_000
    stop = two.hold()
    become(two, "limit_only")
    assert two.leave() == [CancelOrder(stop, 0)]
    (sale,) = [e for e in two.end(stop, "cancelled", 0) if isinstance(e, SubmitOrder)]
    assert (sale.kind, sale.price_ticks) == ("exit", 9_500)


def test_the_state_of_no_instrument_is_refused(two: TwoInstruments) -> None:
    for lane in (-1, 2):
        assert [type(effect) for effect in become(two, "halted", lane=lane)] == [EventRefused]
