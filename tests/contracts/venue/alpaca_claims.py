"""V60-V69: an order that is not found is proven absent by an order that takes its id; what else is
Alpaca's own.
"""

from __future__ import annotations

from typing import Any

from tests.contracts.venue.alpaca_scene import AlpacaScene
from tests.contracts.venue.faults import unknown

from ares.domain.feed_events import InstrumentChanged
from ares.domain.order_events import OrderAbsent, OrderAccepted, OrderEnded, OrderFilled, QueryOrder
from ares.venues.alpaca_claims import claim


async def v60_an_order_that_arrives_after_the_proof_is_not_carried_out(scene: AlpacaScene) -> None:
    scene.served.fault("request_orphaned", ms=1_500, count=1, only=scene.add)
    entry = scene.order("entry")
    scene.send(entry)
    await unknown(scene, entry.client_id)
    assert scene.is_absent(await scene.looked_up(entry.client_id))
    arrived_ms = scene.now_ms() + 2_000
    await scene.until(lambda: scene.now_ms() > arrived_ms)
    assert scene.at_venue(entry.client_id) == 0
    assert not scene.of(OrderFilled)
    (taken,) = scene.claims_at_venue(entry.client_id)
    assert (taken.status, taken.filled_lots) == ("canceled", 0)


async def v61_an_order_that_arrives_before_the_proof_is_found(scene: AlpacaScene) -> None:
    """The look-up does not see it yet, the venue refuses its id: so it exists."""
    scene.served.fault("stale", only=scene.look_up)
    await scene.account()
    entry = await scene.bought()
    before = len(scene.events)
    scene.send(QueryOrder(entry.client_id, 0))
    await scene.until(lambda: len(scene.events) > before)
    assert isinstance(scene.events[-1], OrderAbsent)
    assert not scene.events[-1].complete
    assert scene.claims_at_venue(entry.client_id) == []
    scene.served.venue.faults.clear()
    answer = await scene.looked_up(entry.client_id)
    assert isinstance(answer[-1], OrderEnded)
    assert answer[-1].reason == "filled"


async def v62_an_id_that_a_killed_engine_took_is_released(scene: AlpacaScene) -> None:
    client_id = scene.order("entry").client_id
    orders: Any = scene.venue._orders
    await orders._post(claim(client_id, orders._markets[0]), 0)
    assert not scene.of(OrderAccepted)  # the stream does not report it as the order
    assert [order.is_open for order in scene.claims_at_venue(client_id)] == [True]
    assert scene.is_absent(await scene.looked_up(client_id))
    assert [order.is_open for order in scene.claims_at_venue(client_id)] == [False]


async def v63_a_claim_whose_reply_is_lost_is_finished_by_the_next_look_up(
    scene: AlpacaScene,
) -> None:
    scene.served.fault("reply_lost", count=1, only=scene.add)
    client_id = scene.order("entry").client_id
    (answer,) = await scene.looked_up(client_id)
    assert isinstance(answer, OrderAbsent)
    assert not answer.complete
    assert scene.is_absent(await scene.looked_up(client_id))
    assert len(scene.claims_at_venue(client_id)) == 1


async def v64_a_pair_that_is_not_traded_leaves_the_claim_to_another(scene: AlpacaScene) -> None:
    scene.served.fault("cancel_only", only="BTC/USDT")
    client_id = scene.order("entry").client_id
    assert scene.is_absent(await scene.looked_up(client_id))
    (taken,) = scene.claims_at_venue(client_id)
    assert taken.symbol.symbol == "ADA/USDT"


async def v65_where_nothing_can_take_the_id_it_stays_unknown(scene: AlpacaScene) -> None:
    scene.served.fault("cancel_only")
    (answer,) = await scene.looked_up(scene.order("entry").client_id)
    assert isinstance(answer, OrderAbsent)
    assert not answer.complete


async def v66_a_proxy_that_answers_for_the_venue_proves_nothing(scene: AlpacaScene) -> None:
    scene.served.fault("html", on="rest", only=scene.look_up)
    client_id = scene.order("entry").client_id
    (answer,) = await scene.looked_up(client_id)
    assert isinstance(answer, OrderAbsent)
    assert not answer.complete
    assert scene.claims_at_venue(client_id) == []


async def v67_an_execution_whose_message_is_lost_shows_in_a_look_up(scene: AlpacaScene) -> None:
    scene.served.fault("drop", on="socket", only=scene.execution, count=1)
    entry = await scene.submit("entry")
    assert not scene.of(OrderFilled)
    answer = await scene.looked_up(entry.client_id)
    assert isinstance(answer[-1], OrderEnded)
    assert scene.filled(entry.client_id) == entry.lots


async def v68_an_end_tells_all_that_was_filled_though_a_message_is_lost(
    scene: AlpacaScene,
) -> None:
    scene.served.fault("partial_fills", rate=200.0)
    scene.served.fault("drop", on="socket", only=scene.execution, count=1)
    entry = await scene.submit("entry")
    end = await scene.end_of(entry.client_id)
    assert end.cum_lots == scene.executed_at_venue(entry.client_id)
    assert scene.filled(entry.client_id) < end.cum_lots
    await scene.looked_up(entry.client_id)
    assert scene.filled(entry.client_id) == end.cum_lots


async def v69_states_of_instruments_are_reported_as_they_change(scene: AlpacaScene) -> None:
    def states() -> list[tuple[int, str]]:
        return [(e.instrument, e.state) for e in scene.events if isinstance(e, InstrumentChanged)]

    await scene.until(lambda: len(states()) == 2)
    for kind in ("cancel_only", "maintenance"):
        fault = scene.served.fault(kind, only="BTC/USDT")
        await scene.until(lambda: states()[-1] == (0, "halted"))
        scene.served.venue.faults.clear(fault)
        await scene.until(lambda: states()[-1] == (0, "trading"))
    assert {state for i, state in states() if i == 1} == {"trading"}


CLAIMS = tuple(case for name, case in sorted(globals().items()) if name.startswith("v"))
