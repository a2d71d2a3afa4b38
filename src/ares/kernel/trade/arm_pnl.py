"""What the ensemble of a lane has made of one unit of notional since it was seated there."""

from __future__ import annotations

from ares.kernel.bars import F64
from ares.kernel.jit import lean
from ares.kernel.trade.layout import Records
from ares.kernel.trade.money import notional_units
from ares.kernel.trade.virtual import HELD, LEAVES


@lean
def arm_values(
    book: Records, virtual: Records, rules: Records, specs: Records, value: F64, width: F64
) -> None:
    """Write what each lane's ensemble is worth and risks now, both ``(n_lanes,)`` in bps.

    value : closed trades, and the open one (real, else virtual) at the newest close with its fees
            so far; not one that another ensemble began. Only differences between two instants mean
            something.
    width : distance of the open trade's stop; 0: there is none.
    """
    for i in range(book.shape[0]):
        open_bps = 0.0
        width[i] = 0.0
        if book[i].position_lots != 0 and book[i].foreign == 0:
            left = notional_units(
                book[i].last_close, book[i].position_lots, specs[i].notional_mul,
                specs[i].notional_div,
            )  # fmt: skip
            spent = book[i].entry_units + book[i].position_fees
            open_bps = (book[i].exit_units + left - spent) / max(1, book[i].entry_units) * 1e4
            width[i] = book[i].entry_width
        elif virtual[i].status == HELD or virtual[i].status == LEAVES:
            change = book[i].last_close / virtual[i].entry_ticks - 1.0
            open_bps = change * 1e4 - rules[0].fee_ppm * 1e-2
            width[i] = virtual[i].width
        value[i] = book[i].arm_bps + open_bps
