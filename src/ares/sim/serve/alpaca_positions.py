"""Balances as Alpaca shows them: cash in USD, everything else as positions valued in USD."""

from __future__ import annotations

from typing import Any

from ares.sim.serve.account import Account, rounded
from ares.sim.serve.alpaca_words import USD, asset_id
from ares.sim.serve.orders import SimOrder
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.views import View
from ares.sim.serve.wire import rfc3339, trimmed

UNIT = 10**8
DOLLARS = ("USD", "USDT", "USDC")
"""Worth one dollar here."""


class Valuation:
    """What the assets of an account are worth in USD, in units of 1e-8."""

    def __init__(self, venue: SimVenue) -> None:
        self._venue = venue

    def price(self, asset: str) -> int:
        """Return the price of an asset in units; 0 where no market of it ends in dollars."""
        if asset in DOLLARS:
            return UNIT
        now_ms = self._venue.now_ms()
        for symbol in self._venue.market.symbols:
            if symbol.base == asset and symbol.quote in DOLLARS:
                return int(symbol.last_ticks(now_ms) * 10 ** (8 - symbol.price_decimals))
        return 0

    def value_usd(self, asset: str, units: int) -> int:
        """Return what so many units are worth in USD."""
        return rounded(units * self.price(asset), UNIT)


def position_facts(view: View, asset: str, value: Valuation) -> dict[str, Any]:
    """Return a position; its average price is that of all that was bought."""
    account, units = view.account, view.account.balance(asset)
    bought = [e for o, e in view.executions if o.is_buy and o.symbol.base == asset]
    lots, cost = sum(e.lots for e in bought), sum(e.cost for e in bought)
    now, entry = value.price(asset), rounded(cost * UNIT, lots) if lots else value.price(asset)
    market, basis = value.value_usd(asset, units), rounded(units * entry, UNIT)
    profit = market - basis
    share = trimmed(rounded(profit * UNIT, basis) if basis else 0, 8)
    return {
        "asset_id": asset_id(asset),
        "symbol": f"{asset}{USD}",
        "exchange": "CRYPTO",
        "asset_class": "crypto",
        "asset_marginable": False,
        "qty": trimmed(units, 8),
        "qty_available": trimmed(account.free(asset), 8),
        "avg_entry_price": trimmed(entry, 8),
        "side": "long",
        "market_value": trimmed(market, 8),
        "cost_basis": trimmed(basis, 8),
        "unrealized_pl": trimmed(profit, 8),
        "unrealized_plpc": share,
        "unrealized_intraday_pl": trimmed(profit, 8),
        "unrealized_intraday_plpc": share,
        "current_price": trimmed(now, 8),
        "lastday_price": trimmed(entry, 8),
        "change_today": share,
    }


def held_assets(account: Account) -> list[str]:
    """Return the assets of which there is a position."""
    return [asset for asset, units in account.balances.items() if units and asset != USD]


def account_facts(view: View, value: Valuation, from_ms: int) -> dict[str, Any]:
    """Return /v2/account; cash excludes what open orders hold. from_ms: when it was opened."""
    account = view.account
    cash, free = account.balance(USD), account.free(USD)
    held = sum(value.value_usd(asset, account.balance(asset)) for asset in held_assets(account))
    equity, none = trimmed(cash + held, 8), "0"
    zero = ("accrued_fees", "pending_transfer_in", "short_market_value", "initial_margin",
            "maintenance_margin", "last_maintenance_margin", "sma")  # fmt: skip
    buying = ("buying_power", "regt_buying_power", "non_marginable_buying_power",
              "options_buying_power", "effective_buying_power")  # fmt: skip
    return {
        "id": asset_id("account"),
        "account_number": "PA0000000001",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "crypto_tier": 1,
        "currency": USD,
        "cash": trimmed(free, 8),
        **dict.fromkeys(buying, trimmed(free, 8)),
        **dict.fromkeys(zero, none),
        "portfolio_value": equity,
        "equity": equity,
        "last_equity": equity,
        "position_market_value": trimmed(held, 8),
        "long_market_value": trimmed(held, 8),
        "multiplier": "1",
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "shorting_enabled": False,
        "created_at": rfc3339(from_ms),
    }


def needs(order_asset: str, account: Account, requested: int) -> dict[str, str]:
    """Return what a refusal for lack of funds tells."""
    return {
        "asset": order_asset,
        "requested": trimmed(requested, 8),
        "available": trimmed(account.free(order_asset), 8),
        "balance": trimmed(account.balance(order_asset), 8),
    }


def is_of(order: SimOrder, symbols: frozenset[str]) -> bool:
    """Return whether an order is of one of these pairs; none named: of all."""
    return not symbols or bool(
        symbols & {order.symbol.symbol, order.symbol.symbol.replace("/", "")}
    )
