"""What Alpaca says of orders and executions, as events: by its stream and by REST, the same."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ares.domain.events import Event
from ares.domain.order_events import (
    EndReason,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    StopTriggered,
)
from ares.venues.alpaca_claims import is_claim
from ares.venues.alpaca_fees import CryptoFees
from ares.venues.amounts import NotANumber, decimal_of, nearest
from ares.venues.known_orders import KNOWN_MAX, Reading, sign_of
from ares.venues.markets import VenueMarket

STREAM = "trade_updates"
ENDS: dict[str, EndReason] = {
    "filled": "filled",
    "canceled": "cancelled",
    "replaced": "cancelled",
    "expired": "expired",
    "done_for_day": "expired",
    "rejected": "rejected",
}
"""The venue's word for an end -> ours. Who replaces an order by hand ends it."""

OPENS = ("new", "accepted", "pending_new")


class AlpacaReports:
    """Reads messages and answers.

    markets : of the run's instruments, in order.
    fees    : of the account.
    """

    def __init__(
        self, markets: Sequence[VenueMarket], fees: CryptoFees, now_ms: Callable[[], int]
    ) -> None:
        self._markets, self._fees, self._now_ms = markets, fees, now_ms
        names = ((name, i) for i, market in enumerate(markets) for name in market.names)
        self._by_name = {each: i for name, i in names for each in (name, name.replace("/", ""))}
        self.venue_ids: OrderedDict[str, str] = OrderedDict()

    def instrument(self, name: str) -> int:
        """Return the instrument of any of a pair's names; -1: not of this run."""
        return self._by_name.get(name, -1)

    def learn(self, order: Mapping[str, Any]) -> None:
        """Keep the venue's id of an order; cancels name it."""
        client_id, venue_id = str(order.get("client_order_id") or ""), str(order.get("id") or "")
        if client_id and venue_id:
            self.venue_ids[client_id] = venue_id
            self.venue_ids.move_to_end(client_id)
            while len(self.venue_ids) > KNOWN_MAX:
                self.venue_ids.popitem(last=False)

    def begin_session(self) -> None:
        """Messages have no numbers: nothing to begin."""

    # --- the stream --------------------------------------------------------------------------

    def read(self, text: str) -> Reading:
        """Read a message; raise ValueError for one that is none."""
        message = json.loads(text, parse_float=Decimal)
        if not isinstance(message, dict):
            raise ValueError("a message is no object")  # noqa: TRY004 - the sender's fault
        stream, data = message.get("stream"), message.get("data")
        data = data if isinstance(data, dict) else {}
        if stream == "authorization" and data.get("status") != "authorized":
            return Reading(broken=f"the venue refused the stream: {data.get('message')}")
        if stream == "listening":
            return Reading(subscribed=STREAM in (data.get("streams") or ()))
        reading = Reading()
        if stream == STREAM:
            self._read_update(data, reading)
        return reading

    def _read_update(self, data: Mapping[str, Any], reading: Reading) -> None:
        order, kind = data.get("order"), str(data.get("event"))
        if not isinstance(order, dict):
            raise NotANumber("a trade update has no order")
        if is_claim(order, self._markets):  # whoever sent it asks for its end
            return
        self.learn(order)
        client_id, now_ms = str(order["client_order_id"]), self._now_ms()
        if kind in ("fill", "partial_fill"):
            at_ms = time_ms(data.get("timestamp"))
            price, quantity = decimal_of(data.get("price")), decimal_of(data.get("qty"))
            reading.events += self._executed(order, order["filled_qty"], price, quantity, at_ms)
            if kind == "partial_fill":
                reading.events += self.triggered(order)
        if kind in OPENS:
            reading.events.append(OrderAccepted(client_id, now_ms, str(order["id"])))
        elif kind == "fill" or kind in ENDS:
            reading.events.append(self.end(order, "filled" if kind == "fill" else kind))

    # --- REST --------------------------------------------------------------------------------

    def execution(self, activity: Mapping[str, Any], order: Mapping[str, Any]) -> list[Event]:
        """Return the event of an execution of an order; none of another market."""
        price, quantity = decimal_of(activity.get("price")), decimal_of(activity.get("qty"))
        at_ms = time_ms(activity.get("transaction_time"))
        return self._executed(order, activity.get("cum_qty"), price, quantity, at_ms)

    def standing(self, order: Mapping[str, Any]) -> Event:
        """Return where an order stands that REST reported, its executions aside."""
        if str(order.get("status")) in ENDS:
            return self.end(order, str(order["status"]))
        if self.instrument(str(order.get("symbol"))) < 0 or not sign_of(order.get("side")):
            raise NotANumber(f"order {order.get('id')} is of no instrument here")
        return OrderAccepted(str(order["client_order_id"]), self._now_ms(), str(order["id"]))

    def triggered(self, order: Mapping[str, Any]) -> list[Event]:
        """Return that a stop was triggered, where it has filled in part: the venue has no word for
        it before.
        """
        if order.get("type") != "stop_limit" or not decimal_of(order.get("filled_qty") or "0"):
            return []
        return [StopTriggered(str(order["client_order_id"]), self._now_ms())]

    def end(self, order: Mapping[str, Any], kind: str) -> OrderEnded:
        """Return the end of an order, with what it has filled in all."""
        i, sign = self.instrument(str(order.get("symbol"))), sign_of(order.get("side"))
        lots = None
        if i >= 0 and sign:
            filled = decimal_of(order.get("filled_qty") or "0")
            lots = sign * nearest(filled, self._markets[i].qty_decimals)
        at_ms = time_ms(order.get("updated_at"))
        detail = "" if kind == "filled" else kind
        return OrderEnded(
            str(order["client_order_id"]), self._now_ms(), ENDS[kind], lots, detail, venue_ms=at_ms
        )

    # --- both --------------------------------------------------------------------------------

    def _executed(
        self, order: Mapping[str, Any], cum: Any, price: Decimal, quantity: Decimal, at_ms: int
    ) -> list[Event]:
        """Return an execution. It is named by what the order has filled with it: stream and REST
        have ids of their own kinds.
        """
        i, sign = self.instrument(str(order.get("symbol"))), sign_of(order.get("side"))
        if i < 0:
            return []
        if not sign:
            raise NotANumber(f"an execution of order {order.get('id')} has no side")
        market = self._markets[i]
        fee = self._fees.taken(sign, quantity, price, is_maker=_fills_as_maker(order, price))
        return [
            OrderFilled(
                str(order["client_order_id"]), self._now_ms(),
                sign * nearest(quantity, market.qty_decimals),
                nearest(price, market.price_decimals), fee.fee_units,
                f"{order['id']}:{decimal_of(cum).normalize():f}", i, venue_ms=at_ms,
                base_fee_units=fee.base_fee_units,
            )
        ]  # fmt: skip


def _fills_as_maker(order: Mapping[str, Any], price: Decimal) -> bool:
    """Return whether an execution is a maker's: what rests fills at its own limit, what takes at
    that or better.
    """
    limit = order.get("limit_price")
    return order.get("time_in_force") != "ioc" and limit is not None and decimal_of(limit) == price


def time_ms(text: Any) -> int:
    """Return the ms of a time; 0 where there is none.

    >>> time_ms("2022-12-16T07:28:51.676219690Z"), time_ms(None)
    (1671175731676, 0)
    """
    if not isinstance(text, str):
        return 0
    head, dot, rest = text.replace("Z", "+00:00").partition(".")
    if dot:  # nanoseconds, of which Python takes six digits
        digits = len(rest) - len(rest.lstrip("0123456789"))
        head = f"{head}.{rest[: min(digits, 6)]}{rest[digits:]}"
    try:
        moment = datetime.fromisoformat(head)
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
