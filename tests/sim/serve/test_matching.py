"""Orders against the market: what is taken, rests, triggers and ends; funds, fees, exact sums."""

from __future__ import annotations

import random

import pytest
from tests.sim.serving import BALANCES
from tests.sim.trading import ADA, BTC, COIN, Scene

from ares.sim.serve.account import rounded
from ares.sim.serve.orders import Close, LetterIds, NumberIds, OrderRefusal, OrderRefused, cost_of

TAKER, MAKER = 4_000, 2_500


def refusal_of(scene: Scene, *args: object, **more: object) -> OrderRefusal:
    with pytest.raises(OrderRefused) as refused:
        scene.submit(*args, **more)  # type: ignore[arg-type]
    return refused.value.refusal


def test_a_market_order_takes_the_book_and_pays_the_taker_fee() -> None:
    scene = Scene()
    asks = BTC.book(scene.now_ms).asks
    lots = asks[0][1] + 1_000
    order = scene.submit("buy", "market", lots)
    assert scene.kinds() == ["pending", "new", "trade", "trade", "filled"]
    assert [(e.ticks, e.lots) for e in order.executions] == [asks[0], (asks[1][0], 1_000)]
    cost = sum(cost_of(BTC, e.ticks, e.lots) for e in order.executions)
    fee = sum(rounded(e.cost * TAKER, 1_000_000) for e in order.executions)
    assert (order.status, order.cost, order.fees) == ("closed", cost, {"USDT": fee})
    assert scene.exchange.account.balance("USDT") == BALANCES["USDT"] - cost - fee
    assert scene.exchange.account.balance("BTC") == BALANCES["BTC"] + lots
    assert not any(scene.exchange.account.held.values())


