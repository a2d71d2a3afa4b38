"""What is cancelled and how much is sold: never coins that are not ours."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ares.domain.kill_ids import kill_id
from ares.runtime.ops.liquidation import (
    Sale,
    is_too_small,
    limit_ticks,
    to_cancel,
    to_sell,
)
from ares.venues.markets import VenueMarket
from ares.venues.statement import OpenAtVenue

OWNER = "0a0b0c0d"
BTC = VenueMarket(
    "BTC/USDT", "XBTUSDT", ("XBTUSDT",), "XXBT", "BTC", "USDT", Decimal("0.1"), Decimal("1e-4"),
    Decimal("0.001"), Decimal("5"),
)  # fmt: skip
LOTS = st.integers(-1_000, 1_000_000)


def order(client_id: str, lots: int) -> OpenAtVenue:
    return OpenAtVenue(client_id, "v", 0, lots, 0, 100)


@st.composite
def accounts(draw: st.DrawFn) -> tuple[list[int], list[int], list[int], dict[int, int]]:
    """Draw a ledger and an account with foreign coins and differences of either sign, and sales
    whose outcome is not known.
    """
    n = draw(st.integers(1, 4))
    lots = draw(st.lists(st.integers(0, 10_000), min_size=n, max_size=n * 2))
    lots += [0] * (-len(lots) % n)
    outside = draw(st.lists(st.integers(-500, 10_000), min_size=n, max_size=n))
    differences = draw(st.lists(st.integers(-12_000, 12_000), min_size=n, max_size=n))
    venue = [max(0, sum(lots[i::n]) + outside[i] + differences[i]) for i in range(n)]
    waiting = {lane: draw(st.integers(0, held)) for lane, held in enumerate(lots) if held}
    return lots, venue, outside, waiting


@given(accounts())
def test_never_more_than_the_ledgers_and_never_coins_of_others(
    drawn: tuple[list[int], list[int], list[int], dict[int, int]],
) -> None:
    lots, venue, outside, waiting = drawn
    n = len(venue)
    sales = to_sell(lots, venue, outside, waiting)
    assert len({sale.lane for sale in sales}) == len(sales)
    for sale in sales:
        assert 0 < sale.lots <= lots[sale.lane] - waiting.get(sale.lane, 0)
    for i in range(n):
        sold = sum(sale.lots for sale in sales if sale.lane % n == i)
        unresolved = sum(waiting.get(lane, 0) for lane in range(i, len(lots), n))
        own = max(0, venue[i] - max(0, outside[i]))
        assert sold + min(unresolved, own) <= max(own, unresolved)
        # all that may be sold is sold
        assert sold == max(0, min(sum(lots[i::n]), own) - unresolved)


@given(accounts())
def test_without_a_difference_all_that_the_ledger_holds_is_sold(
    drawn: tuple[list[int], list[int], list[int], dict[int, int]],
) -> None:
    lots, _, outside, _ = drawn
    n = len(outside)
    venue = [sum(lots[i::n]) + max(0, outside[i]) for i in range(n)]
    sales = to_sell(lots, venue, outside, {})
    assert {sale.lane: sale.lots for sale in sales} == {
        lane: held for lane, held in enumerate(lots) if held
    }


def test_what_somebody_else_took_is_not_taken_from_the_others() -> None:
    """10 are ours and 5 of somebody else; 7 are missing: 3 of ours may be left."""
    assert to_sell([10], [8], [5], {}) == [Sale(0, 3)]
    assert to_sell([10], [4], [5], {}) == []
    assert to_sell([10], [15], [5], {0: 4}) == [Sale(0, 6)]


@given(
    st.lists(st.tuples(st.sampled_from([OWNER + "1" * 24, "f" * 32, "OABC-1", ""]), LOTS)),
    st.booleans(),
)
def test_only_our_orders_are_cancelled_and_stops_stay(
    drawn: list[tuple[str, int]], flatten: bool
) -> None:
    orders = [order(client_id, lots) for client_id, lots in drawn]
    cancelled = to_cancel(orders, OWNER, flatten=flatten)
    for found in cancelled:
        assert found.client_id.startswith(OWNER)
        assert flatten or found.lots > 0
    own = [o for o in orders if o.client_id.startswith(OWNER) and (flatten or o.lots > 0)]
    assert cancelled == own


def test_a_sale_of_the_kill_command_ends_by_itself() -> None:
    assert to_cancel([order(kill_id(OWNER, 0, "deadbeef", 1), -5)], OWNER, flatten=True) == []
    assert to_cancel([order("1" * 32, 5)], "", flatten=True) == [], "no owner: nothing is ours"


def test_the_collar_is_below_the_bid() -> None:
    assert limit_ticks(Decimal("100"), 200.0, BTC) == 980
    assert limit_ticks(Decimal("0.01"), 200.0, BTC) == 1
    assert limit_ticks(Decimal("26775.1"), 200.0, BTC) == 262_396


def test_what_is_below_the_smallest_order_is_too_small() -> None:
    assert is_too_small(9, Decimal("100000"), 200.0, BTC), "quantity"
    assert is_too_small(400, Decimal("100"), 200.0, BTC), "cost 3.92"
    assert not is_too_small(600, Decimal("100"), 200.0, BTC)
