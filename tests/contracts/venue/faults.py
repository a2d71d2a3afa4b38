"""V20-V59: what the engine counts on where the way to the venue fails; see ``contract``."""

from __future__ import annotations

import asyncio

from tests.contracts.venue.contract import Case, number
from tests.contracts.venue.loopback import LoopbackScene

from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
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
    VenueDown,
    VenueUp,
)


async def unknown(scene: LoopbackScene, client_id: str) -> None:
    """Wait until the outcome of a command is said to be unknown."""
    await scene.until(lambda: scene.of(OrderUnknown, client_id))
    assert not scene.of(OrderEnded, client_id)


async def v20_a_reply_that_is_lost_leaves_one_order_that_a_look_up_finds(
    scene: LoopbackScene,
) -> None:
    scene.served.fault("reply_lost", count=1, only=scene.add)
    stop = scene.order("stop")
    scene.send(stop)
    await scene.until(lambda: scene.of(OrderUnknown, stop.client_id))
    answer = await scene.looked_up(stop.client_id)
    assert isinstance(answer[-1], OrderAccepted)
    assert scene.at_venue(stop.client_id) == 1


async def v21_an_error_after_the_fact_ends_nothing(scene: LoopbackScene) -> None:
    scene.served.fault("error_after", count=1, only=scene.add)
    entry = scene.order("entry")
    scene.send(entry)
    await scene.until(lambda: scene.of(OrderUnknown, entry.client_id))
    await scene.fill(entry)
    answer = await scene.looked_up(entry.client_id)
    end = answer[-1]
    assert isinstance(end, OrderEnded)
    assert (end.reason, end.cum_lots) == ("filled", scene.filled(entry.client_id))
    assert scene.at_venue(entry.client_id) == 1


async def v22_an_error_before_the_fact_is_no_refusal_either(scene: LoopbackScene) -> None:
    scene.served.fault("error_before", count=1, only=scene.add)
    entry = scene.order("entry")
    scene.send(entry)
    await unknown(scene, entry.client_id)
    answer = await scene.looked_up(entry.client_id)
    assert scene.is_absent(answer)
    assert getattr(answer[-1], "venue_ms", 0) <= scene.now_ms()
    assert scene.at_venue(entry.client_id) == 0


async def v23_an_order_that_travels_is_filled_once_it_has_arrived(scene: LoopbackScene) -> None:
    scene.served.fault("request_orphaned", ms=800, count=1, only=scene.add)
    entry = scene.order("entry")
    scene.send(entry)
    await scene.until(lambda: scene.of(OrderUnknown, entry.client_id))
    await scene.fill(entry)
    found = await scene.looked_up(entry.client_id)
    assert isinstance(found[-1], OrderEnded)
    assert scene.at_venue(entry.client_id) == 1


async def v24_an_order_that_arrives_after_its_deadline_is_not_carried_out(
    scene: LoopbackScene,
) -> None:
    scene.served.fault("request_orphaned", ms=5_000, count=1, only=scene.add)
    entry = scene.order("entry")
    assert entry.send_by_ms - scene.now_ms() < 4_000
    scene.send(entry)
    await scene.until(lambda: scene.of(OrderUnknown, entry.client_id))
    await asyncio.sleep(0)
    await scene.until(lambda: scene.now_ms() > entry.send_by_ms + 2_000)
    answer = await scene.looked_up(entry.client_id)
    assert isinstance(answer[-1], OrderAbsent)
    assert answer[-1].complete
    assert answer[-1].venue_ms > entry.send_by_ms
    await scene.until(lambda: scene.now_ms() > entry.send_by_ms + 4_000)
    assert scene.at_venue(entry.client_id) == 0