def test_a_limit_order_holds_rests_and_is_filled_in_parts_at_its_price() -> None:
    scene = Scene()
    limit = scene.last() - 10_000
    order = scene.submit("buy", "limit", COIN, limit)
    cost = cost_of(BTC, limit, COIN)
    assert scene.exchange.account.held["USDT"] == cost + rounded(cost * TAKER, 1_000_000)
    scene.trade(limit + 1)
    assert order.filled_lots == 0
    scene.trade(limit, COIN // 4)
    scene.trade(limit - 500, COIN // 4)
    assert (order.status, order.filled_lots) == ("open", COIN // 2)
    scene.trade(limit)
    assert scene.kinds() == ["pending", "new", "trade", "trade", "trade", "filled"]
    assert {e.ticks for e in order.executions} == {limit}
    assert all(e.is_maker and e.fee == rounded(e.cost * MAKER, 1_000_000) for e in order.executions)
    assert scene.exchange.account.held["USDT"] == 0


def test_a_trade_before_the_order_does_not_fill_it() -> None:
    scene = Scene()
    order = scene.submit("buy", "limit", COIN, scene.last() - 100)
    scene.now_s -= 2.0
    scene.trade(1)
    assert order.filled_lots == 0


def test_resting_orders_share_a_trade_by_price_then_time() -> None:
    scene = Scene()
    low = scene.last() - 10_000
    first, second, better = (
        scene.submit("buy", "limit", COIN // 10, limit) for limit in (low, low, low + 5)
    )
    scene.trade(low, COIN // 8)
    assert (better.filled_lots, first.filled_lots) == (COIN // 10, COIN // 8 - COIN // 10)
    assert second.filled_lots == 0


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_what_is_not_filled_at_once_of_an_immediate_order_ends(tif: str) -> None:
    scene = Scene()
    price, size = BTC.book(scene.now_ms).asks[0]
    order = scene.submit("buy", "limit", size + 1_000, price, tif=tif)
    assert order.status == "canceled"
    assert order.filled_lots == (size if tif == "IOC" else 0)
    assert scene.submit("buy", "limit", size, price, tif=tif).status == "closed"


def test_a_post_only_order_never_takes() -> None:
    scene = Scene()
    ask = BTC.book(scene.now_ms).asks[0][0]
    assert refusal_of(scene, "buy", "limit", COIN, ask, post_only=True) is OrderRefusal.WOULD_TAKE
    assert scene.submit("buy", "limit", COIN, ask - 1, post_only=True).is_open


def test_a_stop_holds_the_coins_and_sells_when_the_price_falls_to_it() -> None:
    scene = Scene()
    stop = scene.last() - 5_000
    order = scene.submit("sell", "stop-loss", 2 * COIN, 0, stop)
    assert refusal_of(scene, "sell", "market", COIN) is OrderRefusal.NO_FUNDS
    scene.trade(stop + 1)
    assert order.awaits_trigger
    scene.trade(stop)
    assert order.status == "closed"
    assert order.executions[0].ticks < stop
    assert scene.kinds()[:3] == ["pending", "new", "triggered"]


def test_a_venue_whose_stops_hold_nothing_cancels_one_whose_coins_are_gone() -> None:
    scene = Scene(stops_hold=False)
    stop = scene.last() - 5_000
    order = scene.submit("sell", "stop-loss", 2 * COIN, 0, stop)
    scene.submit("sell", "market", 2 * COIN, fee_in="quote")
    scene.trade(stop)
    assert (order.status, order.filled_lots) == ("canceled", 0)


def test_a_stop_limit_can_be_jumped() -> None:
    scene = Scene()
    stop = scene.last() - 5_000
    order = scene.submit("sell", "stop-loss-limit", COIN, stop - 100, stop)
    scene.trade(stop - 5_000)
    assert (order.status, order.is_triggered, order.filled_lots) == ("open", True, 0)
    scene.trade(stop - 100)
    assert order.status == "closed"


def test_a_take_profit_sells_when_the_price_rises_to_it() -> None:
    scene = Scene()
    order = scene.submit("sell", "take-profit", COIN, 0, scene.last() + 5_000)
    scene.trade(order.stop_ticks - 1)
    assert order.is_open
    scene.trade(order.stop_ticks)
    assert order.status == "closed"


def test_an_order_is_amended_in_place_or_not_at_all() -> None:
    scene = Scene()
    order = scene.submit("buy", "limit", COIN, scene.last() - 10_000)
    before = (order.lots, order.limit_ticks, order.held)
    with pytest.raises(OrderRefused) as refused:
        scene.exchange.amend(order, lots=1_000 * COIN)
    assert refused.value.refusal is OrderRefusal.NO_FUNDS
    assert (order.lots, order.limit_ticks, order.held) == before
    with pytest.raises(OrderRefused):
        scene.exchange.amend(order, stop_ticks=5)
    scene.exchange.amend(order, lots=COIN // 2, limit_ticks=order.limit_ticks - 50)
    assert scene.exchange.account.held["USDT"] < before[2][1] // 2 + 1
    scene.trade(order.limit_ticks, COIN // 4)
    scene.exchange.amend(order, lots=COIN // 8)
    assert (order.status, order.lots, order.filled_lots) == ("canceled", COIN // 4, COIN // 4)
    stop = scene.submit("sell", "stop-loss", COIN, 0, scene.last() - 5_000)
    scene.exchange.amend(stop, stop_ticks=scene.last() - 9_000)
    scene.trade(scene.last() - 6_000)
    assert stop.is_open


def test_each_reason_to_refuse() -> None:
    scene = Scene()
    limit = scene.last() - 10_000
    assert refusal_of(scene, "buy", "limit", 10, limit) is OrderRefusal.BELOW_MIN_QTY
    assert refusal_of(scene, "buy", "limit", COIN, 1) is OrderRefusal.BELOW_MIN_COST
    assert refusal_of(scene, "buy", "limit", 1_000 * COIN, limit) is OrderRefusal.NO_FUNDS
    assert refusal_of(scene, "sell", "market", 3 * COIN) is OrderRefusal.NO_FUNDS
    scene.submit("buy", "limit", COIN // 10, limit, client_id="mine")
    again = refusal_of(scene, "buy", "limit", COIN // 10, limit, client_id="mine")
    assert again is OrderRefusal.DUPLICATE_CLIENT_ID
    states = {"cancel_only": OrderRefusal.CANCEL_ONLY, "maintenance": OrderRefusal.MAINTENANCE}
    for state, refusal in (states | {"post_only": OrderRefusal.POST_ONLY}).items():
        number = scene.fault(state, only="BTC")
        assert refusal_of(scene, "buy", "limit", COIN // 10, limit) is refusal
        assert scene.submit("buy", "limit", 100 * COIN, 3_000, symbol=ADA).is_open
        scene.faults.clear(number)
    scene.submit("buy", "market", COIN // 10)
    number = scene.fault("limit_only")
    assert refusal_of(scene, "sell", "market", COIN // 10) is OrderRefusal.LIMIT_ONLY
    assert scene.submit("buy", "limit", COIN // 10, limit).is_open
    scene.faults.clear(number)
    scene.fault("reduce_only")
    assert refusal_of(scene, "buy", "limit", COIN // 10, limit) is OrderRefusal.REDUCE_ONLY
    assert scene.submit("sell", "market", COIN // 100).filled_lots


def test_a_client_id_is_free_again_once_its_order_ended() -> None:
    scene = Scene()
    order = scene.submit("buy", "limit", COIN // 10, scene.last() - 9_000, client_id="mine")
    scene.exchange.cancel(order, "User requested")
    with pytest.raises(OrderRefused):
        scene.exchange.cancel(order, "User requested")
    assert scene.submit("buy", "market", COIN // 10, client_id="mine").status == "closed"


def test_fees_are_taken_in_the_asset_that_is_wanted_and_there() -> None:
    scene = Scene()
    bought = scene.submit("buy", "market", COIN // 10, fee_in="base")
    assert bought.fees == {"BTC": rounded(COIN // 10 * TAKER, 1_000_000)}
    assert set(scene.submit("sell", "market", COIN // 10).fees) == {"BTC"}
    assert set(scene.submit("sell", "market", COIN // 10, fee_in="quote").fees) == {"USDT"}
    everything = scene.exchange.account.balance("BTC")
    assert set(scene.submit("sell", "market", everything).fees) == {"USDT"}
    assert scene.exchange.account.balance("BTC") == 0


def test_orders_expire_and_the_dead_mans_switch_cancels_all() -> None:
    scene = Scene()
    low = scene.last() - 10_000
    dated = scene.submit("buy", "limit", COIN, low, tif="GTD", expire_ms=scene.now_ms + 5_000)
    rests = scene.submit("buy", "limit", COIN, low)
    scene.exchange.cancel_all_s = scene.now_s + 8.0
    scene.advance(5.0)
    assert (dated.status, rests.status) == ("expired", "open")
    scene.advance(3.0)
    assert rests.status == "canceled"


def test_a_close_follows_each_fill() -> None:
    scene = Scene()
    close = Close("stop-loss", 0, scene.last() - 20_000)
    order = scene.submit("buy", "limit", COIN, scene.last() - 5_000, close=close)
    scene.trade(order.limit_ticks, COIN // 4)
    scene.trade(order.limit_ticks)
    stops = scene.exchange.open_orders()
    assert [(o.lots, o.requested.parent) for o in stops] == [
        (COIN // 4, order.order_id),
        (COIN - COIN // 4, order.order_id),
    ]


def test_a_cancel_comes_too_late_and_a_stop_is_cancelled_by_the_venue() -> None:
    scene = Scene()
    order = scene.submit("buy", "limit", COIN, scene.last() - 5_000)
    scene.fault("fill_during_cancel", count=1)
    with pytest.raises(OrderRefused) as refused:
        scene.exchange.cancel(order, "User requested")
    assert refused.value.refusal is OrderRefusal.UNKNOWN_ORDER
    assert (order.status, order.filled_lots) == ("closed", COIN)
    stop = scene.submit("sell", "stop-loss", COIN, 0, scene.last() - 5_000)
    scene.fault("stop_cancelled", count=1)
    scene.advance(0.1)
    assert (stop.status, stop.reason) == ("canceled", "Cancelled by the venue")


def test_fills_come_in_pieces_on_command() -> None:
    scene = Scene()
    scene.fault("partial_fills", rate=50.0, count=1)
    order = scene.submit("buy", "market", COIN // 10)
    assert (order.status, order.filled_lots) == ("open", 0)
    for _ in range(10):
        scene.advance(0.02)
    assert 8 <= len(order.executions) <= 12
    for _ in range(60):
        scene.advance(0.02)
    assert len(order.executions) == 50
    assert (order.status, order.filled_lots) == ("closed", COIN // 10)


def test_what_is_left_of_an_order_in_pieces_can_be_cancelled() -> None:
    scene = Scene()
    limit = scene.last() - 5_000
    order = scene.submit("buy", "limit", COIN, limit)
    scene.fault("partial_fills", count=1)
    scene.trade(limit)
    scene.advance(0.1)
    filled = order.filled_lots
    assert 0 < filled < COIN
    scene.exchange.cancel(order, "User requested")
    scene.advance(2.0)
    assert order.filled_lots == filled
    assert scene.exchange.account.held["USDT"] == 0


def test_ids_are_of_the_venues_form_and_never_the_same() -> None:
    ids = LetterIds("a")
    drawn = [ids.next("O") for _ in range(1_000)]
    assert len(set(drawn) | {LetterIds("b").next("O")}) == 1_001
    assert NumberIds(7).next("O") == "8"
    assert all(len(each) == 19 and each[6] == each[12] == "-" for each in drawn)


def test_balances_and_holds_are_the_sum_of_what_happened() -> None:
    """Random requests and trades: nothing is lost, made, or held for an order that ended."""
    scene, rng = Scene(), random.Random(5)
    scene.fault("partial_fills", probability=0.3)
    scene.fault("fill_during_cancel", probability=0.2)
    for _ in range(400):
        last = scene.last()
        side, lots = rng.choice(["buy", "sell"]), rng.randrange(20_000, COIN // 2)
        limit, stop = last + rng.randrange(-9_000, 9_000), last + rng.randrange(-9_000, 9_000)
        kind = rng.choice(["market", "limit", "stop-loss", "stop-loss-limit", "take-profit"])
        prices = (limit if kind.endswith("limit") else 0, stop if "-" in kind else 0)
        fee_in = rng.choice(["", "base", "quote"])
        try:
            scene.submit(side, kind, lots, *prices, fee_in=fee_in)
            if scene.exchange.open_orders() and rng.random() < 0.4:
                scene.exchange.cancel(rng.choice(scene.exchange.open_orders()), "x")
            if scene.exchange.open_orders() and rng.random() < 0.4:
                order = rng.choice(scene.exchange.open_orders())
                scene.exchange.amend(order, lots=rng.randrange(20_000, COIN))
        except OrderRefused:
            pass
        scene.trade(last + rng.randrange(-8_000, 8_000), rng.randrange(1, COIN))
        scene.advance(0.5)
        wanted = dict(BALANCES)
        for order, e in scene.exchange.executions:
            sign = 1 if order.is_buy else -1
            wanted["BTC"] += sign * e.lots
            wanted["USDT"] -= sign * e.cost
            wanted[e.fee_asset] -= e.fee
        assert scene.exchange.account.balances == wanted
        for asset in ("BTC", "USDT"):
            holds = [o.held[1] for o in scene.exchange.open_orders() if o.held[0] == asset]
            assert scene.exchange.account.held.get(asset, 0) == sum(holds)
        for order in scene.exchange.orders.values():
            assert order.filled_lots == sum(e.lots for e in order.executions) <= order.lots
            assert order.is_open == (order in scene.exchange.open_orders())
    assert len(scene.exchange.executions) > 500
