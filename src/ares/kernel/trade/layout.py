"""The trade half's state and records, as padding-free NumPy layouts: every field is 8 bytes.

Ticks and lots are integers on the instrument's grid; money is int64 in units of 1e-8 of the
quote currency; shares of equity are fractions. Allocate with the functions below (zeroed), so
that equal states have equal bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Records = NDArray[np.void]

# --- codes -------------------------------------------------------------------------------------

MODE_LEARNING = 0
MODE_TRADING = 1

ENTRY = 1
EXIT = 2
STOP = 3
CANCEL_STOP = 4
REFUSAL = 5
"""Kinds of request; REFUSAL is an entry that was refused: it opens a virtual trade. A decision
requests entries, exits and refusals. STOP and CANCEL_STOP are what brings the resting stop to the
wanted one: ``scan`` logs them for its venue, the engine's order machine sends orders instead."""

REASON_NONE = 0
REASON_SIGNAL = 1
REASON_STOP = 2
REASON_TAKE = 3
REASON_TIMEOUT = 4
REASON_END = 5
REASON_REVERSAL = 6
REASON_OPERATOR = 7
REASON_DRAWDOWN = 8
"""Why a position was opened or closed."""

ALLOWED = 0
REFUSED_LEARNING = 1
REFUSED_HALTED = 2
REFUSED_DAILY_LOSS = 3
REFUSED_DRAWDOWN = 4
REFUSED_WIN_RATE = 5
REFUSED_FAILURES = 6
REFUSED_VOLATILITY = 7
REFUSED_EXECUTION = 8
REFUSED_SLIPPAGE = 9
REFUSED_POSITION_CAP = 10
REFUSED_EXPOSURE = 11
REFUSED_ORDER_MAX = 12
REFUSED_ORDER_MIN = 13
REFUSED_CASH = 14
REFUSED_ORDER_RATE = 15
REFUSED_COLLAR = 16
REFUSED_SHADOW = 17
REFUSED_GAS = 18
REFUSED_NOT_ALLOWED = 19
REFUSED_ORDER_CAP = 20
REFUSED_NO_STOP = 21
REFUSED_NOT_TRADABLE = 22
REFUSAL_NAMES = (
    "allowed",
    "mode_learning",
    "halted",
    "daily_loss_limit",
    "breaker_drawdown",
    "breaker_win_rate",
    "breaker_failures",
    "breaker_volatility",
    "breaker_execution",
    "breaker_slippage",
    "position_cap",
    "gross_exposure",
    "order_above_max",
    "order_below_min",
    "cash",
    "orders_per_minute",
    "price_collar",
    "no_champion",
    "breaker_gas",
    "not_on_allow_list",
    "order_above_cap",
    "no_stop",
    "not_tradable",
)
REASON_NAMES = (
    "none", "signal", "stop", "take_profit", "timeout", "end", "reversal", "operator", "drawdown",
)  # fmt: skip

HALTED, NOT_TRADABLE = 1, 2
"""Why a lane may not enter: a halt, or the state of its instrument at the venue alone."""

BREAKER_WIN_RATE = 0
BREAKER_DRAWDOWN = 1
BREAKER_FAILURES = 2
BREAKER_EXECUTION = 3
BREAKER_SLIPPAGE = 4
BREAKER_GAS = 5
N_BREAKERS = 6
BREAKER_VOLATILITY = 6
"""The volatility breaker is kept per instrument, the six before it for the account."""
BREAKER_NAMES = (
    "win_rate", "drawdown", "failures", "execution", "slippage", "gas", "volatility",
)  # fmt: skip

CLOSED = 0
OPEN = 1
HALF_OPEN = 2
BREAKER_STATUS_NAMES = ("closed", "open", "half_open")

SIZE_RISK = 0
SIZE_FIXED = 1
SIZE_ALL = 2

NOTICE_MODE = 1
NOTICE_BREAKER = 2
NOTICE_VIRTUAL_OPENED = 3
NOTICE_DAILY_LOSS = 4

FAILURE_RING = 32
TRADE_RING = 256
"""Newest trades remembered: the most that the win rate can be taken over."""

# --- layouts -----------------------------------------------------------------------------------

_I = np.int64
_F = np.float64

