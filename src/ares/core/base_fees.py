"""Fees that a venue takes out of the bought base currency: the ledger holds what is left, exactly.

What is left is seldom a count of lots. The rest of less than a lot (dust) stays in the ledger, and
counts with the next purchase.
"""

from __future__ import annotations

from ares.core.state import State
from ares.domain.instrument import MONEY_DECIMALS
from ares.kernel.trade.money import notional_units


def lot_units(state: State, i: int) -> int:
    """Return how many units of 1e-8 of the base currency a lot has; 1 where it has fewer."""
    spec = state.setup.instruments[i % state.setup.n_instruments].spec
    return int(10 ** max(0, MONEY_DECIMALS - spec.qty_decimals))


def net_lots(state: State, lane: int, lots: int, base_fee_units: int) -> int:
    """Return how many lots a position changes by, signed; the dust of its instrument changes too.

    A position does not fall below zero: what a fee takes beyond it is taken from later purchases.
    """
    i = lane % state.setup.n_instruments
    held = int(state.trade.book[lane]["position_lots"])
    units = lots * lot_units(state, i) - base_fee_units + state.dust_units[i]
    net = max(units // lot_units(state, i), -held)
    state.dust_units[i] = units - net * lot_units(state, i)
    return net


def lots_value(state: State, lane: int, price_ticks: int, lots: int, net: int) -> int:
    """Return what the lots that a fee took are worth: ``net`` and this cost what ``lots`` did."""
    return _signed_units(state, lane, price_ticks, lots) - _signed_units(
        state, lane, price_ticks, net
    )


def split_strange(state: State, i: int, lots: int, base_fee_units: int) -> tuple[int, int]:
    """Return whole lots and rest of an execution that is not ours."""
    units = lots * lot_units(state, i) - base_fee_units
    net = units // lot_units(state, i)
    return net, units - net * lot_units(state, i)


def _signed_units(state: State, lane: int, price_ticks: int, lots: int) -> int:
    spec = state.params.specs[lane]
    mul, div = int(spec["notional_mul"]), int(spec["notional_div"])
    units = int(notional_units(price_ticks, abs(lots), mul, div))
    return units if lots > 0 else -units
