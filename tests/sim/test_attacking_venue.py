"""The venue of the attacking world knows the truth; each fault does what its name says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from ares.domain.events import Event
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AskAccount,
    CancelOrder,
    CancelRefused,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderUnknown,
    QueryOrder,
    SubmitOrder,
    VenueDown,
    VenueUp,
)
from ares.sim.attacking_venue import OTHER_OWNER, AttackingVenue
from ares.sim.faults import Chance, Faults
from ares.sim.schedule import Schedule

START_MS = 1_000_000


class Bench:
    """A venue of two instruments with these faults, and what it posted."""

    def __init__(self, faults: Faults, seed: int = 1) -> None:
        self.schedule = Schedule(START_MS)
        self.chance = Chance(Random(seed), faults)
        self.posted: list[Event] = []
        self.venue = AttackingVenue(
            2, self.schedule, Random(seed), self.chance, self.posted.append,
            lambda i, ticks, lots: ticks * lots,
        )  # fmt: skip
        self.venue.prices = [10_000, 20_000]

    def submit(
        self, client_id: str, lots: int, kind: str = "entry", lane: int = 0, ticks: int = 0,
        send_by_ms: int = 0,
    ) -> None:  # fmt: skip
        head = (client_id, lane, kind, lots, ticks, "signal", 0.6, 9.0, 100.0)
        self.venue.send(SubmitOrder(*head, send_by_ms=send_by_ms))

    def settle(self) -> list[Event]:
        """Let everything happen; return what was posted since the last time."""
        while self.schedule.step():
            pass
        posted, self.posted[:] = list(self.posted), []
        return posted

    def of(self, kind: type) -> list[Event]:
        return [e for e in self.settle() if isinstance(e, kind)]


def bench(seed: int = 1, **faults: float) -> Bench:
    return Bench(Faults(**faults), seed)


def lots_of(events: Sequence[Event]) -> int:
    return sum(e.lots for e in events if isinstance(e, OrderFilled))


@pytest.mark.parametrize("seed", range(5))
def test_without_faults_an_order_is_accepted_and_filled_once(seed: int) -> None:
    b = bench(seed)
    b.submit("e", 10)
    events = b.settle()
    assert Counter(type(e) for e in events if not isinstance(e, OrderEnded)) == Counter(
        [OrderAccepted, OrderFilled]
    )
    assert lots_of(events) == b.venue.lots[0] == 10
    assert b.venue.lots[1] == 0
    assert b.venue.cash_of == {"e/x1": -100_000 - 100}
    assert b.venue.received == {"e": 1}


def test_a_lost_request_never_arrives_and_the_sender_learns_at_most_of_a_timeout() -> None:
    b = bench(request_lost=1.0)
    for k in range(20):
        b.submit(f"e{k}", 10)
    events = b.settle()
    assert {type(e) for e in events} == {OrderUnknown}
    assert 0 < len(events) < 20
    assert not b.venue.orders
    assert b.venue.lots == [0, 0]


def test_a_lost_answer_leaves_the_order_at_the_venue() -> None:
    b = bench(answer_lost=1.0)
    b.submit("e", 10)
    events = b.settle()
    assert not [e for e in events if isinstance(e, OrderAccepted)]
    assert b.venue.lots[0] == lots_of(events) == 10, "reports come another way"


def test_a_doubled_report_has_the_same_execution_id() -> None:
    b = bench(doubled=1.0)
    b.submit("e", 10)
    one, other = [e for e in b.settle() if isinstance(e, OrderFilled)]
    assert one == other
    assert b.venue.lots[0] == 10


def test_delays_let_reports_overtake_each_other() -> None:
    first = Counter[type]()
    for seed in range(30):
        b = bench(seed, delayed=0.5)
        b.submit("e", 10)
        first[type(b.settle()[0])] += 1
    assert first[OrderAccepted] > 0
    assert first[OrderFilled] > 0


def test_a_lost_session_loses_reports_and_comes_back() -> None:
    b = bench(session_lost=1.0)
    b.submit("e", 10)
    events = b.settle()
    assert [type(e) for e in events if isinstance(e, VenueDown | VenueUp)] == [VenueDown, VenueUp]
    assert lots_of(events) == 0
    assert b.venue.lots[0] == 10, "it was executed all the same"
    assert b.venue.is_up


def test_what_is_sent_without_a_session_does_not_arrive() -> None:
    b = bench()
    b.venue.is_up = False
    b.submit("e", 10)
    b.settle()
    assert not b.venue.orders


def test_the_same_id_is_one_order_and_counted() -> None:
    b = bench()
    b.submit("e", 10)
    b.submit("e", 10)
    assert lots_of(b.settle()) == b.venue.lots[0] == 10
    assert b.venue.received["e"] == 2


def test_rejects_say_why() -> None:
    b = bench(rejected=1.0)
    b.submit("e", 10)
    (refused,) = b.settle()
    assert isinstance(refused, OrderEnded)
    assert (refused.reason, refused.cum_lots, refused.detail) == ("rejected", 0, "refused")
    b = bench()
    b.submit("late", 10, send_by_ms=START_MS)
    b.submit("uncovered", -10, "exit")
    details = {e.client_id: e.detail for e in b.settle() if isinstance(e, OrderEnded)}
    assert details == {"late": "deadline", "uncovered": "insufficient balance"}
    assert b.venue.uncovered == 1
    assert b.venue.lots == [0, 0]


def test_a_deadline_counts_when_the_order_arrives() -> None:
    b = bench()
    b.submit("e", 10, send_by_ms=START_MS + 10_000)
    assert lots_of(b.settle()) == 10


def with_stop(b: Bench, lots: int = 10) -> None:
    b.submit("e", lots)
    b.settle()
    b.submit("s", -lots, "stop", ticks=9_900)
    b.settle()


def test_two_sells_never_exceed_what_is_held() -> None:
    b = bench()
    with_stop(b)
    b.submit("x", -10, "exit")
    (refused,) = b.of(OrderEnded)
    assert isinstance(refused, OrderEnded)
    assert refused.detail == "insufficient balance"


def test_a_stop_rests_until_its_price_is_traded() -> None:
    b = bench()
    with_stop(b)
    b.venue.price(0, 9_901)
    b.venue.price(1, 1)
    assert lots_of(b.settle()) == 0
    b.venue.price(0, 9_900)
    (filled,) = b.of(OrderFilled)
    assert isinstance(filled, OrderFilled)
    assert (filled.client_id, filled.lots, filled.price_ticks) == ("s", -10, 9_900)
    assert b.venue.lots[0] == 0


def test_a_dropped_stop_is_cancelled_by_the_venue() -> None:
    b = bench(stop_dropped=1.0)
    with_stop(b)
    assert b.venue.orders["s"].ended == "cancelled"
    assert b.venue.lots[0] == 10


@pytest.mark.parametrize("seed", range(10))
def test_parts_sum_up_to_what_the_account_holds(seed: int) -> None:
    b = bench(seed, partly_filled=0.8)
    b.submit("e", 1_000)
    events = b.settle()
    order = b.venue.orders["e"]
    assert lots_of(events) == order.filled_lots == b.venue.lots[0] <= 1_000
    assert order.ended in ("filled", "expired")
    assert (order.ended == "filled") == (order.filled_lots == 1_000)


def test_an_execution_beyond_the_order_is_one_lot_more() -> None:
    b = bench(beyond_order=1.0)
    b.submit("e", 10)
    assert lots_of(b.settle()) == b.venue.lots[0] == 11


def test_a_late_fill_is_reported_after_its_end() -> None:
    for seed in range(20):
        b = bench(seed, late_fill=1.0)
        with_stop(b)
        b.venue.send(CancelOrder("s", 0))
        events = [e for e in b.settle() if isinstance(e, OrderFilled | OrderEnded)]
        assert lots_of(events) == b.venue.lots[0] - 10
        if [type(e) for e in events] == [OrderEnded, OrderFilled]:
            assert b.venue.lots[0] == 9
            return
    pytest.fail("no execution came after the end of its order")


def test_a_cancel_may_be_refused_and_the_order_goes_on() -> None:
    b = bench(cancel_refused=1.0)
    with_stop(b)
    b.venue.send(CancelOrder("s", 0))
    b.venue.send(CancelOrder("?", 0))
    assert [type(e) for e in b.settle()] == [CancelRefused] * 2
    assert b.venue.orders["s"].ended is None


def test_a_stop_is_amended_in_place() -> None:
    b = bench()
    with_stop(b)
    b.venue.send(AmendOrder("s", 0, -4, 9_500))
    (amended,) = b.of(OrderAmended)
    assert isinstance(amended, OrderAmended)
    assert (amended.client_id, amended.lots, amended.price_ticks) == ("s", -4, 9_500)
    order = b.venue.orders["s"]
    assert (order.lots, order.price_ticks) == (-4, 9_500)


def test_a_look_up_gives_the_executions_again_and_then_the_end() -> None:
    ended, answered = 0, 0
    for seed in range(40):
        b = bench(seed)
        b.submit("e", 10)
        (before,) = b.of(OrderFilled)
        b.venue.send(QueryOrder("e", 0))
        events = b.settle()
        if any(isinstance(e, OrderAbsent) for e in events):
            assert not any(e.complete for e in events if isinstance(e, OrderAbsent))
            continue
        answered += 1
        assert before in events, "the same execution, the same id"
        ended += any(isinstance(e, OrderEnded) and e.cum_lots == 10 for e in events)
    assert answered == ended > 30


def test_an_order_that_never_came_is_absent_with_the_time_of_the_look_up() -> None:
    b = bench()
    b.venue.send(QueryOrder("?", 0))
    (absent,) = b.of(OrderAbsent)
    assert isinstance(absent, OrderAbsent)
    assert START_MS < absent.venue_ms <= b.schedule.now_ms


def test_the_account_shows_lots_and_open_orders() -> None:
    b = bench()
    with_stop(b)
    b.venue.send(AskAccount(0))
    (seen,) = b.of(AccountSeen)
    assert isinstance(seen, AccountSeen)
    assert (seen.lots, seen.open_ids) == ((10, 0), ("s",))


def test_trades_of_a_person_and_moved_capital_change_the_account_alone() -> None:
    b = bench(unknown_order=1.0)
    b.venue.lots[0] = 100
    b.venue.price(0, 10_000)
    (strange,) = b.settle()
    assert isinstance(strange, OrderFilled)
    assert strange.client_id not in b.venue.orders
    assert (strange.instrument, strange.lots) == (0, b.venue.lots[0] - 100)
    b = bench(moved_capital=1.0)
    b.venue.lots[1] = 100
    for _ in range(3):
        b.venue.price(1, 20_000)
    assert b.settle() == []
    assert b.venue.lots[1] != 100


@pytest.mark.parametrize(
    ("fault", "owner"), [("other_engine", OTHER_OWNER), ("second_machine", "mine")]
)
def test_orders_of_another_engine_are_listed_reported_and_end(fault: str, owner: str) -> None:
    b = Bench(Faults(**{fault: 1.0}))
    b.venue.owner = "mine"
    b.venue.price(0, 10_000)
    (order,) = b.venue.open_orders()
    assert order.client_id.startswith(owner)
    b.venue.send(AskAccount(0))
    events = b.settle()
    (seen,) = [e for e in events if isinstance(e, AccountSeen)]
    assert seen.open_ids == (order.client_id,)
    assert any(isinstance(e, OrderAccepted) and e.client_id == order.client_id for e in events)
    assert order.ended is not None
    assert not b.venue.received


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_does_the_same(seed: int) -> None:
    def story() -> list[Event]:
        b = bench(seed, doubled=0.3, delayed=0.3, partly_filled=0.5, answer_lost=0.2)
        for k in range(10):
            b.submit(f"e{k}", 10 + k)
        return b.settle()

    assert story() == story()
