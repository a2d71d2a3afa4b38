"""The trade half over history: the venue's fills, the account and the decisions, bar after bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, I64
from ares.kernel.jit import inlined, lean
from ares.kernel.trade.account import apply_fill
from ares.kernel.trade.decide import trade_step
from ares.kernel.trade.fill import venue_accept, venue_cancel_stop, venue_open, venue_range
from ares.kernel.trade.layout import (
    CANCEL_STOP,
    FILL,
    N_FILLS,
    N_NOTICES,
    N_OUTCOMES,
    N_REQUESTS,
    NOTICE,
    OUTCOME,
    REFUSAL,
    REQUEST,
    VENUE,
    Records,
    zeros,
)

LOG_ROWS = 1_024
RECORDS_PER_INSTRUMENT = 8
RECORDS_OF_ACCOUNT = 16
"""At one closing instant no log gets more than 8 records an instrument, and 16 of the account:
each of its five breakers can turn three times, and the day can end for entries."""


@dataclass(frozen=True, slots=True)
class Market:
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


@dataclass(frozen=True, slots=True)
class Signals:
    """What the ensembles say at each closing instant, ``(n_bars, n_instruments)``; NaN: nothing.

    p : calibrated probability; edge : expected net return in bps; width : barrier in bps.
    """

    p: F64
    edge: F64
    width: F64


@dataclass(frozen=True, slots=True)
class TradeState:
    """Everything the trade half remembers, as structured arrays that the kernel writes into."""

    account: Records
    book: Records
    virtual: Records
    venue: Records

    def copy(self) -> TradeState:
        """Return a detached copy."""
        return TradeState(
            self.account.copy(), self.book.copy(), self.virtual.copy(), self.venue.copy()
        )


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


def scan(
    market: Market, signals: Signals, state: TradeState, rules: Records, specs: Records
) -> TradeLog:
    """Run the trade half over history from ``state`` (left untouched) and return what it did."""
    after = state.copy()
    n, width = market.closes.shape
    equity = np.empty(n, np.int64)
    counts = np.zeros(4, np.int64)
    rows = LOG_ROWS + log_room(width)
    logs = [np.zeros(rows, layout) for layout in (REQUEST, OUTCOME, NOTICE, FILL)]
    done = 0
    while True:
        requests, outcomes, notices, fills = logs
        done = trade_scan(
            done,
            market.close_ms,
            market.opens,
            market.lows,
            market.closes,
            market.volumes,
            signals.p,
            signals.edge,
            signals.width,
            after.account,
            after.book,
            after.virtual,
            after.venue,
            rules,
            specs,
            equity,
            requests,
            fills,
            outcomes,
            notices,
            counts,
        )
        if done == n:
            break
        logs = [_larger(log) for log in logs]
    return TradeLog(
        requests[: counts[N_REQUESTS]],
        fills[: counts[N_FILLS]],
        outcomes[: counts[N_OUTCOMES]],
        notices[: counts[N_NOTICES]],
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


def new_venue(n_instruments: int) -> Records:
    """Return an empty simulated venue."""
    return zeros(VENUE, n_instruments)


def _larger(log: Records) -> Records:
    """Return the log with twice the room."""
    return np.concatenate([log, np.zeros_like(log)])


@lean
def trade_scan(
    first_row: int,
    close_ms: I64,
    opens: I64,
    lows: I64,
    closes: I64,
    volumes: I64,
    p: F64,
    edge: F64,
    width: F64,
    account: Records,
    book: Records,
    virtual: Records,
    venue: Records,
    rules: Records,
    specs: Records,
    equity: I64,
    requests: Records,
    fills: Records,
    outcomes: Records,
    notices: Records,
    counts: I64,
) -> int:
    """Run ``trade_step`` and the simulated venue from ``first_row`` on; see ``scan``.

    Returns the row it stopped before: the number of rows, or less when a log has no more room.
    """
    n_instruments = closes.shape[1]
    room = requests.shape[0] - RECORDS_PER_INSTRUMENT * n_instruments - RECORDS_OF_ACCOUNT
    for t in range(first_row, close_ms.shape[0]):
        if max(counts[0], counts[1], counts[2], counts[3]) > room:
            return t
        for i in range(n_instruments):
            if closes[t, i] <= 0:
                continue
            if venue[i].market_lots == 0 and venue[i].stop_lots == 0:
                continue
            open_ms = close_ms[t] - specs[i].base_ms
            volume = volumes[t, i]
            first = counts[N_FILLS]
            asked = counts[N_REQUESTS]
            venue_open(i, open_ms, opens[t, i], volume, venue, rules, specs, fills, counts)
            if counts[N_FILLS] > first:
                apply_fill(
                    i,
                    first,
                    fills,
                    account,
                    book,
                    rules,
                    specs,
                    requests,
                    outcomes,
                    notices,
                    counts,
                )
                _dispatch(requests, asked, counts, venue)
            first = counts[N_FILLS]
            venue_range(
                i, open_ms, opens[t, i], lows[t, i], volume, venue, rules, specs, fills, counts
            )
            if counts[N_FILLS] > first:
                apply_fill(
                    i,
                    first,
                    fills,
                    account,
                    book,
                    rules,
                    specs,
                    requests,
                    outcomes,
                    notices,
                    counts,
                )
        asked = counts[N_REQUESTS]
        trade_step(
            t,
            close_ms[t],
            opens,
            lows,
            closes,
            p,
            edge,
            width,
            account,
            book,
            virtual,
            rules,
            specs,
            requests,
            outcomes,
            notices,
            counts,
        )
        if counts[N_REQUESTS] > asked:
            _dispatch(requests, asked, counts, venue)
        equity[t] = account[0].equity
    return int(close_ms.shape[0])


@inlined
def _dispatch(requests: Records, first: int, counts: I64, venue: Records) -> None:
    """Hand the requests from ``first`` on to the simulated venue."""
    for r in range(first, counts[N_REQUESTS]):
        i = requests[r].instrument
        kind = requests[r].kind
        if kind == CANCEL_STOP:
            venue_cancel_stop(i, venue)
        elif kind != REFUSAL:
            venue_accept(i, kind, requests[r].lots, requests[r].price_ticks, venue)
