"""The simulated venue does with orders what the scan does with requests, and outlives a restart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ares.adapters.simulated_venue import OpenOrder, SimulatedVenue
from ares.domain.events import Event
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    QueryOrder,
    SubmitOrder,
)
from ares.kernel.trade import InstrumentRules, Rules, trade_params

SPEC = InstrumentSpec(Instrument("test", "A/B"), 2, 3)
RULES = Rules(fee_bps=10.0, spread_bps=0.0, slippage_bps=0.0, participation_max=0.1)
PARAMS = trade_params(RULES, [InstrumentRules(SPEC, 60_000), InstrumentRules(SPEC, 60_000)])


class Venue:
    """The simulated venue with what it has reported, and a clock."""

    def __init__(self, lanes_of_one: bool = False) -> None:
        self.inbox: list[Event] = []
        self.now_ms = 0
        n = 1 if lanes_of_one else 2
        self.venue = SimulatedVenue(PARAMS, n, self.inbox.append, lambda: self.now_ms)

    @property
    def busy(self) -> set[int]:
        return self.venue.busy

    def reports(self) -> list[Event]:
        """Return what was reported since the last call."""
        found = self.inbox[:]
        self.inbox.clear()
        return found

    def send(self, command: SubmitOrder | CancelOrder | AmendOrder | QueryOrder) -> list[Event]:
        self.venue.send(command)
        return self.reports()

    def at_open(self, i: int, open_ms: int, bar: NDArray[np.int64], volume: int) -> list[Event]:
        self.venue.at_open(i, open_ms, bar, volume)
        return self.reports()

    def in_range(self, i: int, open_ms: int, bar: NDArray[np.int64], volume: int) -> list[Event]:
        self.venue.in_range(i, open_ms, bar, volume)
        return self.reports()

    def account(self) -> AccountSeen:
        self.venue.send(AskAccount(self.now_ms))
        (seen,) = self.reports()
        assert isinstance(seen, AccountSeen)
        return seen


def order(client_id: str, kind: str, lots: int, price: int = 0, instrument: int = 0) -> SubmitOrder:
    return SubmitOrder(client_id, instrument, kind, lots, price, "signal", 0.5, 1.0, 1.0)


def ticks(*prices: int) -> NDArray[np.int64]:
    """Return open, high, low, close."""
    return np.array(prices if len(prices) == 4 else prices * 4, np.int64)


def ids(reports: list[Event]) -> list[str]:
    return [event.client_id for event in reports if isinstance(event, OrderFilled)]


def test_an_order_is_accepted_at_once_and_filled_at_the_next_open() -> None:
    one = Venue()
    one.now_ms = 7
    assert one.send(order("a", "entry", 100, 10_500)) == [OrderAccepted("a", 7)]
    assert one.busy == {0}
    assert one.at_open(0, 60_000, ticks(10_000), 5_000) == [
        OrderFilled("a", 60_000, 100, 10_000, 1_000_000, "60000")
    ]
    assert one.busy == set()
    assert one.at_open(0, 120_000, ticks(10_000), 5_000) == []


def test_an_entry_above_its_limit_or_without_volume_is_rejected() -> None:
    for price, volume in ((10_501, 5_000), (10_000, 0)):
        one = Venue()
        one.send(order("a", "entry", 100, 10_500))
        assert one.at_open(0, 60_000, ticks(price), volume) == [
            OrderEnded("a", 60_000, "rejected", 0, "price_collar_or_volume", price)
        ]
        assert one.busy == set()


def test_what_volume_does_not_allow_of_an_entry_expires() -> None:
    one = Venue()
    one.send(order("a", "entry", 100, 10_500))
    assert one.at_open(0, 60_000, ticks(10_000), 400) == [
        OrderFilled("a", 60_000, 40, 10_000, 400_000, "60000"),
        OrderEnded("a", 60_000, "expired", 40),
    ]
    assert one.busy == set()
    assert one.at_open(0, 120_000, ticks(10_000), 5_000) == []


def test_an_exit_is_filled_in_parts_under_one_id() -> None:
    one = Venue()
    one.send(order("x", "exit", -100))
    fills = [one.at_open(0, t, ticks(10_000), 400) for t in range(3)]
    assert fills == [
        [OrderFilled("x", t, lots, 10_000, abs(lots) * 10_000, str(t))]
        for t, lots in enumerate((-40, -40, -20))
    ]
    assert one.busy == set()


def test_a_stop_rests_triggers_and_sells_the_rest_at_market() -> None:
    one = Venue()
    one.send(order("s", "stop", -100, 9_900))
    assert one.at_open(0, 1, ticks(10_000), 700) == []
    assert one.in_range(0, 1, ticks(10_000, 10_000, 9_901, 10_000), 700) == []
    (first,) = one.in_range(0, 2, ticks(10_000, 10_000, 9_900, 9_950), 700)
    assert isinstance(first, OrderFilled)
    assert (first.client_id, first.lots, first.price_ticks) == ("s", -70, 9_900)
    assert one.busy == {0}
    (second,) = one.at_open(0, 3, ticks(9_800), 700)
    assert isinstance(second, OrderFilled)
    assert (second.client_id, second.lots, second.price_ticks) == ("s", -30, 9_800)
    assert first.exec_id != second.exec_id
    assert one.busy == set()


def test_a_stop_that_the_open_jumped() -> None:
    one = Venue()
    one.send(order("s", "stop", -50, 9_900))
    (fill,) = one.at_open(0, 1, ticks(9_700), 700)
    assert isinstance(fill, OrderFilled)
    assert (fill.client_id, fill.price_ticks, fill.lots) == ("s", 9_700, -50)
    assert one.busy == set()


def test_a_cancelled_stop_is_gone() -> None:
    one = Venue()
    one.send(order("s", "stop", -50, 9_900))
    one.now_ms = 5
    assert one.send(CancelOrder("s", 0)) == [OrderEnded("s", 5, "cancelled", 0)]
    assert one.busy == set()
    assert one.in_range(0, 1, ticks(9_000), 700) == []


def test_the_end_of_a_cancelled_order_holds_its_fills() -> None:
    one = Venue()
    one.send(order("x", "exit", -100))
    one.at_open(0, 1, ticks(10_000), 400)
    one.now_ms = 5
    assert one.send(CancelOrder("x", 0)) == [OrderEnded("x", 5, "cancelled", -40)]
    assert one.busy == set()
    assert one.at_open(0, 2, ticks(10_000), 400) == []


def test_an_order_is_looked_up() -> None:
    one = Venue()
    one.send(order("s", "stop", -50, 9_900))
    assert one.send(QueryOrder("s", 0)) == [OrderAccepted("s", 0)]
    assert one.busy == {0}
    one.send(CancelOrder("s", 0))
    assert one.send(QueryOrder("s", 0)) == [OrderEnded("s", 0, "cancelled", 0)]


def test_a_stop_cannot_be_changed_in_place() -> None:
    one = Venue()
    one.send(order("s", "stop", -50, 9_900))
    assert one.send(AmendOrder("s", 0, -60, 9_800)) == [AmendRefused("s", 0, "not offered")]
    (fill,) = one.in_range(0, 1, ticks(10_000, 10_000, 9_900, 9_950), 700)
    assert isinstance(fill, OrderFilled)
    assert (fill.lots, fill.price_ticks) == (-50, 9_900)


def test_the_account_holds_what_was_filled_over_all_lanes_of_an_instrument() -> None:
    for lanes_of_one, lots in ((False, (40, 10)), (True, (50,))):
        one = Venue(lanes_of_one)
        one.send(order("a", "entry", 100, 0, instrument=0))
        one.send(order("b", "entry", 10, 0, instrument=1))
        for lane in (0, 1):
            one.at_open(lane, 1, ticks(10_000), 400)
        one.send(order("s", "stop", -40, 9_900))
        one.now_ms = 3
        assert one.account() == AccountSeen(3, 3, True, lots, ("s",))


def test_instruments_do_not_touch_each_other() -> None:
    one = Venue()
    one.send(order("a", "entry", 10, 0, instrument=0))
    one.send(order("b", "stop", -10, 9_900, instrument=1))
    assert one.busy == {0, 1}
    assert ids(one.at_open(0, 1, ticks(9_000), 700)) == ["a"]
    assert ids(one.in_range(1, 1, ticks(9_000), 700)) == ["b"]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_a_venue_that_gets_its_orders_again_continues_as_without_the_interruption(
    seed: int, restart_at: int
) -> None:
    draw = np.random.default_rng(seed)
    bars = [
        (ticks(*(10_000 + draw.integers(-200, 200, 4))), int(draw.integers(0, 900)))
        for _ in range(13)
    ]
    for bar, _ in bars:
        bar[1], bar[2] = bar.max(), bar.min()
    commands = [order("s", "stop", -100, 9_850), order("x", "exit", -100), order("e", "entry", 90)]
    command = commands[int(draw.integers(0, 3))]
    cancel_at = int(draw.integers(0, 26))

    def live(restart: int | None) -> tuple[list[Event], AccountSeen]:
        one = Venue()
        found = one.send(command)
        filled, is_open = 0, True
        for t, (bar, volume) in enumerate(bars):
            one.now_ms = t
            if t == restart:
                one = Venue()
                one.now_ms = t
                held = OpenOrder(
                    command.client_id, 0, command.kind, command.lots - filled, command.price_ticks,
                    filled, triggered=command.kind == "stop" and filled != 0,
                )  # fmt: skip
                one.venue.adopt([held] if is_open else [], [filled, 0])
            answers = one.at_open(0, t, bar, volume) + one.in_range(0, t, bar, volume)
            if t == cancel_at and is_open:
                answers += one.send(CancelOrder(command.client_id, 0))
            for answer in answers:
                if isinstance(answer, OrderFilled):
                    filled += answer.lots
                    is_open = is_open and filled != command.lots
                else:
                    is_open = False
            found += answers
        return found, one.account()

    assert live(restart_at) == live(None)


def test_an_order_whose_cancel_was_sent_before_a_restart_has_ended() -> None:
    one = Venue()
    resting = OpenOrder("s", 0, "stop", -60, 9_900, -40, triggered=True, cancelled=True)
    one.venue.adopt([resting], [60, 0])
    assert one.busy == set()
    assert one.at_open(0, 1, ticks(9_000), 700) == []
    assert one.send(QueryOrder("s", 0)) == [OrderEnded("s", 0, "cancelled", -40)]
    assert one.account().lots == (60, 0)


def test_an_entry_that_was_filled_in_part_before_a_restart_has_expired() -> None:
    one = Venue()
    one.venue.adopt([OpenOrder("e", 0, "entry", 60, 10_500, 40)], [40, 0])
    assert one.busy == set()
    assert one.at_open(0, 1, ticks(9_000), 700) == []
    assert one.send(QueryOrder("e", 0)) == [OrderEnded("e", 0, "expired", 40)]
    assert one.account() == AccountSeen(0, 0, True, (40, 0), ())


def test_a_kind_that_nobody_knows_is_a_broken_invariant() -> None:
    with pytest.raises(KeyError):
        Venue().send(order("a", "iceberg", 1))
