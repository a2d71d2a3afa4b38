"""What look-ups read: the account as it is, or (fault ``stale``) as it was when the fault began."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ares.sim.serve.account import Account
from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.matching import Exchange
from ares.sim.serve.orders import Execution, SimOrder


class View(NamedTuple):
    """An account's orders, oldest first, those that ended, its executions, and its balances."""

    orders: list[SimOrder]
    closed: list[SimOrder]
    executions: list[tuple[SimOrder, Execution]]
    account: Account


class Views:
    """Gives the view of now, or the one that was kept."""

    def __init__(self, exchange: Exchange, faults: ActiveFaults) -> None:
        self._exchange = exchange
        self._faults = faults
        self._kept: View | None = None

    def tick(self) -> None:
        """Keep a view while the fault is active; to be called often."""
        if not self._faults.is_active("stale"):
            self._kept = None
        elif self._kept is None:
            self._kept = self._copied()

    def view(self, request: str) -> View:
        """Return what a look-up reads; ``request`` is its text, for the fault's ``only``."""
        self.tick()
        if self._kept is not None and self._faults.struck("stale", "rest", request):
            return self._kept
        exchange = self._exchange
        orders = list(exchange.orders.values())
        return View(orders, exchange.closed, exchange.executions, exchange.account)

    def _copied(self) -> View:
        exchange = self._exchange
        orders = {
            order.order_id: replace(order, executions=list(order.executions), fees=dict(order.fees))
            for order in exchange.orders.values()
        }
        account = Account(exchange.account.balances)
        account.held = dict(exchange.account.held)
        executions = [(orders[order.order_id], each) for order, each in exchange.executions]
        closed = [orders[order.order_id] for order in exchange.closed]
        return View(list(orders.values()), closed, executions, account)
