"""The promises that a world holds the engine to; a broken one raises ``Finding``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.sim.finding import Finding
from tests.sim.slot_promises import SlotPromises
from tests.sim.small_promises import SmallPromises
from tests.sim.world_setup import NAKED_MS_MAX, OWNER, N

from ares.core.halts import (
    ALL,
    BY_CLOCK,
    BY_DIFFERENCE,
    BY_REMOVAL,
    BY_UNKNOWN_ORDER,
    is_disputed,
    scope_of,
    takes_sales,
)
from ares.core.orders import Life, Request
from ares.core.pieces import PIECES_MAX
from ares.core.sessions import SKEW_MS_MAX
from ares.core.slot import lanes_of
from ares.core.state import State
from ares.core.stop_limits import is_jumped
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.holding_events import DifferenceFound
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    CancelOrder,
    CommandDone,
    CommandGiven,
    CommandRefused,
    EndReason,
    OrderEnded,
    OrderFilled,
    StopMissing,
    SubmitOrder,
)
from ares.kernel.trade.layout import OPEN
from ares.sim.held_order import HeldOrder

if TYPE_CHECKING:
    from tests.sim.world import World


@dataclass(slots=True)
class Stood:
    """How long something has been wrong while engine and venue worked.

    counted_ms : so far; last_ms: of the newest look; counts: whether time counts from then on.
    """

    counted_ms: int = 0
    last_ms: int = 0
    counts: bool = False

    def look(self, now_ms: int, *, is_wrong: bool, counts: bool) -> int:
        """Return the time so far; it begins anew once nothing is wrong."""
        self.counted_ms += now_ms - self.last_ms if self.counts else 0
        if not is_wrong:
            self.counted_ms = 0
        self.last_ms, self.counts = now_ms, is_wrong and counts
        return self.counted_ms


def _is_refused(event: Event, effects: list[Effect]) -> bool:
    """Return whether this is the venue's first word that it refuses a stop or an exit."""
    is_first = any(isinstance(effect, StopMissing) for effect in effects)
    return isinstance(event, OrderEnded) and event.reason == "rejected" and is_first


LOOKED_UP_MS = 5_000
"""Without faults a look-up is answered by then."""