RULES = np.dtype(
    [
        ("fee_ppm", _I),  # of notional, each side
        ("half_spread_bps", _F),
        ("slippage_bps", _F),  # at a share of 1 of the bar's volume; linear in the share
        ("participation_max", _F),  # share of a bar's volume one order may take; 0: no bound
        ("edge_bps_min", _F),
        ("edge_bps_exit", _F),
        ("sizing", _I),
        ("fixed_lots", _I),
        ("stop_enabled", _I),
        ("risk_per_trade", _F),
        ("position_max", _F),  # share of equity
        ("exposure_max", _F),  # share of equity over all instruments
        ("order_units_max", _I),
        ("order_units_min", _I),
        ("orders_per_minute", _I),
        ("collar_bps", _F),  # 0: no collar
        ("volatility_target", _F),  # annualised; above it half size; 0: never
        ("daily_loss_max", _F),  # share of the day's first equity; 0: no limit
        ("drawdown_max", _F),  # share of the peak; 0: no limit
        ("win_rate_min", _F),
        ("win_rate_trades", _I),
        ("failures_max", _I),
        ("failed_share_max", _F),
        ("failed_window_ms", _I),
        ("slippage_sd_max", _F),
        ("volatility_ratio_max", _F),
        ("gas_share_max", _F),  # of gross profit; 0: no limit
        ("close_on_drawdown", _I),  # 1: the drawdown breaker sells everything when it opens
        ("cooldown_ms", _I),
        ("trial_size", _F),
        ("trial_trades", _I),
        ("trading_threshold", _F),
        ("hysteresis", _F),
        ("forgetting_trades", _F),
        ("gate_mode", _I),  # 0: the mode does not matter (baselines)
        ("cost_bps_now", _F),  # round trip, to correct an ensemble's own cost
        ("order_units_cap", _I),  # an order may never cost more, at its worst price; 0: no cap
        ("stop_required", _I),  # 1: a signal whose position would have no stop is refused
        ("hold", _I),  # HOLD_ENTRIES or HOLD_ALL in a catch-up; 0: nothing is held back
    ]
)

HOLD_ENTRIES, HOLD_ALL = 1, 2
"""What a decision on bars of the past may not do: open a position, or close one either."""

SPECS = np.dtype(
    [
        ("notional_mul", _I),
        ("notional_div", _I),
        ("cost_units_min", _I),
        ("order_lots_max", _I),  # of the venue; 0: none
        ("order_lots_min", _I),
        ("base_ms", _I),
        ("alpha_fast", _F),  # of the volatility averages, per base bar
        ("alpha_slow", _F),
        ("bars_per_year", _F),
        ("horizon_ms", _I),  # longest holding time; 0: none
        ("allowed", _I),  # 0: not on the allow-list, so it is not entered
        ("has_champion", _I),  # 0: signals of this lane trade virtually only
        ("size_share", _F),  # of the full size; below 1 while a canary trades beside it
        ("twin", _I),  # the other lane of the same instrument; -1: none
    ]
)

ACCOUNT = np.dtype(
    [
        ("cash", _I),
        ("equity", _I),
        ("peak_equity", _I),
        ("gross", _I),  # marked value of all positions, and of the entries not filled yet
        ("pending_notional", _I),  # value of the entries not filled yet, at their deciding closes
        ("reserved", _I),  # the most that those entries can cost, with fees
        ("day", _I),
        ("day_equity", _I),
        ("daily_stopped", _I),
        ("fees", _I),
        ("realized", _I),
        ("halted", _I),
        ("minute", _I),
        ("minute_orders", _I),
        ("trade_count", _I),  # closed real trades; their results stand in a ring
        ("trade_won", _I, (TRADE_RING,)),
        ("win_count", _I),  # trades that the win rate may look at
        ("failures", _I),
        ("execution_count", _I),
        ("execution_ms", _I, (FAILURE_RING,)),
        ("execution_ok", _I, (FAILURE_RING,)),
        ("slippage_n", _F),
        ("slippage_mean", _F),
        ("slippage_m2", _F),
        ("slippage_last", _F),
        ("gas", _I),  # paid in all
        ("gas_recent", _F),  # of the newest trades, as the gross profit of those that won
        ("gross_profit", _F),
        ("gas_trades", _I),  # trades that the gas breaker may look at
        ("breakers_open", _I),
        ("breaker_status", _I, (N_BREAKERS,)),
        ("breaker_ms", _I, (N_BREAKERS,)),
        ("breaker_trials", _I, (N_BREAKERS,)),
    ]
)

