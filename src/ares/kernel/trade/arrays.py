"""The arrays of the trade half in groups: one argument each, so that a swap is a type error.

All are NamedTuples, which Numba compiles to the same code as their members handed in one by one.
Build a group once and keep it: making one at every call costs more than the call (ADR 0006).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ares.kernel.bars import F64, I64
from ares.kernel.trade.layout import FILL, NOTICE, OUTCOME, REQUEST, VENUE, Records, zeros


class Market(NamedTuple):
    """Base bars of several instruments on one grid of closing instants.

    close_ms : (n_bars,) closing instants, rising.
    opens, highs, lows, closes : (n_bars, n_instruments) ticks; a close of 0 is a missing bar.
    volumes  : (n_bars, n_instruments) lots.
    """

    close_ms: I64
    opens: I64
    highs: I64
    lows: I64
    closes: I64
    volumes: I64


class Prices(NamedTuple):
    """What a decision looks at of each bar, (n_rows, n_instruments) ticks; close 0: no bar."""

    opens: I64
    lows: I64
    closes: I64


class Signals(NamedTuple):
    """The ensembles' outputs at each closing instant, ``(n_bars, n_instruments)``; NaN: none.

    p           : calibrated probability that the direction is right.
    edge_bps    : expected net return.
    barrier_bps : distance of the stop and of the profit target.
    """

    p: F64
    edge_bps: F64
    barrier_bps: F64


class TradeState(NamedTuple):
    """The state of the trade half, as structured arrays that the kernel writes into.

    account : (1,) cash, equity, limits and breakers.
    book    : (n_lanes,) position, working order, volatility and mode of each lane.
    virtual : (n_lanes,) the virtual trade of each lane.
    venue   : (n_lanes,) orders held by the simulated venue.
    """

    account: Records
    book: Records
    virtual: Records
    venue: Records

    def copy(self) -> TradeState:
        """Return a detached copy."""
        return TradeState(*(array.copy() for array in self))


class TradeParams(NamedTuple):
    """What the trade half only reads: (1,) of RULES, and (n_lanes,) of SPECS."""

    rules: Records
    specs: Records


class TradeRecords(NamedTuple):
    """What the trade half writes down; ``counts`` (4,) says how many rows of each log are used."""

    requests: Records
    fills: Records
    outcomes: Records
    notices: Records
    counts: I64


class TickBar(NamedTuple):
    """One bar of one instrument, prices in ticks."""

    open_ms: int
    open: int
    low: int
    close: int


class Signal(NamedTuple):
    """An ensemble's outputs for one instrument at one closing instant; see ``Signals``."""

    p: float
    edge_bps: float
    barrier_bps: float


def new_records(n_rows: int) -> TradeRecords:
    """Return empty logs with room for ``n_rows`` records each."""
    return TradeRecords(
        requests=zeros(REQUEST, n_rows),
        fills=zeros(FILL, n_rows),
        outcomes=zeros(OUTCOME, n_rows),
        notices=zeros(NOTICE, n_rows),
        counts=np.zeros(4, np.int64),
    )


def new_venue(n_lanes: int) -> Records:
    """Return a simulated venue without orders."""
    return zeros(VENUE, n_lanes)
