"""What the ensemble of a lane has earned on one unit of notional since it was assigned there."""

from __future__ import annotations

from ares.kernel.bars import F64
from ares.kernel.jit import njit
from ares.kernel.trade.arrays import TradeParams, TradeState
from ares.kernel.trade.money import notional_units
from ares.kernel.trade.virtual import EXITS, HELD


@njit
def arm_values(state: TradeState, params: TradeParams, pnl_bps: F64, barrier_bps: F64) -> None:
    """Write what each lane's ensemble has earned so far and risks now, both ``(n_lanes,)``.

    pnl_bps : closed trades, and the open one (real, else virtual) at the newest close with its
              fees so far; not a position inherited from another ensemble. Only differences
              between two instants mean something.
    barrier_bps : distance of the open trade's stop; 0: there is none.
    """
    for i in range(state.book.shape[0]):
        lane, virtual, spec = state.book[i], state.virtual[i], params.specs[i]
        open_bps = 0.0
        barrier_bps[i] = 0.0
        if lane.position_lots != 0 and lane.inherited == 0:
            value = notional_units(
                lane.last_close, lane.position_lots, spec.notional_mul, spec.notional_div
            )
            spent = lane.entry_units + lane.position_fees
            open_bps = (lane.exit_units + value - spent) / max(1, lane.entry_units) * 1e4
            barrier_bps[i] = lane.entry_barrier_bps
        elif virtual.status in (HELD, EXITS):
            change = lane.last_close / virtual.entry_ticks - 1.0
            open_bps = change * 1e4 - params.rules[0].fee_ppm * 1e-2
            barrier_bps[i] = virtual.barrier_bps
        pnl_bps[i] = lane.arm_bps + open_bps
