"""A person settles what ledger and venue disagree on, as it stands at the venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ares.core.balances import SETTLE_MS
from ares.core.halts import BY_DIFFERENCE, BY_DOUBT
from ares.core.orders import DOUBT_MS_MAX
from ares.domain.holding_events import DifferenceFound, DifferenceSettled
from ares.domain.kill_ids import kill_id
from ares.domain.order_events import (
    CancelOrder,
    CommandDone,
    CommandRefused,
    ExecutionBooked,
    OrderAbsent,
    OrderFilled,
    OrderUnknown,
    SubmitOrder,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

T1 = "test:T1/USDT"


def refused(two: TwoInstruments, verb: str, **args: str) -> str:
    """Give a command that is refused; return the reason, and assert that nothing else followed."""
    (answer,) = two.command(verb, **args)
    assert isinstance(answer, CommandRefused)
    return answer.reason


def trade_of_a_person(two: TwoInstruments, lots: int, ticks: int = 10_000, lane: int = 0) -> None:
    exec_id = f"app {two.state.seq}"
    two.take(OrderFilled("app", two.at_ms, lots, ticks, 7, exec_id, lane))


def test_settled_lots_are_outside_the_ledger_and_their_price_is_moved_capital(
    two: TwoInstruments,
) -> None:
    """A person bought lots with the account's cash: that is neither a profit nor a loss."""
    two.hold(1)
    account = two.state.trade.account[0]
    names = ("cash", "equity", "peak_equity", "day_equity")
    before = {name: int(account[name]) for name in names}
    realized, fees = int(account["realized"]), int(account["fees"])
    trade_of_a_person(two, 5, 12_000)
    trade_of_a_person(two, -2, 11_000)
    moved = -5 * 12_000 * 1_000 + 2 * 11_000 * 1_000 - 2 * 7
    effects = two.command("settle")
    settled = [e for e in effects if isinstance(e, DifferenceSettled)]
    assert [(e.instrument, e.who, e.lots) for e in settled] == [(0, "ada", 5), (0, "ada", -2)]
    assert sum(e.cash_units for e in settled) == moved
    assert {name: int(account[name]) - before[name] for name in names} == dict.fromkeys(
        names, moved
    )
    assert (int(account["realized"]), int(account["fees"])) == (realized, fees)
    assert (two.held(0), two.state.outside_lots) == (0, [3, 0])
    assert two.halts == []
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert not [e for e in two.account(3, 10) if isinstance(e, DifferenceFound)]


def test_the_differences_of_one_instrument_are_settled_alone(two: TwoInstruments) -> None:
    trade_of_a_person(two, 5)
    trade_of_a_person(two, 4, lane=1)
    two.command("settle", instrument=T1)
    assert [d.lots for d in two.state.differences] == [5]
    assert two.halts == [(0, BY_DIFFERENCE)]
    assert two.state.outside_lots == [0, 4]


def test_once_settled_what_was_wanted_meanwhile_is_sent(two: TwoInstruments) -> None:
    stop = two.hold(0)
    trade_of_a_person(two, 5)
    assert two.leave(0) == []
    assert [getattr(e, "client_id", "") for e in two.command("settle")].count(stop) == 1
    assert two.orders_of(two.end(stop, "cancelled")) == [("exit", -10)]


def test_an_exit_that_is_too_large_after_a_settlement_is_replaced(two: TwoInstruments) -> None:
    """A person sold some of the coins while a slow exit was to sell them all."""
    stop = two.hold(0)
    two.leave(0)
    two.end(stop, "cancelled")
    exit_ = two.state.lane_orders[0].exit
    two.accept(exit_)
    trade_of_a_person(two, -4)
    assert CancelOrder(exit_, 0) in two.command("settle")
    assert two.orders_of(two.fill(exit_, -1)) == [], "its end is waited for"
    assert two.orders_of(two.end(exit_, "cancelled", -1)) == [("exit", -5)]


def vanished_stop(two: TwoInstruments) -> str:
    """Hold lots whose stop was accepted, and which complete look-ups no longer find."""
    stop = two.hold(0)
    two.take(OrderUnknown(stop, two.at_ms))
    venue_ms = two.state.orders[stop].send_by_ms + 10_000
    for _ in range(2):
        two.take(OrderAbsent(stop, two.at_ms, True, venue_ms))
        while stop not in two.lookups_of(two.wake()):
            pass
    assert two.halts == [(0, BY_DIFFERENCE)]
    return stop


