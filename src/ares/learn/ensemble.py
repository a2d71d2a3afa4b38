"""The ensemble: several timeframes' out-of-sample answers as one, calibrated and judged again.

Decisions are taken at the closes of the finest member. At each, a member speaks through its last
closed bar; the weights of members that are silent are shared out among the others, as long as
half of the weight is present. The weighted mean of the probabilities is calibrated once more
(Platt), because a mean of calibrated probabilities is not calibrated.

The trade is the anchor's: the member with the largest weight, of equals the finer, since its
shorter trades give more evidence in the same time. Its volatility and horizon set the barriers,
applied from each decision. Nested: the calibration that is judged was fitted on the first part of
the members' out-of-sample answers, the numbers are of the rest. What is shipped is calibrated on
all of them, as the walk's next step would be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, I64, Bars
from ares.learn.calibration import Payoff, Platt, fit_payoff, fit_platt, logit
from ares.learn.labels import barrier_width, label_bars
from ares.learn.recipe import LabelRecipe
from ares.learn.rows import Rows
from ares.learn.splits import known_before
from ares.learn.walk import OutOfSample, TooFewRowsError

CALIBRATED_SHARE = 0.4
"""First share of the common out-of-sample time, which calibrates what the rest judges."""

PRESENT_MIN = 0.5
"""Share of the weight that must be present for the ensemble to speak."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One member's answers about one instrument, out of sample: times ascending, both ``(n,)``."""

    timeframe: Timeframe
    decided_ms: I64
    p: F64


@dataclass(frozen=True, slots=True)
class Scale:
    """The anchor's volatility of one bar at its closes: ``closed_ms`` ascending, both ``(n,)``."""

    timeframe: Timeframe
    closed_ms: I64
    volatility: F64


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The calibration after aggregation, with its evidence out of sample."""

    platt: Platt
    payoff: Payoff
    out_of_sample: OutOfSample


def share_out(weights: Mapping[Timeframe, float], present: Sequence[Timeframe]) -> dict[str, float]:
    """Return the weights of the timeframes that are there, scaled to a sum of 1.

    >>> share_out({Timeframe.M5: 0.1, Timeframe.H1: 0.3, Timeframe.D1: 0.6}, ["5m", "1h"])
    {'5m': 0.25, '1h': 0.75}
    """
    total = sum(weights[timeframe] for timeframe in present)
    return {timeframe: weights[timeframe] / total for timeframe in present}


def anchor_of(weights: Mapping[str, float]) -> Timeframe:
    """Return the timeframe with the largest weight; of equals the finer.

    >>> anchor_of({"1h": 0.4, "5m": 0.4, "1m": 0.2}).value
    '5m'
    """
    members = [Timeframe(name) for name in weights]
    return max(members, key=lambda timeframe: (weights[timeframe], -timeframe.ms))


def aggregate(voices: Sequence[Voice], weights: Mapping[str, float], at_ms: I64) -> F64:
    """Return the weighted mean of the members' probabilities at each instant, ``(n,)``.

    NaN where less than half of the weight is present. A member is present with the answer of the
    bar that closed last, not with an older one.
    """
    total, present = np.zeros(len(at_ms)), np.zeros(len(at_ms))
    for voice in voices:
        last = np.searchsorted(voice.decided_ms, at_ms, side="right") - 1
        heard = np.maximum(last, 0)
        fresh = (last >= 0) & (at_ms - voice.decided_ms[heard] < voice.timeframe.ms)
        weight = weights[voice.timeframe] * fresh
        total += weight * np.where(fresh, voice.p[heard], 0.0)
        present += weight
    enough = present >= PRESENT_MIN * sum(weights.values()) - 1e-12
    return np.where(enough, total / np.where(enough, present, 1.0), np.nan)


def join(
    voices: Sequence[Voice],
    weights: Mapping[str, float],
    label: LabelRecipe,
    scale: Scale,
    grid: Bars,
    interval_ms: int,
) -> Aggregated:
    """Return the calibration of the aggregate and what it was worth out of sample.

    grid  : bars of the finest member, gaps filled; decisions stand at their closes.
    label : the anchor's trade; its horizon is counted in bars of ``scale.timeframe``.

    Raises TooFewRowsError where the members' out-of-sample times share too little.
    """
    horizon_ms = label.horizon_bars * scale.timeframe.ms
    rows = _decisions(voices, weights, label, scale, grid, interval_ms)
    if len(rows) == 0:
        raise TooFewRowsError("the members share no out-of-sample time with known outcomes")
    raw = rows.x[:, 0].astype(np.float64)
    from_ms = int(rows.decided_ms[int(CALIBRATED_SHARE * len(rows))])
    before = known_before(rows.decided_ms, rows.ends_ms, from_ms - horizon_ms)
    after = np.flatnonzero(rows.decided_ms >= from_ms)
    if len(np.unique(rows.won[before])) < 2:
        raise TooFewRowsError("the members' common out-of-sample time is too short to calibrate")
    platt, payoff = _calibrate(rows, raw, before)
    p = platt.probability(raw[after])
    judged = rows[after]
    seen = OutOfSample(judged, p, payoff.edge_bps(p, judged.width))
    platt, payoff = _calibrate(rows, raw, np.arange(len(rows), dtype=np.int64))
    return Aggregated(platt, payoff, seen)


def ensemble_recipe_hash(
    recipes: Mapping[str, str], weights: Mapping[str, float], label: LabelRecipe
) -> str:
    """Return the hash of the members' recipes (by timeframe) and of how they are joined."""
    content = {
        "members": {name: [recipes[name], f"{weights[name]:.6f}"] for name in sorted(recipes)},
        "aggregation": ["weighted mean", "platt", PRESENT_MIN],
        "label": label,
    }
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def _decisions(
    voices: Sequence[Voice],
    weights: Mapping[str, float],
    label: LabelRecipe,
    scale: Scale,
    grid: Bars,
    interval_ms: int,
) -> Rows:
    """Return one row for each of the grid's closes at which the ensemble speaks.

    Its one feature is the log-odds of the aggregate.
    """
    closed_ms = grid.ts_ms + interval_ms
    p = aggregate(voices, weights, closed_ms)
    last = np.searchsorted(scale.closed_ms, closed_ms, side="right") - 1
    fresh = (last >= 0) & (closed_ms - scale.closed_ms[np.maximum(last, 0)] < scale.timeframe.ms)
    volatility = np.where(fresh, scale.volatility[np.maximum(last, 0)], np.nan)
    width = barrier_width(volatility, label.horizon_bars, label.width_sigmas, label.width_min_bps)
    horizon_bars = label.horizon_bars * scale.timeframe.ms // interval_ms
    labels = label_bars(grid, width, label, interval_ms, horizon_bars)
    keep = np.flatnonzero(np.isfinite(p) & labels.known)
    return Rows(
        logit(p[keep]).astype(np.float32)[:, None],
        closed_ms[keep],
        labels.ends_ms[keep],
        labels.net[keep],
        width[keep],
        np.zeros(len(keep), np.int32),
    )


def _calibrate(rows: Rows, raw: F64, places: I64) -> tuple[Platt, Payoff]:
    won = rows.won[places]
    return (
        fit_platt(raw[places], won),
        fit_payoff(rows.net[places], rows.width[places], won),
    )
