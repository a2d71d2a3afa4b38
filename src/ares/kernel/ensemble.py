"""From the scores of several timeframes to one probability, edge and barrier per instrument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ares.domain.model import Ensemble
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, I64
from ares.kernel.jit import inlined, njit
from ares.kernel.trade.arrays import Signals
from ares.kernel.trade.layout import Records

N_TIMEFRAMES_MAX = 6
WEIGHT_PRESENT_MIN = 0.5
"""An ensemble has an output only while members with this share of the weight have a fresh score."""

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
    """The scores of one package over history.

    close_ms : (n,) closing instants of its bars, rising.
    p        : (n,) calibrated probabilities; NaN where the features were not warm.
    sigma    : (n,) the feature ``volatility_20`` of the same bars.
    known_ms : (n,) from when on each counts, rising; None: from the close of its bar.
    """

    close_ms: I64
    p: F64
    sigma: F64
    known_ms: I64 | None = None


class Ensembles(NamedTuple):
    """What the kernel reads of the ensembles.

    slots        : (n_lanes,) of SLOT.
    timeframe_ms : (n_timeframes,) lengths of the members' timeframes.
    """

    slots: Records
    timeframe_ms: I64


class LatestScores(NamedTuple):
    """The newest score of each member, ``(n_lanes, n_timeframes)``.

    p        : calibrated probability; NaN: none.
    close_ms : when its bar closed.
    sigma    : the feature ``volatility_20`` of that bar.
    """

    p: F64
    close_ms: I64
    sigma: F64


class ScoreHistory(NamedTuple):
    """The scores of all members over history, one series after the other.

    starts   : (n_lanes * n_timeframes + 1,) row at which each series begins.
    next_row : a copy of ``starts``, moved on: the first row of each that is not known yet.
    close_ms, known_ms, p, sigma : (n_scores,).
    """

    starts: I64
    next_row: I64
    close_ms: I64
    known_ms: I64
    p: F64
    sigma: F64


def slot_records(ensembles: Sequence[Ensemble | None], timeframes: Sequence[Timeframe]) -> Records:
    """Return one slot per lane, ``(n_lanes,)``; None leaves it empty."""
    slots = np.zeros(len(ensembles), SLOT)
    columns = {timeframe: j for j, timeframe in enumerate(timeframes)}
    for row, ensemble in zip(slots, ensembles, strict=True):
        if ensemble is None:
            continue
        row["filled"] = 1
        for member in ensemble.members:
            row["weights"][columns[member.timeframe]] = member.weight
        row["anchor"] = columns[ensemble.anchor]
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
    """Return each ensemble's outputs at each closing instant, from the scores known by then.

    close_ms : (n_bars,) closing instants; series : by lane and timeframe.
    """
    shape = len(series), len(timeframes)
    signals = empty_signals(len(close_ms), len(series))
    flat = [scores for row in series for scores in row]
    lengths = [0 if scores is None else len(scores.close_ms) for scores in flat]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    present = [scores for scores in flat if scores is not None]
    if not present:
        return signals
    history = ScoreHistory(
        starts,
        starts.copy(),
        np.concatenate([scores.close_ms for scores in present]).astype(np.int64),
        np.concatenate([s.close_ms if s.known_ms is None else s.known_ms for s in present]).astype(
            np.int64
        ),
        np.concatenate([scores.p for scores in present]).astype(np.float64),
        np.concatenate([scores.sigma for scores in present]).astype(np.float64),
    )
    latest = LatestScores(np.full(shape, np.nan), np.zeros(shape, np.int64), np.full(shape, np.nan))
    ensembles = Ensembles(slots, timeframe_ms(timeframes))
    aggregate_scan(close_ms, history, ensembles, cost_bps_now, latest, signals)
    return signals


def empty_signals(n_bars: int, n_lanes: int) -> Signals:
    """Return signals of which none is there yet."""
    return Signals(*(np.full((n_bars, n_lanes), np.nan) for _ in range(3)))


def timeframe_ms(timeframes: Sequence[Timeframe]) -> I64:
    """Return the timeframes' lengths in milliseconds, ``(n_timeframes,)``."""
    return np.array([timeframe.ms for timeframe in timeframes], np.int64)


@njit
def aggregate_scan(
    close_ms: I64,
    history: ScoreHistory,
    ensembles: Ensembles,
    cost_bps_now: float,
    latest: LatestScores,
    signals: Signals,
) -> None:
    """Run ``aggregate`` over history, feeding each score at its own closing instant."""
    n_lanes, n_timeframes = latest.p.shape
    for t in range(close_ms.shape[0]):
        for i in range(n_lanes):
            for j in range(n_timeframes):
                _take_scores(i, j, i * n_timeframes + j, close_ms[t], history, latest)
            aggregate(t, i, close_ms[t], ensembles, cost_bps_now, latest, signals)


@inlined
def _take_scores(
    i: int, j: int, k: int, now_ms: int, history: ScoreHistory, latest: LatestScores
) -> None:
    """Move series ``k`` on to the newest score that is known at ``now_ms``."""
    row = history.next_row[k]
    while row < history.starts[k + 1] and history.known_ms[row] <= now_ms:
        latest.p[i, j] = history.p[row]
        latest.sigma[i, j] = history.sigma[row]
        latest.close_ms[i, j] = history.close_ms[row]
        row += 1
    history.next_row[k] = row


@inlined
def aggregate(
    t: int,
    i: int,
    now_ms: int,
    ensembles: Ensembles,
    cost_bps_now: float,
    latest: LatestScores,
    signals: Signals,
) -> None:
    """Write the outputs of lane ``i``'s ensemble at ``now_ms`` into row ``t`` of the signals.

    p = sigmoid(a * logit(weighted mean of the fresh scores) + b);
    barrier = max(width_sigmas * sigma * sqrt(horizon), width_min);
    edge = barrier * (p * gain - (1 - p) * loss), corrected by the change in costs. NaN: none.
    """
    slot = ensembles.slots[i]
    signals.p[t, i] = np.nan
    signals.edge_bps[t, i] = np.nan
    signals.barrier_bps[t, i] = np.nan
    if slot.filled == 0:
        return
    total = 0.0
    mean = 0.0
    for j in range(ensembles.timeframe_ms.shape[0]):
        weight = slot.weights[j]
        age_ms = now_ms - latest.close_ms[i, j]
        is_fresh = age_ms < FRESH_INTERVALS * ensembles.timeframe_ms[j]
        if weight > 0.0 and is_fresh and not math.isnan(latest.p[i, j]):
            total += weight
            mean += weight * latest.p[i, j]
    sigma = latest.sigma[i, slot.anchor]
    if total < WEIGHT_PRESENT_MIN or math.isnan(sigma):
        return
    raw = min(1.0 - P_EDGE, max(P_EDGE, mean / total))
    logit = math.log(raw / (1.0 - raw))
    p = 1.0 / (1.0 + math.exp(-(slot.platt_a * logit + slot.platt_b)))
    barrier_bps = max(slot.width_sigmas * sigma * slot.root_horizon * 1e4, slot.width_min_bps)
    gross_bps = barrier_bps * (p * slot.gain - (1.0 - p) * slot.loss)
    signals.p[t, i] = p
    signals.barrier_bps[t, i] = barrier_bps
    signals.edge_bps[t, i] = gross_bps - (cost_bps_now - slot.cost_bps)