async def v25_a_cancel_whose_reply_is_lost_still_ends_the_order(scene: LoopbackScene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    scene.served.fault("reply_lost", count=1, only=scene.cancel)
    scene.send(CancelOrder(stop.client_id, 0))
    # aiohttp sends a DELETE again where the connection was closed: that one is refused
    await scene.until(
        lambda: scene.of(OrderUnknown, stop.client_id) or scene.of(CancelRefused, stop.client_id)
    )
    end = await scene.end_of(stop.client_id)
    assert (end.reason, end.cum_lots) == ("cancelled", 0)


async def v26_an_amendment_whose_reply_is_lost_is_shown_by_a_look_up(scene: LoopbackScene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    scene.served.fault("reply_lost", count=1, only=scene.amend)
    scene.send(AmendOrder(stop.client_id, 0, stop.lots, stop.price_ticks + 7))
    await scene.until(lambda: scene.of(OrderUnknown, stop.client_id))
    answer = await scene.looked_up(stop.client_id)
    assert [e.price_ticks for e in answer if isinstance(e, OrderAmended)] == [stop.price_ticks + 7]


async def v27_a_fill_during_the_cancel_is_reported_and_the_cancel_refused(
    scene: LoopbackScene,
) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    scene.served.fault("fill_during_cancel", count=1)
    scene.send(CancelOrder(stop.client_id, 0))
    await scene.until(lambda: scene.of(CancelRefused, stop.client_id))
    await scene.fill(stop)
    end = await scene.end_of(stop.client_id)
    assert end.reason == "filled"


async def v28_a_stop_that_the_venue_cancels_is_reported(scene: LoopbackScene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    scene.served.fault("stop_cancelled", count=1)
    end = await scene.end_of(stop.client_id)
    assert (end.reason, end.cum_lots) == ("cancelled", 0)
    assert end.detail


async def v29_partial_fills_at_fifty_a_second_sum_up(scene: LoopbackScene) -> None:
    scene.served.fault("partial_fills", rate=50.0)
    entry = await scene.submit("entry")
    end = await scene.end_of(entry.client_id)  # what the market lacks at last is cancelled
    await scene.until(lambda: scene.filled(entry.client_id) == end.cum_lots)
    assert scene.executed_at_venue(entry.client_id) == end.cum_lots
    executions = scene.of(OrderFilled, entry.client_id)
    assert len({event.exec_id for event in executions}) == len(executions) > 1
    seen = await scene.account()
    assert seen.lots[0] == scene.served.account.account.balance("BTC") // scene.lot_units


async def v30_messages_that_come_twice_count_once(scene: LoopbackScene) -> None:
    scene.served.fault("duplicate", on="socket", only=scene.execution, count=6)
    entry = await scene.submit("entry")
    await scene.looked_up(entry.client_id)
    await scene.fill(entry)
    assert scene.executed_at_venue(entry.client_id) == entry.lots


async def v31_a_message_that_is_lost_ends_the_session_or_a_look_up_shows_it(
    scene: LoopbackScene,
) -> None:
    scene.served.fault("drop", on="socket", only=scene.execution, count=1)
    entry = await scene.submit("entry")
    await scene.until(lambda: scene.of(VenueUp)[-1].session == 2)
    assert "is lost" in scene.of(VenueDown)[-1].detail
    await scene.looked_up(entry.client_id)
    await scene.fill(entry)


async def v32_messages_out_of_order_end_the_session_and_lose_nothing(scene: LoopbackScene) -> None:
    scene.served.fault("reorder", on="socket", only=scene.execution, count=1)
    entry = await scene.submit("entry")
    await scene.until(lambda: scene.of(VenueUp)[-1].session == 2)
    await scene.looked_up(entry.client_id)
    await scene.fill(entry)


async def v33_a_socket_that_closes_is_reported_and_made_anew(scene: LoopbackScene) -> None:
    scene.served.fault("close")
    await scene.until(lambda: scene.of(VenueUp)[-1].session == 2)
    assert len(scene.of(VenueDown)) == 2  # before the first session, and now
    entry = await scene.bought()
    assert scene.filled(entry.client_id) == entry.lots


async def v34_a_private_stream_that_is_mute_is_no_session(scene: LoopbackScene) -> None:
    scene.served.fault("mute_private")
    await scene.until(lambda: len(scene.of(VenueDown)) == 2)
    scene.served.venue.faults.clear()
    await scene.until(lambda: scene.of(VenueUp)[-1].session == 2)


async def v35_an_incomplete_page_proves_nothing(scene: LoopbackScene) -> None:
    for _ in range(3):
        await scene.bought()
    scene.served.fault("incomplete", on="rest")
    missing = scene.order("entry").client_id
    answer = await scene.looked_up(missing)
    assert isinstance(answer[-1], OrderAbsent)
    assert not answer[-1].complete


async def v36_what_is_no_answer_ends_nothing(scene: LoopbackScene) -> None:
    for kind in ("html", "not_json", "http_503", "http_429", "unavailable"):
        only = scene.add if kind == "unavailable" else scene.add_path
        fault = scene.served.fault(kind, on="rest", only=only)
        entry = scene.order("entry")
        scene.send(entry)
        await unknown(scene, entry.client_id)
        scene.served.venue.faults.clear(fault)


async def v37_ten_megabytes_before_an_answer_end_nothing(scene: LoopbackScene) -> None:
    fault = scene.served.fault("big", on="rest", only=scene.add_path)
    entry = scene.order("entry")
    scene.send(entry)
    await scene.until(lambda: scene.names(entry.client_id))
    scene.served.venue.faults.clear(fault)
    assert not [e for e in scene.of(OrderEnded, entry.client_id) if e.reason != "filled"]


async def v38_balances_that_cannot_be_read_are_incomplete(scene: LoopbackScene) -> None:
    scene.served.fault("http_503", on="rest", only=scene.balances)
    seen = await scene.account()
    assert not seen.complete
    assert len(seen.lots) == len((await scene.account()).lots)


async def v39_a_look_up_that_fails_proves_nothing(scene: LoopbackScene) -> None:
    scene.served.fault("http_503", on="rest", only=scene.look_up)
    answer = await scene.looked_up(scene.order("entry").client_id)
    assert isinstance(answer[-1], OrderAbsent)
    assert not answer[-1].complete


async def v40_a_key_that_is_revoked_is_the_venues_word(scene: LoopbackScene) -> None:
    scene.served.fault("key_revoked", only="engine")
    entry = scene.order("entry")
    scene.send(entry)
    end = await scene.end_of(entry.client_id)
    assert (end.reason, end.cum_lots) == ("rejected", 0)
    assert scene.words["key"] in end.detail
    assert not (await scene.account()).complete


async def v41_a_sale_without_coins_is_refused_with_the_venues_words(scene: LoopbackScene) -> None:
    held = scene.served.account.account.balance("BTC")
    sale = await scene.submit("exit", lots=2 * held)
    end = await scene.end_of(sale.client_id)
    assert (end.reason, end.cum_lots) == ("rejected", 0)
    assert scene.words["funds"] in end.detail


async def v42_an_order_below_the_minimum_is_refused(scene: LoopbackScene) -> None:
    entry = await scene.submit("entry", lots=1)
    end = await scene.end_of(entry.client_id)
    assert end.reason == "rejected"
    assert scene.words["minimum"] in end.detail


async def v43_a_market_in_another_state_refuses_and_a_closed_one_gives_no_word(
    scene: LoopbackScene,
) -> None:
    for kind in ("cancel_only", "post_only"):
        fault = scene.served.fault(kind, only="BTC/USDT")
        entry = await scene.submit("entry")
        assert (await scene.end_of(entry.client_id)).reason == "rejected"
        scene.served.venue.faults.clear(fault)
    scene.served.fault("maintenance", only="BTC/USDT")
    entry = scene.order("entry")
    scene.send(entry)
    if scene.refuses_closed:
        assert (await scene.end_of(entry.client_id)).reason == "rejected"
    else:
        await unknown(scene, entry.client_id)  # unavailable is no word on this order


async def v44_cancelling_and_amending_what_is_gone_is_refused(scene: LoopbackScene) -> None:
    await scene.bought()
    stop = await scene.submit("stop")
    await scene.cancelled(stop.client_id)
    scene.send(CancelOrder(stop.client_id, 0))
    scene.send(AmendOrder(stop.client_id, 0, stop.lots, stop.price_ticks + 1))
    await scene.until(
        lambda: scene.of(CancelRefused, stop.client_id) and scene.of(AmendRefused, stop.client_id)
    )


async def v45_an_order_of_somebody_else_is_shown_under_its_own_id(scene: LoopbackScene) -> None:
    other = scene.served.exchange(scene.served.protocol, "engine")
    scene.share_nonces(other)
    try:
        await other.load_markets()
        order = await other.create_order("BTC/USDT", "market", "buy", 0.01)
    finally:
        await other.close()
    await scene.until(lambda: scene.of(OrderFilled))
    (event,) = {e.exec_id: e for e in scene.of(OrderFilled)}.values()
    assert event.client_id == scene.name_of(order)
    assert event.instrument == 0


async def v46_a_request_that_hangs_holds_the_next_up_only_for_its_turn(
    scene: LoopbackScene,
) -> None:
    await scene.bought()
    scene.served.fault("request_late", ms=60_000, count=1, only=scene.balances)
    scene.send(AskAccount(scene.now_ms()))
    began = asyncio.get_running_loop().time()
    await scene.submit("stop")
    assert asyncio.get_running_loop().time() - began < 2.5
    await scene.until(lambda: scene.of(AccountSeen))


async def v47_a_stop_is_found_by_whoever_starts_anew(scene: LoopbackScene) -> None:
    """Look-ups know nothing but the client id: the engine that sent it may be gone."""
    await scene.bought()
    stop = await scene.submit("stop")
    scene.events.clear()
    scene.send(QueryOrder(stop.client_id, 0))
    report = OrderAmended if scene.traits.amends_stops else OrderAccepted
    await scene.until(lambda: scene.of(report, stop.client_id))
    found = {(e.lots, e.price_ticks) for e in scene.of(OrderAmended, stop.client_id)}
    assert found == ({(stop.lots, stop.price_ticks)} if scene.traits.amends_stops else set())


async def v48_an_order_that_a_look_up_overtook_is_never_carried_out(scene: LoopbackScene) -> None:
    """Nonces only go up: what comes later with an earlier one is refused."""
    scene.served.fault("request_orphaned", ms=1_000, count=1, only=scene.add)
    entry = scene.order("entry")
    scene.send(entry)
    await scene.until(lambda: scene.of(OrderUnknown, entry.client_id))
    answer = await scene.looked_up(entry.client_id)
    assert isinstance(answer[-1], OrderAbsent)
    assert answer[-1].venue_ms < entry.send_by_ms  # so the engine does not take it for a proof
    arrived_ms = scene.now_ms() + 1_500
    await scene.until(lambda: scene.now_ms() > arrived_ms)
    assert scene.at_venue(entry.client_id) == 0


async def v49_an_answer_may_be_followed_by_another_question_at_once(scene: LoopbackScene) -> None:
    missing = scene.order("entry").client_id
    for _ in range(2):
        assert (await scene.account()).complete
        assert scene.is_absent(await scene.looked_up(missing))


async def v50_an_answer_that_is_older_than_the_stream_proves_nothing(scene: LoopbackScene) -> None:
    scene.served.fault("stale", on="rest")
    await scene.account()  # the server keeps what it shows from now on
    await scene.bought()
    answer = await scene.looked_up(scene.order("entry").client_id)
    assert isinstance(answer[-1], OrderAbsent)
    assert not answer[-1].complete
    scene.served.venue.faults.clear()
    answer = await scene.looked_up(scene.order("entry").client_id)
    assert isinstance(answer[-1], OrderAbsent)
    assert answer[-1].complete


async def v51_a_look_up_in_the_middle_of_an_orders_fills_counts_each_once(
    scene: LoopbackScene,
) -> None:
    """REST sums up what one taking made, unless asked otherwise: under the id of its first fill."""
    scene.served.fault("partial_fills", rate=50.0)
    entry = scene.order("entry")
    scene.send(entry)
    await scene.until(lambda: len(scene.of(OrderFilled, entry.client_id)) > 3)
    await scene.looked_up(entry.client_id)
    await scene.end_of(entry.client_id)
    await scene.looked_up(entry.client_id)
    executions = {(e.exec_id, e.lots) for e in scene.of(OrderFilled, entry.client_id)}
    assert len(executions) == len({exec_id for exec_id, _ in executions})
    assert sum(lots for _, lots in executions) == scene.executed_at_venue(entry.client_id)


FAILING = tuple(case for name, case in sorted(globals().items()) if name.startswith("v"))

DEADLINE, AMENDING, NUMBERS, NONCES, READS = "v24", "v26", "v31 v32", "v48", "v35 v50"


def keeps(scene: LoopbackScene, case: Case) -> bool:
    """Return whether a case is of something that a venue's protocol has: deadlines, amendments,
    numbered messages, nonces, absence that is read (others prove it by an order).
    """
    traits = scene.traits
    lacks = {
        DEADLINE: not traits.deadline_ms,
        AMENDING: not traits.amends_stops,
        NUMBERS: not scene.has_numbers,
        NONCES: not scene.has_nonces,
        READS: traits.claims_ids,
    }
    return not any(is_lacking and number(case)[:3] in cases for cases, is_lacking in lacks.items())
