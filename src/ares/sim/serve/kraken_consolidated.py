"""Kraken's taker trades as its REST shows them unless asked otherwise: one for each taking.

``consolidate_taker`` is true by default: the fills that an order took one after the other are one
trade, with the id of the first. The executions channel has them one by one, with other ids.
"""

from __future__ import annotations

from collections.abc import Sequence

from ares.sim.serve.account import rounded
from ares.sim.serve.orders import Execution, SimOrder

Row = tuple[SimOrder, Execution]


def consolidated(rows: Sequence[Row]) -> list[Row]:
    """Return executions in order, with those that were taken one after the other as one."""
    found: list[Row] = []
    for order, execution in rows:
        if found and found[-1][0] is order and _is_one(found[-1][1], execution):
            found[-1] = (order, _sum(order, found[-1][1], execution))
        else:
            found.append((order, execution))
    return found


def _is_one(before: Execution, after: Execution) -> bool:
    both_take = not before.is_maker and not after.is_maker
    return both_take and before.fee_asset == after.fee_asset


def _sum(order: SimOrder, before: Execution, after: Execution) -> Execution:
    """Return both as one: the price is the average, to the tick."""
    lots, cost = before.lots + after.lots, before.cost + after.cost
    ticks = rounded(cost * 10**order.symbol.price_decimals, lots)
    return before._replace(ticks=ticks, lots=lots, cost=cost, fee=before.fee + after.fee)
