"""What Binance says of orders and executions, as events: by its stream and by REST, the same."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ares.domain.events import Event
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.order_events import (
    EndReason,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
)
from ares.venues.amounts import NotANumber, decimal_of, money_units, nearest
from ares.venues.known_orders import KnownOrder, KnownOrders, Reading, sign_of
from ares.venues.markets import VenueMarket

ENDS: dict[str, EndReason] = {
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "rejected",
}
"""The venue's word for an end -> ours."""

RECENT_MAX = 2_000


class ReportedTrade(NamedTuple):
    """One execution as stream and REST both have it."""

    i: int
    client_id: str
    number: str
    sign: int
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    at_ms: int


class BinanceReports:
    """Reads messages and answers.

    markets : of the run's instruments, in order.
    recent  : id and venue's time of the executions that the stream has reported, the newest ones.
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
        self.recent: deque[tuple[str, int]] = deque(maxlen=RECENT_MAX)

    def begin_session(self) -> None:
        """A session has no numbers that would have to be counted."""

    def instrument(self, name: str) -> int:
        """Return the instrument of a symbol; -1: not of this run."""
        return self._by_name.get(name, -1)

    # --- the stream --------------------------------------------------------------------------

    def read(self, text: str) -> Reading:
        """Read a message; raise ValueError for one that is none."""
        message = json.loads(text, parse_float=Decimal)
        if not isinstance(message, dict):
            raise ValueError("a message is no object")  # noqa: TRY004 - the sender's fault
        event = message.get("event")
        if isinstance(event, dict):
            return self._read_event(event)
        if message.get("error") is not None:
            error = message["error"]
            words = error.get("msg") if isinstance(error, dict) else error
            return Reading(broken=f"a request was refused: {words}")
        result = message.get("result")
        is_subscribed = isinstance(result, dict) and "subscriptionId" in result
        return Reading(subscribed=is_subscribed)

    def _read_event(self, event: Mapping[str, Any]) -> Reading:
        kind, reading = event.get("e"), Reading()
        if kind == "eventStreamTerminated":
            return Reading(broken="the venue ended the stream")
        if kind == "executionReport":
            self._read_report(event, reading)
        return reading

    def _read_report(self, report: Mapping[str, Any], reading: Reading) -> None:
        venue_id, now_ms = str(report.get("i")), self._now_ms()
        client_id = str(report.get("C") or report.get("c") or venue_id)
        i, sign = self.instrument(str(report.get("s"))), sign_of(report.get("S"))
        self._known.add(venue_id, KnownOrder(client_id, i, sign))
        kind, status = str(report.get("x")), str(report.get("X"))
        if kind == "TRADE" and i >= 0:
            trade = self._trade_of_report(report, client_id)
            self.recent.append((exec_id(self._markets[i], trade.number), trade.at_ms))
            if self.fee_needs_price(trade):
                reading.unexplained.append(report)
            else:
                reading.events.append(self.filled(trade, None))
        elif kind == "NEW":
            reading.events.append(OrderAccepted(client_id, now_ms, venue_id))
        elif kind == "REPLACED" and i >= 0:
            lots = sign * self._lots(i, report.get("q"))
            ticks = self._ticks(i, report.get("P"))
            if ticks:  # only stops rest for long
                reading.events.append(OrderAmended(client_id, now_ms, lots, ticks))
        if status in ENDS:
            cum = sign * self._lots(i, report.get("z")) if i >= 0 else None
            reason, at_ms = str(report.get("r") or ""), int(report.get("T") or 0)
            detail = "" if status == "FILLED" else f"{status} {reason}".replace(" NONE", "")
            reading.events.append(
                OrderEnded(client_id, now_ms, ENDS[status], cum, detail, venue_ms=at_ms)
            )

    def _trade_of_report(self, report: Mapping[str, Any], client_id: str) -> ReportedTrade:
        return ReportedTrade(
            self.instrument(str(report.get("s"))), client_id, str(report["t"]),
            sign_of(report.get("S")), decimal_of(report.get("l")), decimal_of(report.get("L")),
            decimal_of(report.get("n") or "0"), str(report.get("N") or ""),
            int(report.get("T") or 0),
        )  # fmt: skip

    def reported(self, report: Mapping[str, Any]) -> ReportedTrade:
        """Return the execution of a report, see ``Reading.unexplained``."""
        return self._trade_of_report(report, str(report.get("C") or report.get("c")))

    # --- REST --------------------------------------------------------------------------------

    def trade(self, row: Mapping[str, Any], client_id: str) -> ReportedTrade:
        """Return an execution that REST listed; raise ValueError where it is of no instrument."""
        i = self.instrument(str(row.get("symbol")))
        if i < 0:
            raise NotANumber(f"execution {row.get('id')} is of no instrument here")
        return ReportedTrade(
            i, client_id, str(row["id"]), 1 if row.get("isBuyer") else -1,
            decimal_of(row.get("qty")), decimal_of(row.get("price")),
            decimal_of(row.get("commission") or "0"), str(row.get("commissionAsset") or ""),
            int(row.get("time") or 0),
        )  # fmt: skip

    def standing(self, order: Mapping[str, Any]) -> list[Event]:
        """Return where an order stands that REST reported, its executions aside."""
        venue_id, client_id = str(order.get("orderId")), str(order.get("clientOrderId"))
        i, sign = self.instrument(str(order.get("symbol"))), sign_of(order.get("side"))
        if i < 0 or not sign:
            raise NotANumber(f"order {venue_id} is of no instrument here")
        now_ms = self._now_ms()
        self._known.add(venue_id, KnownOrder(client_id, i, sign))
        filled, status = sign * self._lots(i, order.get("executedQty")), str(order.get("status"))
        if status in ENDS:
            detail = "" if status == "FILLED" else status
            at_ms = int(order.get("updateTime") or 0)
            return [OrderEnded(client_id, now_ms, ENDS[status], filled, detail, venue_ms=at_ms)]
        return [OrderAccepted(client_id, now_ms, venue_id)]

    # --- both --------------------------------------------------------------------------------

    def fee_needs_price(self, trade: ReportedTrade) -> bool:
        """Return whether a fee was paid in a third asset, such as BNB."""
        market = self._markets[trade.i]
        return bool(trade.fee) and trade.fee_asset not in (market.base, market.quote)

    def filled(self, trade: ReportedTrade, fee_price: Decimal | None) -> OrderFilled:
        """Return the event of an execution.

        fee_price : of the fee's asset in quote currency, where ``fee_needs_price``; None: there is
                    none, and the fee is not counted.
        """
        market = self._markets[trade.i]
        if not trade.sign:
            raise NotANumber(f"execution {trade.number} has no side")
        fee, base_fee = Decimal(0), 0
        if trade.fee_asset == market.base:
            base_fee = nearest(trade.fee, MONEY_DECIMALS)
        elif trade.fee_asset == market.quote:
            fee = trade.fee
        elif fee_price is not None:
            fee = trade.fee * fee_price
        elif trade.fee:
            self._say(
                f"{market.symbol}: a fee of {trade.fee} {trade.fee_asset} is not counted: no price"
            )
        lots = trade.sign * nearest(trade.quantity, market.qty_decimals)
        ticks = nearest(trade.price, market.price_decimals)
        return OrderFilled(
            trade.client_id, self._now_ms(), lots, ticks, money_units(fee),
            exec_id(market, trade.number), trade.i, trade.at_ms, base_fee,
        )  # fmt: skip

    def _lots(self, i: int, quantity: Any) -> int:
        return nearest(decimal_of(quantity), self._markets[i].qty_decimals)

    def _ticks(self, i: int, price: Any) -> int:
        return nearest(decimal_of(price or "0"), self._markets[i].price_decimals)


def exec_id(market: VenueMarket, number: str) -> str:
    """Return the id of an execution; Binance's own numbers are of one symbol each."""
    return f"{market.venue_id}-{number}"
