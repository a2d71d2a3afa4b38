"""The kernel as the engine calls it: one closing instant, one fill, one warm-up at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bar_aggregation import on_close
from ares.kernel.bars import F64, I64, Bools
from ares.kernel.ensemble import aggregate
from ares.kernel.jit import lean, njit
from ares.kernel.trade.account import apply_fill
from ares.kernel.trade.decide import observe_volatility, trade_step
from ares.kernel.trade.layout import (
    N_NOTICES,
    N_OUTCOMES,
    N_REQUESTS,
    Records,
)

OUT_ROWS = 5
OUT_P, OUT_EDGE, OUT_WIDTH, OUT_CONFIDENCE, OUT_MODE = range(OUT_ROWS)
"""Rows of ``said``: what was thought of each instrument at one closing instant."""


@lean
def decide_now(
    now_ms: int,
    ohlcv: F64,
    present: Bools,
    price_scale: F64,
    ticks: NDArray[np.int64],
    slots: Records,
    tf_ms: I64,
    last_p: F64,
    last_ms: I64,
    last_sigma: F64,
    said: F64,
    account: Records,
    book: Records,
    virtual: Records,
    rules: Records,
    specs: Records,
    requests: Records,
    outcomes: Records,
    notices: Records,
    counts: I64,
    worth: I64,
) -> None:
    """Aggregate the newest scores, then decide, for all instruments at ``now_ms``.

    ohlcv : (n_instruments, 5) prices as floats; ``price_scale`` 10**price_decimals of each.
    ticks : (4, 1, n_instruments) scratch for open, high, low, close on the grid.
    said  : (5, n_instruments) written: p, edge, width, mode confidence, mode.
    worth : (2,) written: equity and cash in money units.
    ``requests``, ``outcomes``, ``notices`` are written from their beginning.
    """
    counts[N_REQUESTS] = 0
    counts[N_OUTCOMES] = 0
    counts[N_NOTICES] = 0
    for i in range(book.shape[0]):
        for k in range(4):
            ticks[k, 0, i] = int(np.rint(ohlcv[i, k] * price_scale[i])) if present[i] else 0
        aggregate(
            0,
            i,
            now_ms,
            slots,
            tf_ms,
            rules[0].cost_bps_now,
            last_p,
            last_ms,
            last_sigma,
            said[OUT_P : OUT_P + 1],
            said[OUT_EDGE : OUT_EDGE + 1],
            said[OUT_WIDTH : OUT_WIDTH + 1],
        )
    trade_step(
        0,
        now_ms,
        ticks[0],
        ticks[2],
        ticks[3],
        said[OUT_P : OUT_P + 1],
        said[OUT_EDGE : OUT_EDGE + 1],
        said[OUT_WIDTH : OUT_WIDTH + 1],
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
    for i in range(book.shape[0]):
        said[OUT_CONFIDENCE, i] = book[i].mode_confidence
        said[OUT_MODE, i] = book[i].mode
    worth[0] = account[0].equity
    worth[1] = account[0].cash


@njit
def score_step(
    now_ms: int,
    ohlcv: F64,
    present: Bools,
    flat: Bools,
    base_ms: I64,
    tf_ms: I64,
    reference: int,
    fold: Records,
    feats: Records,
    features: NDArray[np.float32],
    due: Bools,
    warm: Bools,
    packages: I64,
    sigma: int,
    last_p: F64,
    last_ms: I64,
    last_sigma: F64,
    last_warm: Bools,
    places: I64,
) -> int:
    """Fold the bars that close at ``now_ms``, see ``on_close``; note which models have a new bar to
    score. Returns how many, their flat places in ``places``.

    packages : (n_instruments, n_timeframes) number of the model there, -1: none.
    sigma    : the feature that ``last_sigma`` takes; a bar that is not warm gets no score.
    """
    on_close(
        fold, feats, now_ms, present, base_ms, ohlcv, flat, tf_ms, reference, features, due, warm
    )
    n = 0
    for i in range(due.shape[0]):
        for j in range(due.shape[1]):
            if due[i, j]:
                last_ms[i, j] = now_ms
                last_p[i, j] = np.nan
                last_sigma[i, j] = features[i, j, sigma]
                last_warm[i, j] = warm[i, j]
                if warm[i, j] and packages[i, j] >= 0:
                    places[n] = i * due.shape[1] + j
                    n += 1
    return n


@lean
def apply_now(
    i: int,
    fills: Records,
    account: Records,
    book: Records,
    rules: Records,
    specs: Records,
    requests: Records,
    outcomes: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Fold the first record of ``fills`` into the account; logs are written from their start."""
    counts[N_REQUESTS] = 0
    counts[N_OUTCOMES] = 0
    counts[N_NOTICES] = 0
    apply_fill(i, 0, fills, account, book, rules, specs, requests, outcomes, notices, counts)


@lean
def observe_closes(i: int, closes: I64, book: Records, specs: Records) -> None:
    """Warm the volatility of instrument ``i`` with closes in ticks, oldest first."""
    for t in range(closes.shape[0]):
        observe_volatility(i, closes[t], book, specs)


@njit
def scan_closes(
    fold: Records,
    feats: Records,
    close_ms: I64,
    present: Bools,
    base_ms: I64,
    ohlcv: F64,
    flat: Bools,
    tf_ms: I64,
    reference: int,
    features: NDArray[np.float32],
    due: Bools,
    warm: Bools,
    rows: NDArray[np.float32],
    places: I64,
) -> int:
    """Run ``on_close`` over many instants and keep the warm feature rows, in order.

    close_ms : (n,); present, flat : (n, n_instruments); ohlcv : (n, n_instruments, 5).
    rows     : (room, N_FEATURES) written; places : (room, 3) instant, instrument, timeframe.
    Returns how many rows were kept. ``fold``, ``feats``, ``features`` move on: hand in copies.
    """
    kept = 0
    for t in range(close_ms.shape[0]):
        on_close(
            fold,
            feats,
            close_ms[t],
            present[t],
            base_ms,
            ohlcv[t],
            flat[t],
            tf_ms,
            reference,
            features,
            due,
            warm,
        )
        for i in range(due.shape[0]):
            for j in range(due.shape[1]):
                if due[i, j] and warm[i, j]:
                    rows[kept] = features[i, j]
                    places[kept, 0] = t
                    places[kept, 1] = i
                    places[kept, 2] = j
                    kept += 1
    return kept