def test_a_person_ends_an_order_that_never_arrived(two: TwoInstruments) -> None:
    stop = vanished_stop(two)
    assert refused(two, "settle", order=stop) == "outcome must be absent"
    assert refused(two, "settle", order=stop, outcome="filled") == "outcome must be absent"
    effects = two.command("settle", order=stop, outcome="absent")
    answer = effects[-1]
    assert answer == CommandDone(answer.id, two.at_ms, "2 settled")  # type: ignore[union-attr] # the answer to a command
    assert two.state.ended[stop].end_reason == "absent"
    assert two.orders_of(effects) == [("stop", -10)]


def test_a_stop_that_the_venue_refused_is_sent_at_once_after_a_settlement(
    two: TwoInstruments,
) -> None:
    """Coins were gone, so every stop was too large; it waited for its next try, up to 30 s."""
    two.end(two.hold(0), "cancelled")
    for _ in range(3):
        while not two.state.lane_orders[0].stop:
            two.wake()
        two.end(two.state.lane_orders[0].stop, "rejected")
    trade_of_a_person(two, -2)
    assert two.halts == [(0, BY_DIFFERENCE)]
    assert two.orders_of(two.command("settle")) == [("stop", -8)]


def test_the_halt_for_doubt_ends_with_the_last_order_that_a_person_settles(
    two: TwoInstruments,
) -> None:
    """Nothing else would ever end it: no order is left whose outcome could become known."""
    stop = vanished_stop(two)
    two.pass_ms(2 * DOUBT_MS_MAX)
    assert two.halts == [(0, BY_DIFFERENCE), (0, BY_DOUBT)]
    two.command("settle", order=stop, outcome="absent")
    assert two.halts == []


@pytest.mark.parametrize("state", ["open", "ended"])
def test_an_order_whose_outcome_is_known_is_not_settled(two: TwoInstruments, state: str) -> None:
    stop = two.hold(0)
    (entry,) = two.state.ended
    id_ = stop if state == "open" else entry
    assert "is not one whose outcome is unknown" in refused(
        two, "settle", order=id_, outcome="absent"
    )
    assert two.state.orders[stop].open


def settled(two: TwoInstruments, **args: str) -> DifferenceSettled:
    (fact,) = [e for e in two.command("settle", **args) if isinstance(e, DifferenceSettled)]
    return fact


def money(two: TwoInstruments) -> tuple[int, int]:
    account = two.state.trade.account[0]
    return int(account["cash"]), int(account["realized"])


def test_what_is_ignored_is_somebody_elses_lots_and_money(two: TwoInstruments) -> None:
    before = money(two)
    trade_of_a_person(two, 5, 12_000)
    fact = settled(two, how="ignore", reason="my phone")
    assert (fact.lots, fact.cash_units, fact.how) == (5, 0, "ignore")
    assert (two.state.outside_lots[0], two.held(), money(two)) == (5, 0, before)
    assert two.halts == []


def test_what_is_missing_of_the_ledger_cannot_be_ignored(two: TwoInstruments) -> None:
    two.hold(0)
    trade_of_a_person(two, -10)
    reason = refused(two, "settle", how="ignore")
    assert reason.endswith("10 lots of it are the ledger's: correct it")
    assert two.halts == [(0, BY_DIFFERENCE)]
    assert "nothing was bought" in refused(two, "settle", how="adopt")
    settled(two, how="correct")
    assert two.held() == 0


def test_what_is_adopted_is_a_position_with_a_stop(two: TwoInstruments) -> None:
    book = two.state.trade.book[0]
    book["last_close"], book["var_fast"], book["n_bars"] = 10_000, 1e-8, 1_440
    cash, realized = money(two)
    trade_of_a_person(two, 5, 12_000)
    effects = two.command("settle", how="adopt", reason="it is ours")
    (stop,) = [e for e in effects if isinstance(e, SubmitOrder)]
    assert (stop.kind, stop.lots) == ("stop", -5)
    assert stop.price_ticks < 12_000
    assert (two.held(), two.state.outside_lots[0]) == (5, 0)
    assert money(two) == (cash - 5 * 12_000 * 1_000 - 7, realized), "its fee was paid too"
    assert int(book["inherited"]) == 1  # its result says nothing of the model


