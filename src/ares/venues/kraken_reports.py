"""What Kraken says of orders and executions, as events: by WebSocket v2 and by REST, the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ares.domain.events import Event
from ares.domain.order_events import (
    EndReason,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
)
from ares.venues.amounts import NotANumber, decimal_of, money_units, nearest
from ares.venues.known_orders import KnownOrder, KnownOrders, Reading, sign_of
from ares.venues.kraken_words import would_take
from ares.venues.markets import VenueMarket

ENDS: dict[str, EndReason] = {
    "filled": "filled",
    "closed": "filled",
    "canceled": "cancelled",
    "expired": "expired",
    "rejected": "rejected",
}
"""The venue's word for an end -> ours."""


class KrakenReports:
    """Reads messages and answers.

    markets : of the run's instruments, in order.
    say     : called with one line for a person.
    newest_execution : id and venue's time of the newest one that the stream reported.
    """

    def __init__(
        self,
        markets: Sequence[VenueMarket],
        known: KnownOrders,
        now_ms: Callable[[], int],
        say: Callable[[str], None],
    ) -> None:
        self._markets, self._known, self._now_ms, self._say = markets, known, now_ms, say
        self._by_name = {name: i for i, m in enumerate(markets) for name in m.names}
        self._sequence = 0
        self.newest_execution: tuple[str, int] = ("", 0)

    def begin_session(self) -> None:
        """A new session counts its messages anew."""
        self._sequence = 0

    def instrument(self, name: str) -> int:
        """Return the instrument of any of a pair's names; -1: not of this run."""
        return self._by_name.get(name, -1)

    # --- WebSocket v2 ------------------------------------------------------------------------

    def read(self, text: str) -> Reading:
        """Read a message; raise ValueError for one that is none.

        Each entry of a message counts: ccxt sorts a whole message by its first entry, and an
        execution beside an order's change is lost.
        """
        if '"executions"' not in text and '"subscribe"' not in text:
            return Reading()
        message = json.loads(text, parse_float=Decimal)
        if not isinstance(message, dict):
            raise ValueError("a message is no object")  # noqa: TRY004 - the sender's fault
        if message.get("method") == "subscribe":
            return self._read_answer(message)
        if message.get("channel") != "executions":
            return Reading()
        broken = self._gap(message)
        reading = Reading(broken=broken)
        is_snapshot = message.get("type") == "snapshot"
        for entry in message.get("data") or ():
            self._learn(entry)
            if not is_snapshot:  # what is open is looked up after each connection
                self._read_entry(entry, reading)
        return reading

    def _read_answer(self, message: Mapping[str, Any]) -> Reading:
        result = message.get("result") or {}
        if message.get("success") is False:
            return Reading(broken=f"the subscription was refused: {message.get('error')}")
        if result.get("channel") != "executions":
            return Reading()
        return Reading(subscribed=True)

    def _gap(self, message: Mapping[str, Any]) -> str:
        """Return what is wrong with a message's number, and remember it."""
        number, before = message.get("sequence"), self._sequence
        if not isinstance(number, int):
            return ""
        self._sequence = number
        if before and number != before + 1:
            return f"message {number} came after {before}: what is between is lost"
        return ""

    def _learn(self, entry: Mapping[str, Any]) -> None:
        venue_id, client_id = str(entry.get("order_id") or ""), str(entry.get("cl_ord_id") or "")
        before = self._known.get(venue_id)
        client_id = client_id or (before.client_id if before else "")
        if not venue_id or not client_id:
            return
        sign = sign_of(entry.get("side")) or (before.sign if before else 0)
        instrument = self.instrument(str(entry.get("symbol") or ""))
        if instrument < 0 and before is not None:
            instrument = before.instrument
        self._known.add(venue_id, KnownOrder(client_id, instrument, sign))

    def _read_entry(self, entry: Mapping[str, Any], reading: Reading) -> None:
        venue_id, kind = str(entry.get("order_id") or ""), entry.get("exec_type")
        known, now_ms = self._known.get(venue_id), self._now_ms()
        if kind == "trade":
            if known is None:
                reading.unexplained.append(entry)
            else:
                reading.events += self.execution(entry, known.client_id)
        elif kind in ("pending_new", "new") and known is not None:
            reading.events.append(OrderAccepted(known.client_id, now_ms, venue_id))
        elif kind in ENDS:
            client_id = known.client_id if known else venue_id
            cum = self._signed(entry.get("cum_qty"), known)
            detail = str(entry.get("reason") or entry.get("cancel_reason") or "")
            at_ms = time_ms(entry.get("timestamp"))
            reading.events.append(
                OrderEnded(
                    client_id, now_ms, reason_of(str(kind), detail), cum, detail, venue_ms=at_ms
                )
            )
        elif kind in ("amended", "restated") and known is not None:
            amended = self._amended(entry, known)
            if amended is None:
                reading.look_ups.append((known.client_id, known.instrument))
            else:
                reading.events.append(amended)

    def _amended(self, entry: Mapping[str, Any], known: KnownOrder) -> OrderAmended | None:
        """Return an order's new size and price; None where the message does not have both."""
        trigger = entry.get("triggers") or {}
        price, lots = trigger.get("price"), self._signed(entry.get("order_qty"), known)
        if price is None or not lots:
            return None
        ticks = nearest(decimal_of(price), self._markets[known.instrument].price_decimals)
        return OrderAmended(known.client_id, self._now_ms(), lots, ticks)

    def _signed(self, quantity: Any, known: KnownOrder | None) -> int | None:
        """Return signed lots of an order; None where the venue did not say, or of whom."""
        if known is None or quantity is None or known.instrument < 0:
            return None
        lots = nearest(decimal_of(quantity), self._markets[known.instrument].qty_decimals)
        return 0 if lots == 0 else known.sign * lots if known.sign else None

    def execution(self, entry: Mapping[str, Any], client_id: str) -> list[Event]:
        """Return the event of an execution that the stream reported; none of another market."""
        i = self.instrument(str(entry.get("symbol") or ""))
        if i < 0:
            return []
        price, quantity = decimal_of(entry.get("last_price")), decimal_of(entry.get("last_qty"))
        fees = entry.get("fees") or ()
        paid = [(str(fee.get("asset")), decimal_of(fee.get("qty"))) for fee in fees]
        at_ms = time_ms(entry.get("timestamp"))
        if at_ms >= self.newest_execution[1]:
            self.newest_execution = (str(entry["exec_id"]), at_ms)
        return [
            self._filled(
                i, client_id, str(entry["exec_id"]), str(entry.get("side")), quantity, price,
                self._fee(i, paid, price), time_ms(entry.get("timestamp")),
            )
        ]  # fmt: skip

    # --- REST --------------------------------------------------------------------------------

    def trade(self, trade_id: str, trade: Mapping[str, Any], client_id: str) -> list[Event]:
        """Return the event of an execution that REST reported; none of another market."""
        i = self.instrument(str(trade.get("pair") or ""))
        if i < 0:
            return []
        price, quantity = decimal_of(trade.get("price")), decimal_of(trade.get("vol"))
        fee = self._fee(i, [(self._markets[i].quote, decimal_of(trade.get("fee") or "0"))], price)
        at_ms = int(float(trade.get("time") or 0.0) * 1000)
        return [
            self._filled(
                i, client_id, trade_id, str(trade.get("type")), quantity, price, fee, at_ms
            )
        ]

    def standing(self, venue_id: str, order: Mapping[str, Any], client_id: str) -> list[Event]:
        """Return where an order stands that REST reported, its executions aside."""
        described = order.get("descr") or {}
        i, now_ms = self.instrument(str(described.get("pair") or "")), self._now_ms()
        sign = sign_of(described.get("type"))
        if i < 0 or not sign:
            raise NotANumber(f"order {venue_id} is of no instrument here")
        self._known.add(venue_id, KnownOrder(client_id, i, sign))
        decimals = self._markets[i].qty_decimals
        filled = sign * nearest(decimal_of(order.get("vol_exec")), decimals)
        state = str(order.get("status"))
        if state in ENDS:
            detail = str(order.get("reason") or "")
            at_ms = int(float(order.get("closetm") or 0.0) * 1000)
            reason = reason_of(state, detail)
            return [OrderEnded(client_id, now_ms, reason, filled, detail, venue_ms=at_ms)]
        events: list[Event] = []
        if str(described.get("ordertype")).startswith("stop-loss"):
            lots = sign * nearest(decimal_of(order.get("vol")), decimals)
            ticks = nearest(decimal_of(described.get("price")), self._markets[i].price_decimals)
            events.append(OrderAmended(client_id, now_ms, lots, ticks))
        return [*events, OrderAccepted(client_id, now_ms, venue_id)]

    # --- both --------------------------------------------------------------------------------

    def _filled(
        self, i: int, client_id: str, exec_id: str, side: str, quantity: Decimal, price: Decimal,
        fee_units: int, at_ms: int,
    ) -> OrderFilled:  # fmt: skip
        market, sign = self._markets[i], sign_of(side)
        if not sign:
            raise NotANumber(f"execution {exec_id} has no side")
        lots = sign * nearest(quantity, market.qty_decimals)
        ticks = nearest(price, market.price_decimals)
        return OrderFilled(
            client_id, self._now_ms(), lots, ticks, fee_units, exec_id, i, venue_ms=at_ms
        )

    def _fee(self, i: int, paid: Sequence[tuple[str, Decimal]], price: Decimal) -> int:
        """Return a fee in money units; one in another asset is translated, and mentioned."""
        market, total = self._markets[i], Decimal(0)
        for asset, amount in paid:
            if asset in (market.quote, f"Z{market.quote}"):
                total += amount
            elif asset in (market.base, market.base_id):
                total += amount * price
                self._say(f"{market.symbol}: a fee of {amount} {asset}, counted at {price}")
            elif amount:
                self._say(f"{market.symbol}: a fee of {amount} {asset} is not counted: no price")
        return money_units(total)


def time_ms(text: Any) -> int:
    """Return the ms of a time as the stream writes it; 0 where there is none.

    >>> time_ms("2023-09-22T10:33:05.709950Z"), time_ms(None)
    (1695378785709, 0)
    """
    if not isinstance(text, str):
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def reason_of(word: str, detail: str) -> EndReason:
    """Return why an order ended: the venue accepts one that would take, and cancels it."""
    return "would_take" if would_take(detail) else ENDS[word]
