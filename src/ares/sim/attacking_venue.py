"""A venue that does everything that real ones have done, in virtual time and from one seed.

It knows the truth: which orders it holds, what was executed, what the account holds. What it
reports is late, doubled, reordered, lost, or wrong, as its faults say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from ares.domain.events import Command, Event
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    CancelRefused,
    EndReason,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderUnknown,
    QueryOrder,
    StopTriggered,
    SubmitOrder,
    VenueDown,
    VenueUp,
)
from ares.sim.delays import TIMEOUT_MS, Delays
from ares.sim.faults import Chance
from ares.sim.held_order import HeldOrder
from ares.sim.minimums import Minimums
from ares.sim.schedule import Schedule
from ares.sim.venue_states import VenueStates

OTHER_OWNER = "0e0f0a0b"


class AttackingVenue:
    """Holds orders, fills them at ``prices``, and reports to ``post``.

    post      : takes an event for the engine's inbox; what is posted while no engine runs is lost.
    fee       : money units of a notional in money units.
    owner     : first digits of the engine's client ids.
    received  : how often each client id was submitted. lots: what the account holds.
    order_lots_max : of each instrument, the largest order that is taken; 0: any. too_large: how
              many larger ones were sent.
    cash_of   : money units that each execution brought, by ``client id/execution id``.
    """

    def __init__(
        self,
        n_instruments: int,
        schedule: Schedule,
        draw: Random,
        chance: Chance,
        post: Callable[[Event], None],
        units: Callable[[int, int, int], int],
        owner: str = "",
    ) -> None:
        self.owner, self.n_instruments = owner, n_instruments
        self.prices, self.lots, self.order_lots_max = ([0] * n_instruments for _ in range(3))
        self.cash_of: dict[str, int] = {}
        self.orders: dict[str, HeldOrder] = {}
        self.orders_of_others: dict[str, HeldOrder] = {}
        self._open: dict[str, HeldOrder] = {}
        self.received: Counter[str] = Counter()
        self.executions = self.uncovered = self.too_large = 0
        self.is_up = True
        self._schedule, self._draw, self._chance = schedule, draw, chance
        self._delays = Delays(draw, chance)
        self.minimums = Minimums()
        self.states = VenueStates(n_instruments, schedule, draw, post)
        self._post, self._units = post, units
        self._session, self._next = 1, 0
        self._lost_reports = False

    def open_orders(self) -> list[HeldOrder]:
        """Return the orders that have not ended, oldest first."""
        for client_id in [k for k, order in self._open.items() if order.ended is not None]:
            del self._open[client_id]
        return list(self._open.values())

    def restart(self) -> None:
        """The engine has ended: what was on its way to it is lost, its next session begins."""
        self.is_up = True
        self._session += 1

    # --- the way there and back ----------------------------------------------------------------

    def send(self, command: Command) -> None:
        """Take a command on its way; it may never arrive."""
        client_id = getattr(command, "client_id", "")
        self.too_large += self._is_too_large(command)
        if not self.is_up or self._chance.happens("request_lost"):
            self._fail(client_id)
            return
        self._schedule.after(self._delays.message_ms(), lambda: self._arrive(command))

    def _arrive(self, command: Command) -> None:
        match command:
            case SubmitOrder():
                self._submit(command)
            case CancelOrder(client_id=client_id):
                self._cancel(client_id)
            case AmendOrder():
                self._amend(command)
            case QueryOrder(client_id=client_id):
                self._look_up(client_id)
            case AskAccount():
                self._show_account()

    def _fail(self, client_id: str) -> None:
        """The sender gets a timeout, or nothing at all."""
        if client_id and self._draw.random() < 0.5:
            self._schedule.after(
                TIMEOUT_MS,
                lambda: self._deliver(OrderUnknown(client_id, self._now_ms(), "timeout")),
            )

    def _answer(self, event: Event) -> None:
        """Send the direct answer to a command; it may be lost on the way."""
        if self._chance.happens("answer_lost"):
            self._fail(getattr(event, "client_id", ""))
            return
        self._send_back(event)

    def _report(self, event: Event) -> None:
        """Send a report over the private stream; it is lost only together with the session."""
        if not self.is_up:
            return
        if self._chance.happens("session_lost"):
            self._break_session()
            return
        self._send_back(event)

    def _send_back(self, event: Event) -> None:
        session = self._session
        for _ in range(2 if self._chance.happens("doubled") else 1):
            self._schedule.after(self._delays.message_ms(), lambda: self._deliver(event, session))

    def _deliver(self, event: Event, session: int = 0) -> None:
        if self.is_up and session in (0, self._session):
            self._post(event)

    def _break_session(self) -> None:
        self.is_up = False
        self._session += 1
        session = self._session
        self._post(VenueDown(self._now_ms(), "the socket closed"))

        def restored() -> None:
            self.is_up = True
            self._post(VenueUp(self._now_ms(), session))

        self._schedule.after(self._delays.outage_ms(), restored)

    # --- orders --------------------------------------------------------------------------------

    def _submit(self, command: SubmitOrder) -> None:
        self.received[command.client_id] += 1
        if command.client_id in self.orders:
            return
        order = HeldOrder(
            command.client_id, command.instrument, command.kind, command.lots, command.price_ticks,
            limit_ticks=command.limit_ticks,
        )  # fmt: skip
        self.orders[order.client_id] = self._open[order.client_id] = order
        late = 0 < command.send_by_ms < self._schedule.now_ms
        i = command.instrument % self.n_instruments
        selling = sum(
            o.remaining_lots
            for o in self.open_orders()
            if o.lots < 0 and o.instrument % self.n_instruments == i
        )
        covered = command.lots > 0 or -selling <= self.lots[i]
        is_open = self.states.takes(i, command.kind, command.price_ticks)
        units = self._units(i, command.price_ticks or self.prices[i], abs(command.lots))
        fits = self.minimums.takes(command.lots, units) and is_open and self._takes(i, command.lots)
        if late or not covered or not fits or self._chance.happens("rejected"):
            order.ended = "rejected"
            detail = "deadline" if late else "refused" if covered else "insufficient balance"
            if not covered:
                self.uncovered += 1
            self._answer(OrderEnded(order.client_id, self._now_ms(), "rejected", 0, detail))
            return
        self._answer(OrderAccepted(order.client_id, self._now_ms(), f"v{len(self.orders)}"))
        if command.kind != "stop":
            self._fill_later(order)
        elif order.limit_ticks and self.prices[i] <= order.price_ticks:
            self._trigger(order)
        elif self._chance.happens("stop_dropped"):
            self._schedule.after(self._draw.randint(100, 20_000), lambda: self._drop(order))

    def _takes(self, i: int, lots: int) -> bool:
        most = self.order_lots_max[i]
        return most == 0 or abs(lots) <= most

    def _is_too_large(self, command: Command) -> bool:
        """Return whether it is for a larger order than is taken, and than is held already."""
        if not isinstance(command, SubmitOrder | AmendOrder):
            return False
        held = self.orders.get(command.client_id)
        grows = held is None or abs(command.lots) > abs(held.lots)
        return grows and not self._takes(command.instrument % self.n_instruments, command.lots)

    def limit(self, order_lots_max: list[int]) -> None:
        """Take no larger orders from now on; half of the stops that are larger are dropped."""
        self.order_lots_max = order_lots_max
        for order in self.open_orders():
            i = order.instrument % self.n_instruments
            too_large = order.kind == "stop" and not self._takes(i, order.lots)
            if too_large and self._draw.random() < 0.5:
                self._end(order, "cancelled")

    def _drop(self, order: HeldOrder) -> None:
        if order.ended is None:
            self._end(order, "cancelled")

    def _fill_later(self, order: HeldOrder) -> None:
        self._schedule.after(self._delays.fill_ms(), lambda: self._fill(order))

    def _fill(self, order: HeldOrder) -> None:
        if order.ended is not None or self.is_jumped(order):
            return
        left = abs(order.remaining_lots)
        lots = left
        if left > 1 and self._chance.happens("partly_filled"):
            lots = self._draw.randint(1, left)
        self._execute(order, lots if order.lots > 0 else -lots)
        if order.remaining_lots == 0:
            order.ended = "filled"
            if self._draw.random() < 0.5:
                self._report_end(order, "filled")
            if self._chance.happens("beyond_order"):
                self._execute(order, 1 if order.lots > 0 else -1)
        elif order.kind == "entry" and self._draw.random() < 0.3:
            self._end(order, "expired")
        else:
            self._fill_later(order)

    def _execute(self, order: HeldOrder, lots: int, *, silent: bool = False) -> OrderFilled | None:
        """Trade at the market, as far as the account reaches; report it unless ``silent``."""
        i = order.instrument % self.n_instruments
        if lots < 0:
            lots = -min(-lots, self.lots[i])
        if lots == 0:
            return None
        self._next += 1
        price = self.prices[i]
        units = self._units(i, price, abs(lots))
        fee = units // 1_000
        self.lots[i] += lots
        cash = -(units if lots > 0 else -units) - fee
        self.cash_of[f"{order.client_id}/x{self._next}"] = cash
        order.filled_lots += lots
        event = OrderFilled(
            order.client_id, self._now_ms(), lots, price, fee, f"x{self._next}", order.instrument,
            self._schedule.now_ms,
        )  # fmt: skip
        order.executions.append(event)
        self.executions += 1
        if not silent:
            self._report(event)
        return event

    def _end(self, order: HeldOrder, reason: EndReason) -> None:
        """End an order; an execution may be reported only after its end."""
        if self._chance.happens("late_fill") and order.remaining_lots:
            lots = self._draw.choice([1, self._draw.randint(1, abs(order.remaining_lots))])
            late = self._execute(order, lots if order.lots > 0 else -lots, silent=True)
            if late is not None:
                self._schedule.after(self._delays.late_ms(), lambda: self._report(late))
        order.ended = "filled" if order.remaining_lots == 0 else reason
        self._report_end(order, order.ended)

    def _report_end(self, order: HeldOrder, reason: EndReason) -> None:
        cum = order.filled_lots if self._draw.random() < 0.8 else None
        self._report(OrderEnded(order.client_id, self._now_ms(), reason, cum))

    def _cancel(self, client_id: str) -> None:
        order = self.orders.get(client_id)
        if order is None or order.ended is not None or self._chance.happens("cancel_refused"):
            self._answer(CancelRefused(client_id, self._now_ms(), "unknown or closed"))
            return
        if self._draw.random() < 0.2:  # it fills during the cancel
            self._fill(order)
        if order.ended is None:
            self._end(order, "cancelled")

    def _amend(self, command: AmendOrder) -> None:
        order = self.orders.get(command.client_id)
        if order is None or order.ended is not None or self._chance.happens("cancel_refused"):
            self._answer(AmendRefused(command.client_id, self._now_ms(), "unknown or closed"))
            return
        if order.limit_ticks and order.triggered:
            self._answer(AmendRefused(command.client_id, self._now_ms(), "triggered"))
            return
        i, grows = order.instrument % self.n_instruments, abs(command.lots) > abs(order.lots)
        units = self._units(i, command.price_ticks, abs(command.lots))
        fits = self.minimums.takes(command.lots, units)
        if not fits or (grows and not self._takes(i, command.lots)):
            self._answer(AmendRefused(command.client_id, self._now_ms(), "no such size"))
            return
        order.lots, order.price_ticks = command.lots, command.price_ticks
        order.limit_ticks = command.limit_ticks
        if abs(order.filled_lots) >= abs(order.lots):
            self._end(order, "filled")
            return
        self._answer(
            OrderAmended(command.client_id, self._now_ms(), command.lots, command.price_ticks)
        )

    def _look_up(self, client_id: str) -> None:
        """Report all executions of an order, then where it stands; or that it was not found."""
        order = self.orders.get(client_id)
        if order is None or self._draw.random() < 0.05:
            complete = order is None and self._draw.random() < 0.8
            self._answer(OrderAbsent(client_id, self._now_ms(), complete, self._schedule.now_ms))
            return
        for event in order.executions:
            self._answer(event)
        if order.ended is None:
            if order.kind == "stop":
                self._answer(OrderAmended(client_id, self._now_ms(), order.lots, order.price_ticks))
            self._answer(OrderAccepted(client_id, self._now_ms()))
            if order.triggered and order.limit_ticks:
                self._answer(StopTriggered(client_id, self._now_ms()))
        else:
            self._answer(OrderEnded(client_id, self._now_ms(), order.ended, order.filled_lots))

    def _show_account(self) -> None:
        open_ids = tuple(o.client_id for o in self.open_orders())
        complete = self._draw.random() < 0.95
        now_ms = self._now_ms()
        self._answer(AccountSeen(now_ms, now_ms, complete, tuple(self.lots), open_ids))

    # --- the market ----------------------------------------------------------------------------

    def price(self, i: int, ticks: int) -> None:
        """Let an instrument trade at a price: stops at or above it are triggered."""
        self.prices[i] = ticks
        for order in self.open_orders():
            if order.instrument % self.n_instruments != i or order.kind != "stop":
                continue
            if order.triggered and order.limit_ticks:
                self._fill(order)
            elif not order.triggered and ticks <= order.price_ticks:
                self._trigger(order)
        if self._chance.happens("state_changed"):
            self.states.change(i)
        if self._chance.happens("unknown_order"):
            self._trade_of_a_person(i)
        if self._chance.happens("other_engine"):
            self._order_of_another_engine(i, OTHER_OWNER)
        if self._chance.happens("second_machine"):
            self._order_of_another_engine(i, self.owner)
        if self._chance.happens("moved_capital"):
            self.lots[i] = max(0, self.lots[i] + self._draw.randint(-50, 50))

    def _trigger(self, order: HeldOrder) -> None:
        """Trigger a stop: it sells at the market, or rests as a limit order from now on."""
        order.triggered = True
        if order.limit_ticks and not self._chance.happens("trigger_unsaid"):
            self._report(StopTriggered(order.client_id, self._now_ms()))
        self._fill(order)

    def is_jumped(self, order: HeldOrder) -> bool:
        """Return whether an order is a stop-limit that the market has jumped over."""
        return order.triggered and self.prices[order.instrument % self.n_instruments] < (
            order.limit_ticks
        )

    def _trade_of_a_person(self, i: int) -> None:
        order = HeldOrder(f"app-{self._next}", i, "entry", self._draw.choice([-9, 5, 20]), 0)
        self._execute(order, order.lots)

    def _order_of_another_engine(self, i: int, owner: str) -> None:
        """Take an order of a bot on the same account, or of one that believes to be this engine; it
        is reported to all of them.
        """
        client_id = f"{owner}{self._draw.getrandbits(96):024x}"
        lots = self._draw.choice([-30, 10, 40])
        kind = "entry" if lots > 0 else "exit"
        order = HeldOrder(client_id, i, kind, lots, 0)
        self.orders[client_id] = self.orders_of_others[client_id] = order
        self._open[client_id] = order
        self._report(OrderAccepted(client_id, self._now_ms(), f"v{len(self.orders)}"))
        self._fill_later(order)
        self._schedule.after(self._delays.slow_ms(), lambda: self._drop(order))

    # --- helpers -------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        return self._schedule.now_ms
