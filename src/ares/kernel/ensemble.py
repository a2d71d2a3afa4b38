"""From the scores of several timeframes to one probability, edge and barrier per instrument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares.domain.model import Ensemble
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, I64
from ares.kernel.jit import inlined, lean
from ares.kernel.trade.layout import Records
from ares.kernel.trade.scan import Signals

N_TIMEFRAMES_MAX = 6
WEIGHT_PRESENT_MIN = 0.5
"""An ensemble speaks only while members with this share of the weight have a fresh score."""

FRESH_INTERVALS = 2
"""A score is fresh until this many intervals of its timeframe have passed since its bar closed."""

P_EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1, so that a logit is finite."""

SLOT = np.dtype(
    [
        ("filled", np.int64),
        ("weights", np.float64, (N_TIMEFRAMES_MAX,)),
        ("platt_a", np.float64),
        ("platt_b", np.float64),
        ("anchor", np.int64),
        ("root_horizon", np.float64),
        ("width_sigmas", np.float64),
        ("width_min_bps", np.float64),
        ("gain", np.float64),
        ("loss", np.float64),
        ("cost_bps", np.float64),
    ]
)


@dataclass(frozen=True, slots=True)
class Scores:
    """What one package says over history.

    close_ms : (n,) closing instants of its bars, rising.
    p        : (n,) calibrated probabilities; NaN where the features were not warm.
    sigma    : (n,) the feature ``volatility_20`` of the same bars.
    """

    close_ms: I64
    p: F64
    sigma: F64


def slot_records(ensembles: Sequence[Ensemble | None], timeframes: Sequence[Timeframe]) -> Records:
    """Return one slot per instrument, ``(n_instruments,)``; None leaves it empty."""
    slots = np.zeros(len(ensembles), SLOT)
    places = {timeframe: j for j, timeframe in enumerate(timeframes)}
    for row, ensemble in zip(slots, ensembles, strict=True):
        if ensemble is None:
            continue
        row["filled"] = 1
        for member in ensemble.members:
            row["weights"][places[member.timeframe]] = member.weight
        row["anchor"] = places[ensemble.anchor]
        row["root_horizon"] = math.sqrt(ensemble.horizon_bars)
        for name in (
            "platt_a", "platt_b", "width_sigmas", "width_min_bps", "gain", "loss", "cost_bps",
        ):  # fmt: skip
            row[name] = getattr(ensemble, name)
    return slots


def aggregate_history(
    close_ms: I64,
    series: Sequence[Sequence[Scores | None]],
    slots: Records,
    timeframes: Sequence[Timeframe],
    cost_bps_now: float,
) -> Signals:
    """Return what each ensemble says at each closing instant, knowing only the scores so far.

    close_ms : (n_bars,) closing instants; series : by instrument and timeframe.
    """
    n_instruments, n_timeframes = len(series), len(timeframes)
    signals = Signals(*(np.full((len(close_ms), n_instruments), np.nan) for _ in range(3)))
    flat = [one for row in series for one in row]
    lengths = [0 if one is None else len(one.close_ms) for one in flat]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    some = [one for one in flat if one is not None]
    if not some:
        return signals
    aggregate_scan(
        close_ms,
        starts,
        starts.copy(),
        np.concatenate([one.close_ms for one in some]).astype(np.int64),
        np.concatenate([one.p for one in some]).astype(np.float64),
        np.concatenate([one.sigma for one in some]).astype(np.float64),
        slots,
        tf_ms_of(timeframes),
        cost_bps_now,
        np.full((n_instruments, n_timeframes), np.nan),
        np.zeros((n_instruments, n_timeframes), np.int64),
        np.full((n_instruments, n_timeframes), np.nan),
        signals.p,
        signals.edge,
        signals.width,
    )
    return signals


def tf_ms_of(timeframes: Sequence[Timeframe]) -> I64:
    """Return the timeframes' lengths in milliseconds, ``(n_timeframes,)``."""
    return np.array([timeframe.ms for timeframe in timeframes], np.int64)


