"""What users of other engines lost money by, each by the name of its issue: Ares does not do it.

The issues are of nautilus_trader, hummingbot, freqtrade and ccxt, and are described in their
trackers. Each is a script against the venue server: the real engine, adapter and ccxt. Beyond what
a script asks for, every promise of the attacking world holds after each event and at the end, when
ledger and account agree to the last unit.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.sim.protocol.scripted_world import (
    ENTRY,
    WAIT_MS,
    Script,
    ScriptedWorld,
)

from ares.domain.events import BarsClosed, EngineStarted
from ares.domain.holding_events import DifferenceFound
from ares.domain.order_events import OrderEnded, OrderFilled, SubmitOrder
from ares.domain.timeframe import HOUR_MS
from ares.sim.serve.matching import Exchange

WOUNDS: list[tuple[str, Script]] = []


def wound(name: str) -> Callable[[Script], Script]:
    """Register a script under the name of an issue."""

    def register(script: Script) -> Script:
        WOUNDS.append((name, script))
        return script

    return register


@wound("nautilus_trader#4152, #5036: an in-flight timeout is taken for a rejection")
async def a_silent_venue(w: ScriptedWorld) -> None:
    w.fault("reply_lost", only=ENTRY, count=1)
    entry = await w.next_order("entry")
    w.fault("http_503", only="Orders", on="rest")
    w.fault("mute_private", on="socket")
    await w.pass_s(50.0)
    assert w.order(entry.client_id).open
    assert w.order(entry.client_id).doubt_ms
    assert not w.at_venue("entry", entry.instrument)  # it was filled, as nobody told
    w.end_faults()
    await w.until(lambda: not w.order(entry.client_id).open)
    assert w.order(entry.client_id).end_reason in ("filled", "cancelled")
    assert w.order(entry.client_id).filled_lots > 0


@wound("nautilus_trader#3870: a filled order is judged rejected: only open orders were asked for")
async def a_fill_before_the_answer(w: ScriptedWorld) -> None:
    w.fault("reply_lost", only=ENTRY, count=1)
    w.fault("drop", on="socket", only="exec_type")
    entry = await w.next_order("entry")
    await w.until(lambda: not w.order(entry.client_id).open)
    assert w.order(entry.client_id).filled_lots > 0
    assert w.served_venue.orders[entry.client_id].filled_lots == w.held(entry.instrument)


@wound("nautilus_trader#3493: an inferred execution, then the real one")
async def an_execution_by_two_ways(w: ScriptedWorld) -> None:
    w.fault("latency", ms=6_000, on="socket", only='"trade"', count=4)
    entry = await w.next_order("entry")
    await w.until(lambda: not w.order(entry.client_id).open)
    await w.pass_s(20.0)
    _require_real_executions(w, entry)


@wound("nautilus_trader#4518, #4522: an execution is marked as known before it is booked")
async def the_end_of_the_process_at_a_fill(w: ScriptedWorld) -> None:
    entry = await w.next_order("entry")
    await w.until(lambda: _fills(w, entry))
    w.kill()
    await w.until(lambda: w.running and not w.state.reconciling)
    await w.until(lambda: not w.order(entry.client_id).open)
    _require_real_executions(w, entry)


@wound("nautilus_trader#3878: synthetic ids differ at each start")
async def three_starts(w: ScriptedWorld) -> None:
    lane = await w.position()
    held, ids = w.held(lane), set(w.served_venue.cash_of)
    for _ in range(3):
        w.kill()
        await w.until(lambda: w.running and not w.state.reconciling)
        await w.pass_s(2.0)
    if set(w.served_venue.cash_of) == ids:  # nothing traded meanwhile
        assert w.held(lane) == held


@wound("nautilus_trader#3046, #3176: executions are replayed and doubled at a restart")
async def a_restart_with_doubled_messages(w: ScriptedWorld) -> None:
    entry = await w.next_order("entry")
    await w.until(lambda: not w.order(entry.client_id).open)
    w.fault("duplicate", on="socket", seconds=120.0)
    w.kill()
    await w.until(lambda: w.running and not w.state.reconciling)
    await w.pass_s(30.0)
    _require_real_executions(w, entry)


@wound("nautilus_trader#5000: working orders are dropped at a start")
async def a_start_with_cut_pages(w: ScriptedWorld) -> None:
    lane = await w.position()
    stop = w.state.lane_orders[lane].stop
    w.kill()
    w.fault("incomplete", on="rest", seconds=60.0)
    await w.until(lambda: w.running and w.state.venue_up)
    since = len(w.seen)
    await w.pass_s(10.0)
    if stop in w.at_venue("stop", lane):
        assert w.order(stop).open
        assert [o for o in w.sent_orders("stop", since) if o.instrument == lane] == []


@wound("nautilus_trader#4739: an execution is made up so that balances match")
async def coins_that_nobody_bought(w: ScriptedWorld) -> None:
    lane = await w.position()
    held = w.held(lane)
    w.served_venue.exchange.transfer(f"T{lane}", 5 * 10**8)
    await w.until(lambda: w.effects(DifferenceFound))
    executed = {key.split("/")[1] for key in w.served_venue.cash_of}
    fills = {event.exec_id for event, _ in w.seen if isinstance(event, OrderFilled)}
    assert fills <= executed
    if not w.sent_orders("exit"):
        assert w.held(lane) in (held, 0)


@wound("nautilus_trader#3104: the window of history that a start asks for is too short")
async def a_stop_that_fills_while_nothing_runs(w: ScriptedWorld) -> None:
    lane = await w.position()
    stop = w.state.lane_orders[lane].stop
    w.down_ms = 5 * HOUR_MS
    w.kill()
    await w.until(lambda: w.running and not w.state.reconciling, wait_ms=12 * WAIT_MS)
    await w.pass_s(30.0)
    at_venue = w.served_venue.orders[stop]
    assert at_venue.ended == "filled"
    assert w.order(stop).end_reason == "filled"
    assert w.order(stop).filled_lots == at_venue.filled_lots


@wound("nautilus_trader#4288: a cancel that is made up while it replaces, and two live orders")
async def a_cancel_without_an_answer(w: ScriptedWorld) -> None:
    lane = await w.position()
    w.fault("reply_lost", only="CancelOrder", count=2)
    w.fault("drop", on="socket", only='"canceled"', count=2)
    w.sell(lane)
    await w.until(lambda: w.held(lane) == 0)
    await w.pass_s(20.0)
    assert not w.at_venue("stop", lane) or w.held(lane)


@wound("nautilus_trader#4736: a warm restart closes a real position")
async def a_restart_that_keeps_a_position(w: ScriptedWorld) -> None:
    lane = await w.position()
    held = w.held(lane)
    w.kill()
    await w.until(lambda: w.running and not w.state.reconciling)
    began = max(k for k, (event, _) in enumerate(w.seen) if isinstance(event, EngineStarted))
    first_bar = next((k for k in range(began, len(w.seen)) if _is_bar(w, k)), len(w.seen))
    assert [e for _, effects in w.seen[began:first_bar] for e in effects if _is_exit(e)] == []
    if first_bar == len(w.seen) and not w.events_of(w.state.lane_orders[lane].stop):
        assert w.held(lane) == held


@wound(
    "hummingbot#8457: an outage of name resolution counts as three misses, and the order as lost"
)
async def no_name_resolution(w: ScriptedWorld) -> None:
    w.fault("reply_lost", only=ENTRY, count=1)
    entry = await w.next_order("entry")
    w.fault("mute_private", on="socket")
    await w.until(lambda: w.order(entry.client_id).doubt_ms)
    w.served_venue.network.error = socket.gaierror(-3, "Temporary failure in name resolution")
    await w.pass_s(300.0)
    known = w.order(entry.client_id)
    assert known.open
    assert known.doubt_ms
    again = [o for o in w.sent_orders("entry") if o.instrument == entry.instrument]
    assert [o.client_id for o in again] == [entry.client_id]
    w.served_venue.network.error = None
    w.end_faults()
    await w.until(lambda: not w.order(entry.client_id).open)
    _require_real_executions(w, entry)


@wound("hummingbot#493: a timeout counts as a failure, and the order is sent again")
async def an_order_that_is_carried_out_after_its_timeout(w: ScriptedWorld) -> None:
    w.fault("request_late", ms=7_000, only=ENTRY, count=1)
    entry = await w.next_order("entry")
    await w.pass_s(8.0)
    again = [o for o in w.sent_orders("entry") if o.instrument == entry.instrument]
    assert [o.client_id for o in again] == [entry.client_id]
    await w.until(lambda: not w.order(entry.client_id).open)
    _require_real_executions(w, entry)


@wound("hummingbot#3374: an order that hangs on its way is filled later, and unknown")
async def an_order_that_arrives_late(w: ScriptedWorld) -> None:
    w.fault("request_orphaned", ms=4_000, only=ENTRY, count=1)
    entry = await w.next_order("entry")
    await w.until(lambda: not w.order(entry.client_id).open)
    _require_real_executions(w, entry)


@wound("hummingbot#4738: after an error of a cancel the execution is ignored")
async def a_stop_that_fills_during_its_cancel(w: ScriptedWorld) -> None:
    lane = await w.position()
    stop = w.state.lane_orders[lane].stop
    w.fault("fill_during_cancel", count=1)
    w.sell(lane)
    await w.until(lambda: w.held(lane) == 0)
    assert w.order(stop).filled_lots == w.served_venue.orders[stop].filled_lots != 0
    assert w.served_venue.lots[lane] == 0


@wound("hummingbot#1664: Kraken says that it has cancelled, and has not")
async def a_cancel_that_is_only_claimed(w: ScriptedWorld) -> None:
    lane = await w.position()
    stop = w.state.lane_orders[lane].stop
    restore = _claim_cancels(w)
    w.sell(lane)
    await w.pass_s(10.0)
    if stop in w.at_venue("stop", lane):
        assert w.order(stop).open  # the venue's claim is no end
        assert not w.at_venue("exit", lane)
    restore()
    await w.until(lambda: w.held(lane) == 0)


@wound("hummingbot#7068: Kraken's balances lag behind its executions")
async def balances_that_lag(w: ScriptedWorld) -> None:
    await w.until(lambda: w.state.venue_up)
    w.fault("stale", on="rest", only="Balance", seconds=200.0)
    entry = await w.next_order("entry")
    await w.until(lambda: not w.order(entry.client_id).open)
    await w.pass_s(100.0)
    _require_real_executions(w, entry)


@wound("ccxt#22719: an execution is missing in the stream")
async def an_execution_that_the_stream_lost(w: ScriptedWorld) -> None:
    w.fault("drop", on="socket", only='"trade"', count=1)
    entry = await w.next_order("entry")
    await w.until(lambda: not w.order(entry.client_id).open)
    _require_real_executions(w, entry)


@wound("freqtrade#2799: a stop is made again for a trade that has closed")
async def a_stop_that_fills_unseen(w: ScriptedWorld) -> None:
    lane = await w.position()
    stop = w.state.lane_orders[lane].stop
    w.fault("mute_private", on="socket")
    _fill_whole(w, stop)
    since = len(w.seen)
    await w.pass_s(10.0)
    w.end_faults()
    await w.until(lambda: not w.order(stop).open)
    made = [o for o in w.sent_orders("stop", since) if o.instrument == lane]
    assert made == [] or w.sent_orders("entry", since)


@wound("freqtrade#8374: a stop that fills in part")
async def a_stop_that_fills_in_pieces(w: ScriptedWorld) -> None:
    lane = await w.position()
    stop = w.state.lane_orders[lane].stop
    w.fault("partial_fills", rate=5.0)
    w.fault("fill_during_cancel", count=1)
    w.sell(lane)
    await w.until(lambda: w.held(lane) == 0)
    sold = {key for key in w.served_venue.cash_of if key.startswith(stop)}
    assert len(sold) == len(w.order(stop).exec_ids)


@wound("freqtrade#11608: a stop is left over")
async def a_cancel_whose_answer_is_lost(w: ScriptedWorld) -> None:
    lane = await w.position()
    w.fault("reply_lost", only="CancelOrder", count=3)
    w.sell(lane)
    await w.until(lambda: w.held(lane) == 0)
    await w.until(lambda: not w.at_venue("stop", lane) or w.held(lane), wait_ms=60_000)


@wound("freqtrade#8045, #5451: a stop locks the coins that an exit wants to sell")
async def coins_that_a_stop_locks(w: ScriptedWorld) -> None:
    lane = await w.position()
    assert w.served_venue.exchange.account.free(f"T{lane}") == 0
    w.sell(lane)
    await w.until(lambda: w.held(lane) == 0)
    refused = [e for e, _ in w.seen if isinstance(e, OrderEnded) and e.reason == "rejected"]
    assert refused == []


@pytest.mark.parametrize(("name", "script"), WOUNDS, ids=[name.split(":")[0] for name, _ in WOUNDS])
def test_it_does_not_happen(name: str, script: Script) -> None:
    world = ScriptedWorld(1, script)
    world.run()
    assert (world.promises.losses, world.promises.invented) == (0, 0)


def _fills(w: ScriptedWorld, order: SubmitOrder) -> list[OrderFilled]:
    return [e for e in w.events_of(order.client_id) if isinstance(e, OrderFilled)]


def _require_real_executions(w: ScriptedWorld, order: SubmitOrder) -> None:
    """The engine has booked exactly what the venue executed, each execution once."""
    at_venue = w.served_venue.orders.get(order.client_id)
    executed = [] if at_venue is None else [e.exec_id for e in at_venue.executions]
    assert sorted(w.order(order.client_id).exec_ids) == sorted(executed)
    assert w.effects(DifferenceFound) == []


def _is_bar(w: ScriptedWorld, k: int) -> bool:
    return isinstance(w.seen[k][0], BarsClosed)


def _is_exit(effect: object) -> bool:
    return isinstance(effect, SubmitOrder) and effect.kind == "exit"


def _claim_cancels(w: ScriptedWorld) -> Callable[[], None]:
    """Let the venue say that it cancels, and cancel nothing, until the result is called."""
    account = w.served_venue.face.account
    assert account is not None
    changes = account.rest._changes
    before = changes["CancelOrder"]

    def claim(_fields: Mapping[str, Any]) -> dict[str, Any]:
        return {"count": 1}

    changes["CancelOrder"] = (before[0], claim)

    def restore() -> None:
        changes["CancelOrder"] = before

    return restore


def _fill_whole(w: ScriptedWorld, client_id: str) -> None:
    exchange: Exchange = w.served_venue.exchange
    exchange._fill_whole(exchange.find(client_id=client_id))