def test_more_than_the_free_capital_is_not_adopted(two: TwoInstruments) -> None:
    book = two.state.trade.book[0]
    book["last_close"], book["var_fast"] = 10_000, 1e-8
    trade_of_a_person(two, 10**9)
    assert "of the capital are free" in refused(two, "settle", how="adopt")
    assert two.held() == 0


def test_without_a_price_nothing_is_adopted(two: TwoInstruments) -> None:
    two.state.trade.book[0]["var_fast"] = 0.0
    trade_of_a_person(two, 5)
    assert "no price of it is known yet" in refused(two, "settle", how="adopt")


def test_one_difference_alone_is_settled_by_its_id(two: TwoInstruments) -> None:
    trade_of_a_person(two, 5)
    trade_of_a_person(two, 7)
    first, second = two.state.differences
    assert "there is no difference 12345678" in refused(two, "settle", difference="12345678")
    assert settled(two, difference=second.id, how="ignore").lots == 7
    assert two.state.differences == [first]
    assert two.halts == [(0, BY_DIFFERENCE)]
    settled(two, difference=first.id, how="ignore")
    assert two.halts == []


def test_an_unknown_way_is_refused(two: TwoInstruments) -> None:
    trade_of_a_person(two, 5)
    assert refused(two, "settle", how="forget") == "how must be one of correct, ignore, adopt"


@pytest.mark.parametrize("how", ["ignore", "adopt"])
def test_a_refusal_leaves_the_order_that_it_names_as_it_was(two: TwoInstruments, how: str) -> None:
    stop = two.hold(0)
    two.take(OrderUnknown(stop, two.at_ms))
    trade_of_a_person(two, -3)
    before = (list(two.state.orders), list(two.state.ended))
    refused(two, "settle", order=stop, outcome="absent", how=how)
    assert (list(two.state.orders), list(two.state.ended)) == before
    assert two.state.lane_orders[0].stop == stop


def test_lots_that_are_missing_together_cannot_be_ignored(two: TwoInstruments) -> None:
    """Each sale alone is covered by what is held outside the ledger, both are not."""
    two.state.outside_lots[0] = 5
    two.hold(0)
    trade_of_a_person(two, -5)
    trade_of_a_person(two, -5)
    assert refused(two, "settle", how="ignore").endswith(
        "5 lots of it are the ledger's: correct it"
    )
    assert (two.state.outside_lots[0], len(two.state.differences)) == (5, 2)


def test_what_was_bought_and_sold_outside_is_ignored_together(two: TwoInstruments) -> None:
    two.hold(0)
    trade_of_a_person(two, 5)
    trade_of_a_person(two, -5)
    two.command("settle", how="ignore")
    assert (two.state.outside_lots[0], two.held(), two.halts) == (0, 10, [])


def test_more_than_the_free_capital_together_is_not_adopted(two: TwoInstruments) -> None:
    for book in two.state.trade.book:
        book["last_close"], book["var_fast"] = 10_000, 1e-8
    lots = two.cash // (10_000 * 1_000) * 6 // 10
    for lane in (0, 1):
        trade_of_a_person(two, lots, lane=lane)
    cash = two.cash
    assert "of the capital are free" in refused(two, "settle", how="adopt")
    assert (two.held(0), two.held(1), two.cash) == (0, 0, cash)
    settled(two, difference=two.state.differences[0].id, how="adopt")
    assert two.cash >= 0


def test_what_kill_sold_is_booked_once_a_person_settles_the_doubt(two: TwoInstruments) -> None:
    """It waited for the end of the order in doubt, and nothing else would ever book it."""
    two.hold(0)
    entry = two.enter(0)
    two.take(OrderUnknown(entry, two.at_ms))
    kill = kill_id(two.owner, 0, "deadbeef", 1)
    two.take(OrderFilled(kill, two.at_ms, -4, 10_000, 0, "k1", 0))
    assert two.held() == 10
    effects = two.command("settle", order=entry, outcome="absent")
    booked = [(e.lots, e.exec_id) for e in effects if isinstance(e, ExecutionBooked)]
    assert booked == [(-4, "k1")]
    assert (two.held(), two.state.kill_executions) == (6, [])