@lean
def aggregate_scan(
    close_ms: I64,
    starts: I64,
    next_row: I64,
    times: I64,
    scores: F64,
    sigmas: F64,
    slots: Records,
    tf_ms: I64,
    cost_bps_now: float,
    last_p: F64,
    last_ms: I64,
    last_sigma: F64,
    p: F64,
    edge: F64,
    width: F64,
) -> None:
    """Run ``aggregate`` over history, feeding each score at its own closing instant.

    starts, next_row : (n_instruments * n_timeframes + 1,) where each series begins in the flat
        columns, and (a copy of it) how far each has been read.
    last_p, last_ms, last_sigma : (n_instruments, n_timeframes) the newest score of each.
    """
    n_instruments, n_timeframes = last_p.shape
    for t in range(close_ms.shape[0]):
        for i in range(n_instruments):
            for j in range(n_timeframes):
                k = i * n_timeframes + j
                while next_row[k] < starts[k + 1] and times[next_row[k]] <= close_ms[t]:
                    last_p[i, j] = scores[next_row[k]]
                    last_sigma[i, j] = sigmas[next_row[k]]
                    last_ms[i, j] = times[next_row[k]]
                    next_row[k] += 1
            aggregate(
                t,
                i,
                close_ms[t],
                slots,
                tf_ms,
                cost_bps_now,
                last_p,
                last_ms,
                last_sigma,
                p,
                edge,
                width,
            )


@lean
def aggregate_now(
    now_ms: int,
    slots: Records,
    tf_ms: I64,
    cost_bps_now: float,
    last_p: F64,
    last_ms: I64,
    last_sigma: F64,
    p: F64,
    edge: F64,
    width: F64,
) -> None:
    """Aggregate all instruments at one instant into row 0 of p, edge and width."""
    for i in range(last_p.shape[0]):
        aggregate(
            0,
            i,
            now_ms,
            slots,
            tf_ms,
            cost_bps_now,
            last_p,
            last_ms,
            last_sigma,
            p,
            edge,
            width,
        )


@inlined
def aggregate(
    t: int,
    i: int,
    now_ms: int,
    slots: Records,
    tf_ms: I64,
    cost_bps_now: float,
    last_p: F64,
    last_ms: I64,
    last_sigma: F64,
    p: F64,
    edge: F64,
    width: F64,
) -> None:
    """Write instrument ``i``'s probability, edge and width at ``now_ms`` into row ``t``.

    p = sigmoid(a * logit(weighted mean of the fresh scores) + b);
    width = max(width_sigmas * sigma * sqrt(horizon), width_min);
    edge = width * (p * gain - (1 - p) * loss), corrected by the change in costs. NaN: no say.
    """
    p[t, i] = np.nan
    edge[t, i] = np.nan
    width[t, i] = np.nan
    if slots[i].filled == 0:
        return
    total = 0.0
    mean = 0.0
    for j in range(tf_ms.shape[0]):
        weight = slots[i].weights[j]
        fresh = now_ms - last_ms[i, j] < FRESH_INTERVALS * tf_ms[j]
        if weight > 0.0 and fresh and not math.isnan(last_p[i, j]):
            total += weight
            mean += weight * last_p[i, j]
    sigma = last_sigma[i, slots[i].anchor]
    if total < WEIGHT_PRESENT_MIN or math.isnan(sigma):
        return
    raw = min(1.0 - P_EDGE, max(P_EDGE, mean / total))
    logit = math.log(raw / (1.0 - raw))
    chance = 1.0 / (1.0 + math.exp(-(slots[i].platt_a * logit + slots[i].platt_b)))
    wide = max(slots[i].width_sigmas * sigma * slots[i].root_horizon * 1e4, slots[i].width_min_bps)
    p[t, i] = chance
    width[t, i] = wide
    gross = wide * (chance * slots[i].gain - (1.0 - chance) * slots[i].loss)
    edge[t, i] = gross - (cost_bps_now - slots[i].cost_bps)
