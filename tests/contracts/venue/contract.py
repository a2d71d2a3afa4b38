"""The contract of a venue: numbered cases, each with what the engine counts on.

V01-V19 hold for every venue. V20-V59 hold where the way to the venue can fail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.contracts.venue.scene import Scene

from ares.domain.order_events import (
    AmendOrder,
    AmendRefused,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
)

Case = Callable[[Scene], Awaitable[None]]


async def v01_an_entry_is_accepted_and_filled_whole(scene: Scene) -> None:
    command = await scene.bought()
    assert scene.names(command.client_id)[:2] == ["OrderAccepted", "OrderFilled"] or (
        "OrderAccepted" in scene.names(command.client_id)
    )
    for event in scene.of(OrderFilled, command.client_id):
        assert event.price_ticks <= command.price_ticks
        assert event.lots > 0
        assert event.fee_units >= 0
        assert event.exec_id


async def v02_an_exit_sells_at_the_market(scene: Scene) -> None:
    await scene.bought()
    sale = await scene.submit("exit")
    await scene.fill(sale)
    assert all(event.lots < 0 for event in scene.of(OrderFilled, sale.client_id))


async def v03_a_stop_rests_and_is_listed(scene: Scene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    seen = await scene.account()
    assert seen.complete
    assert stop.client_id in seen.open_ids
    assert not scene.of(OrderFilled, stop.client_id)
    assert not scene.of(OrderEnded, stop.client_id)


async def v04_a_cancelled_stop_ends_unfilled_and_is_listed_no_more(scene: Scene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    end = await scene.cancelled(stop.client_id)
    assert (end.reason, end.cum_lots) == ("cancelled", 0)
    assert stop.client_id not in (await scene.account()).open_ids


async def v05_a_stop_is_amended_in_place_or_that_is_refused(scene: Scene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    lots, ticks = stop.lots // 2, stop.price_ticks + 5
    scene.send(AmendOrder(stop.client_id, 0, lots, ticks))
    await scene.until(
        lambda: scene.of(OrderAmended, stop.client_id) + scene.of(AmendRefused, stop.client_id)
    )
    changed = {(e.lots, e.price_ticks) for e in scene.of(OrderAmended, stop.client_id)}
    assert changed == ({(lots, ticks)} if scene.traits.amends_stops else set())
    assert not scene.of(OrderEnded, stop.client_id)
    answer = await scene.looked_up(stop.client_id)
    assert isinstance(answer[-1], OrderAccepted)
    found = {(e.lots, e.price_ticks) for e in answer if isinstance(e, OrderAmended)}
    assert found == changed


async def v06_an_entry_that_the_collar_forbids_ends_unfilled(scene: Scene) -> None:
    command = await scene.submit("entry", ticks=scene.ticks() * 9 // 10)
    end = await scene.end_of(command.client_id)
    assert end.reason in ("cancelled", "expired", "rejected")
    assert end.cum_lots == 0
    assert not scene.of(OrderFilled, command.client_id)


async def v07_the_look_up_of_an_open_order_finds_it_open(scene: Scene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    answer = await scene.looked_up(stop.client_id)
    assert isinstance(answer[-1], OrderAccepted)


async def v08_the_look_up_of_a_filled_order_repeats_its_executions(scene: Scene) -> None:
    command = await scene.bought()
    streamed = {(e.exec_id, e.lots, e.price_ticks, e.fee_units) for e in scene.of(OrderFilled)}
    answer = await scene.looked_up(command.client_id)
    end = answer[-1]
    assert isinstance(end, OrderEnded)
    repeated = {
        (e.exec_id, e.lots, e.price_ticks, e.fee_units)
        for e in answer
        if isinstance(e, OrderFilled)
    }
    assert repeated <= streamed  # the same ids by whichever way
    assert scene.filled(command.client_id) == command.lots


async def v09_balances_follow_executions(scene: Scene) -> None:
    before = (await scene.account()).lots[0]
    command = await scene.bought()
    bought = scene.received(command.client_id)
    assert (await scene.account()).lots[0] == before + bought
    sale = await scene.submit("exit")
    await scene.fill(sale)
    seen = await scene.account()
    assert seen.lots[0] == before + bought + scene.filled(sale.client_id)
    assert seen.as_of_ms <= seen.ts_ms


async def v10_an_exit_after_its_stop_was_cancelled_sells_all(scene: Scene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    await scene.cancelled(stop.client_id)
    sale = await scene.submit("exit")
    await scene.fill(sale)
    assert scene.filled(stop.client_id) == 0


async def v11_nothing_is_reported_under_another_orders_id(scene: Scene) -> None:
    first = await scene.bought()
    second = await scene.submit("exit")
    await scene.fill(second)
    ids = {getattr(event, "client_id", first.client_id) for event in scene.events}
    assert ids == {first.client_id, second.client_id}


ALWAYS: tuple[Case, ...] = (
    v01_an_entry_is_accepted_and_filled_whole,
    v02_an_exit_sells_at_the_market,
    v03_a_stop_rests_and_is_listed,
    v04_a_cancelled_stop_ends_unfilled_and_is_listed_no_more,
    v05_a_stop_is_amended_in_place_or_that_is_refused,
    v06_an_entry_that_the_collar_forbids_ends_unfilled,
    v07_the_look_up_of_an_open_order_finds_it_open,
    v08_the_look_up_of_a_filled_order_repeats_its_executions,
    v09_balances_follow_executions,
    v10_an_exit_after_its_stop_was_cancelled_sells_all,
    v11_nothing_is_reported_under_another_orders_id,
)


def number(case: Case) -> str:
    """Return a case's number and words, as pytest shows it."""
    return getattr(case, "__name__", "")
