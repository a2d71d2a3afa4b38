"""What an order needs, holds, can pay and is charged, in whole units of 1e-8."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ares.sim.serve.account import Account, rounded
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.orders import SimOrder, cost_of
from ares.sim.serve.quotes import Quotes
from ares.sim.serve.slices import Slices

MILLION = 1_000_000


class VenueRules(NamedTuple):
    """What a venue asks of an order, and takes for it.

    fee_maker_ppm, fee_taker_ppm : millionths of the cost.
    min_cost                     : units of 1e-8 of the quote currency.
    stops_hold                   : a stop that rests holds what it would sell or pay.
    ids_once                     : a client id is refused again though its order has ended.
    """

    fee_maker_ppm: int
    fee_taker_ppm: int
    min_lots: Callable[[SymbolMarket], int]
    min_cost: int
    stops_hold: bool = True
    ids_once: bool = False


class Funds:
    """The money side of the orders of an account."""

    def __init__(self, account: Account, rules: VenueRules, slices: Slices, quotes: Quotes) -> None:
        self._account = account
        self._rules = rules
        self._slices = slices
        self._quotes = quotes

    def fee(self, order: SimOrder, lots: int, cost: int, is_maker: bool) -> tuple[int, str]:
        """Return the fee and its asset: the wanted one, unless the account has too little of it."""
        symbol, rules = order.symbol, self._rules
        ppm = rules.fee_maker_ppm if is_maker else rules.fee_taker_ppm
        wanted = order.requested.fee_in or ("quote" if order.is_buy else "base")
        fee = rounded(lots * ppm, MILLION)
        if wanted == "base" and (order.is_buy or self._account.free(symbol.base) >= fee):
            return fee, symbol.base
        return rounded(cost * ppm, MILLION), symbol.quote

    def affordable(self, order: SimOrder, ticks: int) -> int:
        """Return how much the account can pay for, or has to sell, at a price."""
        asset = order.symbol.quote if order.is_buy else order.symbol.base
        held = order.held[1] if order.held[0] == asset else 0
        units = self._account.free(asset) + held - self._promised_units(order)
        if not order.is_buy:
            return units
        with_fee = ticks * (MILLION + self._taker_ppm(order))
        scale: int = 10**order.symbol.price_decimals
        return max(units, 0) * scale * MILLION // with_fee

    def _promised_units(self, order: SimOrder) -> int:
        """Return what the partial fills to come will cost, or sell."""
        pieces = self._slices.pieces(order)
        if not order.is_buy:
            return sum(lots for _, lots in pieces)
        cost = sum(cost_of(order.symbol, ticks, lots) for ticks, lots in pieces)
        return cost + rounded(cost * self._taker_ppm(order), MILLION)

    def _taker_ppm(self, order: SimOrder) -> int:
        return 0 if order.requested.fee_in == "base" else self._rules.fee_taker_ppm

    def needed(self, order: SimOrder) -> tuple[str, int]:
        """Return the asset and the units that an order needs for what is not filled."""
        symbol, lots = order.symbol, max(order.left_lots, 0)
        if not order.is_buy:
            return symbol.base, lots
        ticks = order.limit_ticks or order.stop_ticks
        if ticks:
            cost = cost_of(symbol, ticks, lots)
        else:
            cost, left = 0, lots
            for level, size in self._quotes.book(symbol).asks:
                cost += cost_of(symbol, level, min(left, size))
                left -= min(left, size)
        return symbol.quote, cost + rounded(cost * self._taker_ppm(order), MILLION)

    def hold(self, order: SimOrder) -> None:
        """Hold what an open order needs now, instead of what it held."""
        asset, units = order.held
        if units:
            self._account.hold(asset, -units)
        order.held = ("", 0)
        if order.is_open and (self._rules.stops_hold or not order.awaits_trigger):
            order.held = self.needed(order)
            self._account.hold(*order.held)