class Promises:
    """Looks at a world after every event, and after everything that happens in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.naked: list[Stood] = []
        self.excess: list[Stood] = []
        self.answers: dict[str, CommandDone | CommandRefused] = {}
        self.strange: set[str] = set()
        self.losses = self.invented = 0
        self.slots, self.small = SlotPromises(world), SmallPromises(world)

    def begin(self, state: State) -> None:
        """Begin with the state of a start."""
        self.naked = [Stood() for _ in state.slots]
        self.excess = [Stood() for _ in state.slots]
        self.answers = dict(state.answers)  # what was not durable was not done either
        self.strange = set(state.strange_execs)
        self.slots.begin(state)

    def on_event(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Check after every event what may never be."""
        state = self.world.state
        self.slots.on_event(seq, event, effects)
        for lane in range(len(state.slots)):
            held = int(state.trade.book[lane]["position_lots"])
            if held < 0:
                raise Finding(f"event {seq}: position of {held} lots")
        touched = state.ended.get(getattr(event, "client_id", ""))
        for order in (*state.orders.values(), *(() if touched is None else (touched,))):
            if not 0 <= order.filled_lots * (1 if order.lots > 0 else -1) <= abs(order.lots):
                raise Finding(f"event {seq}: {order.filled_lots} of {order.lots} lots are booked")
        self.world.counts["pieces"] += sum(len(placed.pieces) for placed in state.lane_orders)
        if isinstance(event, CommandGiven):
            self._check_answer(seq, event, effects)
        self._check_unknown(seq, event, effects)
        if touched is not None and touched.kind == "exit" and _is_refused(event, effects):
            self.naked[touched.instrument] = Stood()  # the venue takes no sale: from its answer on
        for effect in effects:
            self.world.counts[type(effect).__name__] += 1
            if isinstance(effect, SubmitOrder | AmendOrder | CancelOrder) and is_disputed(
                state, effect.instrument
            ):
                raise Finding(f"event {seq}: {effect} while a person must look")
            if isinstance(effect, SubmitOrder):
                self._check_order(seq, effect)
                if isinstance(event, BarsClosed):
                    self._check_kind(seq, event, effect)

    def _check_kind(self, seq: int, event: BarsClosed, order: SubmitOrder) -> None:
        """Bars of the past open no position, and close one at the end of a catch-up only."""
        allowed = event.kind == "closing" or (event.catch_up_ends and order.kind != "entry")
        if not allowed:
            raise Finding(f"event {seq}: {event.kind} bars sent an order of kind {order.kind}")

    def _check_answer(self, seq: int, event: CommandGiven, effects: list[Effect]) -> None:
        """A command is carried out once and gets one answer, which the state keeps."""
        known = self.answers.get(event.id)
        if known is not None and effects != [known]:
            raise Finding(f"event {seq}: command {event.id} is carried out again: {effects}")
        answers = [e for e in effects if isinstance(e, CommandDone | CommandRefused)]
        if len(answers) != 1 or self.world.state.answers.get(event.id) != answers[0]:
            raise Finding(f"event {seq}: command {event.verb} is answered with {answers}")
        self.answers[event.id] = answers[0]
        if isinstance(answers[0], CommandDone):
            self.world.counts[f"{event.verb} done"] += 1

    def _check_unknown(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """What is of no order in the journal is a difference, once; an open order with this
        engine's own digits that it does not know stops everything until a person has looked.
        """
        state = self.world.state
        known = state.orders.keys() | state.ended.keys()
        if isinstance(event, OrderFilled) and event.client_id not in known:
            key = f"{event.client_id}/{event.exec_id}"
            n = sum(isinstance(effect, DifferenceFound) for effect in effects)
            if n != (key not in self.strange):
                raise Finding(f"event {seq}: execution {key} of nobody is {n} differences")
            self.strange.add(key)
        if not (isinstance(event, AccountSeen) and event.complete):
            return
        owned = [id_ for id_ in event.open_ids if id_.startswith(OWNER) and id_ not in known]
        halted = any(h.reason == BY_UNKNOWN_ORDER for h in state.halts)
        if owned and not halted and event.as_of_ms >= state.ledger_ms:
            raise Finding(f"event {seq}: unknown orders of our own are open, and no halt stands")

    def _check_order(self, seq: int, order: SubmitOrder) -> None:
        state = self.world.state
        most = state.setup.instruments[order.instrument].spec.order_lots_max
        if most and abs(order.lots) > most:
            raise Finding(f"event {seq}: an order of {order.lots} lots, the venue takes {most}")
        if order.kind != "entry":
            held = int(state.trade.book[order.instrument]["position_lots"])
            selling = self._selling(order.instrument)
            if selling > held:
                raise Finding(f"event {seq}: {selling} lots are for sale, {held} are held")
            return
        if any(h.instrument in (ALL, order.instrument % N) for h in state.halts):
            raise Finding(f"event {seq}: an entry while {state.halts} stand")
        account = state.trade.account[0]
        status = account["breaker_status"].tolist()
        if OPEN in status:
            raise Finding(f"event {seq}: an entry while a breaker is open")
        most_units = float(state.params.rules[0]["exposure_max"]) * int(account["equity"])
        if int(account["gross"]) > 1.001 * most_units + 10**8:
            raise Finding(f"event {seq}: gross exposure {account['gross']}, allowed {most_units}")

    def check_venue(self) -> None:
        """The venue holds at most one entry in a lane, none of our orders that the engine takes as
        ended, and was never sent an order larger than it takes.
        """
        world = self.world
        held = [order for order in world.venue.open_orders() if order.client_id in world.sent]
        for instrument, n in Counter(o.instrument for o in held if o.kind == "entry").items():
            if n > 1:
                raise Finding(f"{n} orders of kind entry are open in lane {instrument}")
        for order in held:
            if world.running and order.client_id in world.state.ended:
                raise Finding(f"the {order.kind} {order.client_id} is open, and taken as ended")
        self.small.check()
        if world.venue.too_large:
            raise Finding("an order was larger than the venue takes")

    def check_naked(self) -> None:
        """A position has a stop at the venue, or is being sold, but for 2 s in which both work. A
        stop-limit that the market has jumped over is no stop.
        """
        for i in range(len(self.world.state.slots)):
            held = int(self.world.state.trade.book[i]["position_lots"]) - self._sold_unseen(i)
            is_naked = (
                self._for_sale(i) < min(held, self._most(i))
                and not self.small.is_held_here(i, held - self._for_sale(i))
                and self._free(i % N) >= self._held(i % N)  # else somebody took the coins
            )
            stood_ms = self._stood_ms(self.naked[i], i, is_naked)
            if stood_ms > NAKED_MS_MAX:
                raise Finding(f"no stop for {stood_ms} ms in lane {i}")

    def check_excess(self) -> None:
        """No more is for sale than is held, but for 2 s after a person or the venue has said that
        less is held. What is sent never sells more: see ``on_event``.
        """
        for i in range(len(self.world.state.slots)):
            held, selling = int(self.world.state.trade.book[i]["position_lots"]), self._selling(i)
            is_excess = selling > held and not is_disputed(self.world.state, i)
            if self._stood_ms(self.excess[i], i, is_excess) > NAKED_MS_MAX:  # else nothing is sent
                raise Finding(f"{selling} lots are for sale, {held} are held, in lane {i}")

    def _stood_ms(self, stood: Stood, i: int, is_wrong: bool) -> int:
        """Return for how long something has been wrong in a lane while engine and venue worked."""
        world = self.world
        works = (
            world.running
            and world.clock_known
            and world.venue.is_up
            and not world.state.reconciling
            and not self._is_excused(i)
        )
        return stood.look(world.schedule.now_ms, is_wrong=is_wrong, counts=works)

    def _selling(self, i: int) -> int:
        """Return the lots that orders of a lane may still sell, as the engine knows them."""
        orders = self.world.state.orders.values()
        return -sum(o.remaining_lots for o in orders if o.instrument == i and o.lots < 0)

    def _sold_unseen(self, i: int) -> int:
        """Return the lots that the venue has sold of a lane while the report is on its way."""
        orders, at_venue = self.world.state.orders.values(), self.world.venue.orders
        return -sum(
            execution.lots
            for o in orders
            if o.instrument == i and o.lots < 0 and o.client_id in at_venue
            for execution in at_venue[o.client_id].executions
            if execution.exec_id not in o.exec_ids
        )

    def _for_sale(self, i: int) -> int:
        """Return the lots that the venue sells of a lane, now or at a stop."""
        orders, sent = self.world.venue.open_orders(), self.world.sent
        selling = [
            o
            for o in orders
            if o.instrument == i and o.lots < 0 and o.client_id in sent and not self._is_jumped(o)
        ]
        return -sum(o.remaining_lots for o in selling)

    def _is_jumped(self, order: HeldOrder) -> bool:
        """Return whether a stop does not sell, which the engine knows or whose price it was shown:
        while the feed is mute it may know neither.
        """
        known = self.world.state.orders.get(order.client_id)
        is_known = known is not None and is_jumped(self.world.state, known)
        is_jumped_there = self.world.venue.is_jumped(order)
        self.world.counts["jumped"] += is_jumped_there
        return is_jumped_there and (is_known or not self.world.market.mute_bars)

    def _free(self, i: int) -> int:
        """Return the lots in the account that no order of others sells, as far as is known."""
        world = self.world
        others = [
            order
            for client_id, order in world.venue.orders_of_others.items()
            if order.instrument == i
            and order.lots < 0
            and (order.ended is None or client_id not in world.ends_reported)
        ]
        return world.venue.lots[i] + sum(o.remaining_lots for o in others)

    def _held(self, i: int) -> int:
        """Return the lots that all lanes of an instrument hold."""
        state = self.world.state
        return sum(int(state.trade.book[k]["position_lots"]) for k in lanes_of(state.setup, i))

    def _most(self, i: int) -> int:
        """Return the most lots that the venue takes in all the pieces that it is sent."""
        return PIECES_MAX * self.world.venue.order_lots_max[i % N] or 10**18

    def _is_excused(self, i: int) -> bool:
        """Return whether a request waits for the venue's answer or a report of an end is under way,
        or a person must settle first.

        A request waits ``answer_ms`` at most; then it is looked up, and its order in doubt.
        """
        state = self.world.state
        for h in state.halts:
            if h.reason == BY_UNKNOWN_ORDER or (
                h.reason == BY_DIFFERENCE and h.instrument in (ALL, i % N)
            ):
                return True
        if not self.world.venue.states.sells(i % N) or not takes_sales(state, i):
            return True  # the venue takes no sale, or it has not said yet that it does again
        selling = [o for o in state.orders.values() if o.instrument == i and o.lots < 0]
        at_venue = self.world.venue.orders
        if any(o.client_id in at_venue and at_venue[o.client_id].ended for o in selling):
            return True  # the report of its end is on its way
        return any(
            o.life is Life.INTENDED or o.doubt_ms or Request.SENT in (o.cancel, o.amend)
            for o in selling
        )

    def check_waiting(self) -> None:
        """Minutes after the last fault, before a person has looked: exactly what needs one stands.

        A halt that needs nobody has ended, but that of a clock that is still wrong; each difference
        halts its instrument; only an order that vanished is in doubt for ``LOOKED_UP_MS``.
        """
        state = self.world.state
        for halt in state.halts:
            is_clock = halt.reason == BY_CLOCK and abs(self.world.ahead_ms) > SKEW_MS_MAX
            if not (halt.needs_person or halt.reason == BY_REMOVAL or is_clock):
                raise Finding(f"a halt that needs nobody goes on: {halt}")
        halted = {h.instrument for h in state.halts if h.reason == BY_DIFFERENCE}
        named = {scope_of(state, difference.instrument) for difference in state.differences}
        if halted != named:
            raise Finding(f"differences stand in {named}, {halted} are halted for them")
        vanished = {d.client_id for d in state.differences if d.kind == "vanished_order"}
        since_ms = self.world.now_ms() - LOOKED_UP_MS
        doubts = [o.client_id for o in state.orders.values() if 0 < o.doubt_ms < since_ms]
        if not vanished.issuperset(doubts):
            raise Finding(f"unknown outcomes are left without a person: {doubts}")

    def check_settled(self) -> None:
        """Once calm: no doubt, no halt, no difference, and the ledger is the venue's account."""
        state = self.world.state
        if not self.world.running:
            raise Finding("the engine does not run")
        doubts = [o.client_id for o in state.orders.values() if o.doubt_ms]
        if doubts:
            raise Finding(f"unknown outcomes are left: {doubts}")
        for order in state.orders.values():
            if Request.SENT in (order.cancel, order.amend) or order.life is Life.INTENDED:
                raise Finding(f"a request is never answered: {order.kind} {order.client_id}")
        for i in range(len(state.slots)):
            held = int(state.trade.book[i]["position_lots"])
            selling = self._for_sale(i)
            is_held_here = self.small.is_held_here(i, held - selling)
            if selling != min(held, self._most(i)) and not is_held_here:
                raise Finding(f"{held} lots are held, {self._for_sale(i)} are for sale, in {i}")
        wrong_clock = abs(self.world.ahead_ms) > SKEW_MS_MAX
        halts = [h for h in state.halts if not (wrong_clock and h.reason == BY_CLOCK)]
        if halts or state.differences:
            raise Finding(f"halts are left: {state.halts} {state.differences}")
        for client_id, n in self.world.venue.received.items():
            if n > 1:
                raise Finding(f"{client_id} was sent {n} times")
        for i in range(N):
            held = self._held(i) + state.outside_lots[i]
            if held != self.world.venue.lots[i]:
                raise Finding(
                    f"instrument {i}: ledger {held}, venue {self.world.venue.lots[i]} lots"
                )
        self._check_outcomes()
        ledger = int(state.trade.account[0]["cash"]) - self.world.cash_start
        known = self.world.venue.received.keys()
        venue = sum(
            cash
            for key, cash in self.world.venue.cash_of.items()
            if key.split("/")[0] in known or key in state.strange_execs
        )
        if ledger != venue:  # of strangers only what was reported; the rest shows in the balances
            raise Finding(f"cash: ledger {ledger}, venue {venue}")

    def _check_outcomes(self) -> None:
        """Every execution of our orders is known, and nothing is known that did not happen."""
        state, venue = self.world.state, self.world.venue
        known = state.orders | state.ended
        self.losses = sum(client_id not in known for client_id in venue.received)
        for client_id, order in known.items():
            held = venue.orders.get(client_id)
            happened = set() if held is None else {e.exec_id for e in held.executions}
            self.losses += len(happened - set(order.exec_ids))
            self.invented += len(set(order.exec_ids) - happened)
            if order.end_reason is not None and order.end_reason != "absent":
                self.invented += self._is_invented_end(order.end_reason, held)
        if self.losses or self.invented:
            raise Finding(f"{self.losses} outcomes are lost, {self.invented} are invented")

    def _is_invented_end(self, reason: EndReason, held: HeldOrder | None) -> bool:
        """Return whether the venue did not end an order that the engine takes as ended."""
        return held is None or held.ended is None
