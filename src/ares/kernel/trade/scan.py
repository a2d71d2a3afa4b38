"""The trade half over history: the venue's fills, the account and the decisions, bar after bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, I64
from ares.kernel.jit import inlined, njit
from ares.kernel.trade.account import apply_fill, request
from ares.kernel.trade.arrays import (
    Market,
    Prices,
    Signals,
    TickBar,
    TradeParams,
    TradeRecords,
    TradeState,
    new_records,
)
from ares.kernel.trade.decide import trade_step
from ares.kernel.trade.fill import venue_accept, venue_cancel_stop, venue_open, venue_range
from ares.kernel.trade.layout import (
    ALLOWED,
    CANCEL_STOP,
    EXIT,
    N_FILLS,
    N_NOTICES,
    N_OUTCOMES,
    N_REQUESTS,
    REASON_STOP,
    REFUSAL,
    STOP,
    Records,
)

LOG_ROWS = 1_024
RECORDS_PER_INSTRUMENT = 8
RECORDS_OF_ACCOUNT = 16
"""At one closing instant no log gets more than 8 records an instrument, and 16 of the account:
each of its five breakers can turn three times, and the day can end for entries."""


@dataclass(frozen=True, slots=True)
class TradeLog:
    """What a scan did: records in the order they happened, and the account over time.

    equity : (n_bars,) money units at each close.
    """

    requests: Records
    fills: Records
    outcomes: Records
    notices: Records
    equity: I64
    state: TradeState


def scan(market: Market, signals: Signals, state: TradeState, params: TradeParams) -> TradeLog:
    """Run the trade half over history from ``state`` (left untouched) and return what it did."""
    after = state.copy()
    n, n_instruments = market.closes.shape
    equity = np.empty(n, np.int64)
    records = new_records(LOG_ROWS + log_room(n_instruments))
    row = 0
    while True:
        row = trade_scan(row, market, signals, after, params, records, equity)
        if row == n:
            break
        records = _with_twice_the_room(records)
    counts = records.counts
    return TradeLog(
        records.requests[: counts[N_REQUESTS]],
        records.fills[: counts[N_FILLS]],
        records.outcomes[: counts[N_OUTCOMES]],
        records.notices[: counts[N_NOTICES]],
        equity,
        after,
    )


def to_grid(prices: F64, decimals: int) -> NDArray[np.int64]:
    """Return prices (or quantities) as integers on a grid of 10**-decimals; NaN becomes 0."""
    scaled: NDArray[np.int64] = np.rint(np.nan_to_num(prices) * 10.0**decimals).astype(np.int64)
    return scaled


def log_room(n_instruments: int) -> int:
    """Return how many records one closing instant can write to a log at most."""
    return RECORDS_PER_INSTRUMENT * n_instruments + RECORDS_OF_ACCOUNT


def _with_twice_the_room(records: TradeRecords) -> TradeRecords:
    """Return the records in logs of twice the room."""

    def doubled(log: Records) -> Records:
        return np.concatenate([log, np.zeros_like(log)])

    return TradeRecords(
        requests=doubled(records.requests),
        fills=doubled(records.fills),
        outcomes=doubled(records.outcomes),
        notices=doubled(records.notices),
        counts=records.counts,
    )


@njit
def trade_scan(
    first_row: int,
    market: Market,
    signals: Signals,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
    equity: I64,
) -> int:
    """Run ``trade_step`` and the simulated venue from ``first_row`` on; see ``scan``.

    Returns the row it stopped before: the number of rows, or less when a log has no more room.
    """
    n_instruments = market.closes.shape[1]
    counts = records.counts
    room = records.requests.shape[0] - RECORDS_PER_INSTRUMENT * n_instruments - RECORDS_OF_ACCOUNT
    prices = Prices(market.opens, market.lows, market.closes)
    for t in range(first_row, market.close_ms.shape[0]):
        if max(counts[0], counts[1], counts[2], counts[3]) > room:
            return t
        now_ms = market.close_ms[t]
        for i in range(n_instruments):
            if prices.closes[t, i] > 0:
                _fill_orders(t, i, market, state, params, records)
        n_before = counts[N_REQUESTS]
        trade_step(t, now_ms, prices, signals, state, params, records)
        if counts[N_REQUESTS] > n_before:
            _send_to_venue(n_before, state, records)
        equity[t] = state.account[0].equity
    return int(market.close_ms.shape[0])


@inlined
def _fill_orders(
    t: int,
    i: int,
    market: Market,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Fill what the venue holds for an instrument, from its bar in row ``t``."""
    order, counts = state.venue[i], records.counts
    if order.market_lots == 0 and order.stop_lots == 0:
        return
    open_ms = market.close_ms[t] - params.specs[i].base_ms
    bar = TickBar(open_ms, market.opens[t, i], market.lows[t, i], market.closes[t, i])
    volume = market.volumes[t, i]
    n_fills = counts[N_FILLS]
    venue_open(i, bar, volume, state.venue, params, records)
    if counts[N_FILLS] > n_fills:
        apply_fill(i, n_fills, state, params, records)
        _rest_wanted_stop(i, open_ms, state, records)
    n_fills = counts[N_FILLS]
    venue_range(i, bar, volume, state.venue, params, records)
    if counts[N_FILLS] > n_fills:
        apply_fill(i, n_fills, state, params, records)


@inlined
def _send_to_venue(first: int, state: TradeState, records: TradeRecords) -> None:
    """Hand the requests from row ``first`` on to the simulated venue; an exit's stop goes first."""
    for k in range(first, records.counts[N_REQUESTS]):
        row = records.requests[k]
        i, kind = row.instrument, row.kind
        if kind == EXIT:
            _rest_wanted_stop(i, row.ts_ms, state, records)
        if kind != REFUSAL:
            venue_accept(i, kind, row.lots, row.price_ticks, state.venue)


@inlined
def _rest_wanted_stop(i: int, ts_ms: int, state: TradeState, records: TradeRecords) -> None:
    """Bring the resting stop to the wanted one, and log what an engine would have sent."""
    lane, order = state.book[i], state.venue[i]
    if order.stop_lots == lane.stop_lots and (
        lane.stop_lots == 0 or order.stop_ticks == lane.stop_ticks
    ):
        return
    if order.stop_lots > 0:
        request(i, ts_ms, CANCEL_STOP, 0, 0, REASON_STOP, ALLOWED, state, records)
        venue_cancel_stop(i, state.venue)
    if lane.stop_lots > 0:
        lots, ticks = -lane.stop_lots, lane.stop_ticks
        request(i, ts_ms, STOP, lots, ticks, REASON_STOP, ALLOWED, state, records)
        venue_accept(i, STOP, lots, ticks, state.venue)
