"""The simulated venue does with orders what the scan does with requests, and outlives a restart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.adapters.simulated_venue import OpenOrder, SimulatedVenue
from ares.domain.events import (
    CancelOrder,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.trade import InstrumentRules, Rules, trade_params

SPEC = InstrumentSpec(Instrument("test", "A/B"), 2, 3)
RULES = Rules(fee_bps=10.0, spread_bps=0.0, slippage_bps=0.0, participation_max=0.1)
PARAMS = trade_params(RULES, [InstrumentRules(SPEC, 60_000), InstrumentRules(SPEC, 60_000)])


def venue() -> SimulatedVenue:
    return SimulatedVenue(PARAMS)


def order(client_id: str, kind: str, lots: int, price: int = 0, instrument: int = 0) -> SubmitOrder:
    return SubmitOrder(client_id, instrument, kind, lots, price, "signal", 0.5, 1.0, 1.0)


def ticks(*prices: int) -> np.ndarray:
    """Return open, high, low, close."""
    return np.array(prices if len(prices) == 4 else prices * 4, np.int64)


def ids(messages: list[Event]) -> list[str]:
    return [event.client_id for event in messages if isinstance(event, OrderFilled)]


def test_an_order_is_accepted_at_once_and_filled_at_the_next_open() -> None:
    one = venue()
    assert one.submit(order("a", "entry", 100, 10_500), 7) == [OrderAccepted("a", 7)]
    assert one.busy == {0}
    assert one.on_open(0, 60_000, ticks(10_000), 5_000) == [
        OrderFilled("a", 60_000, 100, 10_000, 1_000_000, 0)
    ]
    assert one.busy == set()
    assert one.on_open(0, 120_000, ticks(10_000), 5_000) == []


def test_an_entry_above_its_limit_or_without_volume_is_rejected() -> None:
    for price, volume in ((10_501, 5_000), (10_000, 0)):
        one = venue()
        one.submit(order("a", "entry", 100, 10_500), 0)
        assert one.on_open(0, 60_000, ticks(price), volume) == [
            OrderRejected("a", 60_000, price, "price_collar_or_volume")
        ]
        assert one.busy == set()


def test_an_exit_is_filled_in_parts_under_one_id() -> None:
    one = venue()
    one.submit(order("x", "exit", -100), 0)
    messages = [one.on_open(0, t, ticks(10_000), 400) for t in range(3)]
    fills = [e for answers in messages for e in answers if isinstance(e, OrderFilled)]
    assert [(f.client_id, f.lots, f.remaining) for f in fills] == [
        ("x", -40, -60), ("x", -40, -20), ("x", -20, 0),
    ]  # fmt: skip


def test_a_stop_rests_triggers_and_sells_the_rest_at_market() -> None:
    one = venue()
    one.submit(order("s", "stop", -100, 9_900), 0)
    assert one.on_open(0, 1, ticks(10_000), 700) == []
    assert one.on_range(0, 1, ticks(10_000, 10_000, 9_901, 10_000), 700) == []
    (first,) = one.on_range(0, 2, ticks(10_000, 10_000, 9_900, 9_950), 700)
    assert isinstance(first, OrderFilled)
    assert (first.client_id, first.lots, first.price_ticks, first.remaining) == (
        "s",
        -70,
        9_900,
        -30,
    )
    assert one.busy == {0}
    (second,) = one.on_open(0, 3, ticks(9_800), 700)
    assert isinstance(second, OrderFilled)
    assert (second.client_id, second.lots, second.price_ticks, second.remaining) == (
        "s",
        -30,
        9_800,
        0,
    )
    assert one.busy == set()


def test_a_stop_that_the_open_jumped() -> None:
    one = venue()
    one.submit(order("s", "stop", -50, 9_900), 0)
    (fill,) = one.on_open(0, 1, ticks(9_700), 700)
    assert isinstance(fill, OrderFilled)
    assert (fill.client_id, fill.price_ticks, fill.remaining) == ("s", 9_700, 0)


def test_a_cancelled_stop_is_gone() -> None:
    one = venue()
    one.submit(order("s", "stop", -50, 9_900), 0)
    assert one.cancel(CancelOrder("s", 0), 5) == [OrderCancelled("s", 5)]
    assert one.busy == set()
    assert one.on_range(0, 1, ticks(9_000), 700) == []


def test_instruments_do_not_touch_each_other() -> None:
    one = venue()
    one.submit(order("a", "entry", 10, 0, instrument=0), 0)
    one.submit(order("b", "stop", -10, 9_900, instrument=1), 0)
    assert one.busy == {0, 1}
    assert ids(one.on_open(0, 1, ticks(9_000), 700)) == ["a"]
    assert ids(one.on_range(1, 1, ticks(9_000), 700)) == ["b"]


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

    def live(restart: int | None) -> list[Event]:
        one = venue()
        messages: list[Event] = list(one.submit(command, 0))
        left, triggered = command.lots, False
        for t, (bar, volume) in enumerate(bars):
            if t == restart:
                one = venue()
                if left:
                    kind, price = command.kind, command.price_ticks
                    one.adopt([OpenOrder(command.client_id, 0, kind, left, price, triggered)])
            for answer in (*one.on_open(0, t, bar, volume), *one.on_range(0, t, bar, volume)):
                messages.append(answer)
                left = answer.remaining if isinstance(answer, OrderFilled) else 0
                triggered = command.kind == "stop"
        return messages

    assert live(restart_at) == live(None)


def test_a_kind_that_nobody_knows_is_a_broken_invariant() -> None:
    with pytest.raises(KeyError):
        venue().submit(order("a", "iceberg", 1), 0)