BOOK = np.dtype(
    [
        ("position_lots", _I),
        ("cost_units", _I),  # paid for the open lots, fees aside
        ("position_fees", _I),
        ("entry_lots", _I),  # bought in total since the position was opened
        ("entry_units", _I),
        ("exit_units", _I),
        ("entry_ms", _I),
        ("expiry_ms", _I),
        ("stop_ticks", _I),
        ("take_ticks", _I),
        ("entry_barrier_bps", _F),
        ("entry_p", _F),
        ("entry_edge_bps", _F),
        ("expected_ticks", _I),  # the close the newest entry or exit was decided on
        ("entry_open_lots", _I),  # of the entry, still to fill
        ("exit_reason", _I),  # why all that is held is to be sold; 0: it is not
        ("stop_filling", _I),  # 1: the stop was triggered, and the rest of it is being sold
        ("halted", _I),  # no entries in this instrument: HALTED or NOT_TRADABLE
        ("pending_notional", _I),  # what a working entry adds to the account's
        ("reserved", _I),
        ("stop_lots", _I),  # wanted at the venue; 0: no stop
        ("last_close", _I),
        ("n_bars", _I),
        ("var_fast", _F),
        ("var_slow", _F),
        ("volatility_status", _I),
        ("volatility_ms", _I),
        ("mode", _I),
        ("mode_confidence", _F),
        ("posterior_n", _F),
        ("posterior_mean", _F),
        ("posterior_m2", _F),
        ("arm_bps", _F),  # net result of the ensemble's closed trades, real and virtual
        ("arm_trades", _I),
        ("inherited", _I),  # 1: the open trade was begun by another ensemble
    ]
)

VIRTUAL = np.dtype(
    [
        ("status", _I),  # 0 none, 1 enters at the next open, 2 open, 3 exits at the next open
        ("entry_ticks", _F),  # with spread: no order is sent, so no grid
        ("reference_ticks", _I),
        ("entry_ms", _I),
        ("expiry_ms", _I),
        ("stop_ticks", _F),
        ("take_ticks", _F),
        ("barrier_bps", _F),
        ("p", _F),
        ("edge_bps", _F),
        ("code", _I),
        ("reason", _I),
    ]
)

VENUE = np.dtype(
    [
        ("market_lots", _I),  # signed remainder of the market order
        ("market_limit", _I),  # a buy above it is rejected; 0: none
        ("market_kind", _I),
        ("stop_lots", _I),
        ("stop_ticks", _I),
    ]
)

REQUEST = np.dtype(
    [
        ("ts_ms", _I),
        ("instrument", _I),
        ("kind", _I),
        ("lots", _I),  # signed
        ("price_ticks", _I),  # limit of an entry, trigger of a stop
        ("reason", _I),
        ("code", _I),  # of a refusal
        ("p", _F),
        ("edge_bps", _F),
        ("barrier_bps", _F),
    ]
)

FILL = np.dtype(
    [
        ("ts_ms", _I),
        ("instrument", _I),
        ("kind", _I),
        ("lots", _I),
        ("price_ticks", _I),
        ("fee_units", _I),
        ("rejected", _I),  # 1: the order ended, and nothing of it was filled
        ("remaining_lots", _I),  # of the order, still to fill; 0: it ended
        ("late", _I),  # 1: of an order that had ended before
        ("withdrawn", _I),  # 1: we cancelled the order, and nothing of it was filled
    ]
)

OUTCOME = np.dtype(
    [
        ("instrument", _I),
        ("virtual", _I),
        ("entry_ms", _I),
        ("exit_ms", _I),
        ("entry_price", _F),  # in ticks, averaged over the fills
        ("exit_price", _F),
        ("lots", _I),
        ("pnl_units", _I),
        ("fees_units", _I),
        ("net_bps", _F),
        ("p", _F),
        ("edge_bps", _F),
        ("reason", _I),
        ("code", _I),
        ("mode_confidence", _F),  # after this trade
    ]
)

NOTICE = np.dtype(
    [
        ("ts_ms", _I),
        ("kind", _I),
        ("instrument", _I),
        ("code", _I),  # of a breaker, or of the refusal behind a virtual trade
        ("before", _I),
        ("after", _I),
        ("value", _F),
        ("limit", _F),  # of a breaker that opened, and what its value was computed from
        ("first", _F),
        ("second", _F),
        ("third", _F),
    ]
)

N_REQUESTS, N_OUTCOMES, N_NOTICES, N_FILLS = 0, 1, 2, 3
"""Positions in the array of counts: how many records of each log are used."""


def zeros(layout: np.dtype[Any], n: int) -> Records:
    """Return ``n`` zeroed records: equal states have equal bytes."""
    return np.zeros(n, layout)
