"""The ensemble: out-of-sample scores of several timeframes aggregated, calibrated and evaluated.

Decisions are made at the closes of the finest member, and aggregated by the engine's own kernel:
a weighted mean of the members' fresh probabilities, as long as half of the weight is present. It
is calibrated once more (Platt), because a mean of calibrated probabilities is not calibrated.

The trade is the anchor's: the member with the largest weight, of equals the finer, since its
shorter trades give more evidence in the same time. Its volatility and horizon set the barriers,
applied from each decision. The calibration is walk-forward again: the first twentieth of the
members' out-of-sample scores only calibrates, and each step after it is evaluated with the
calibration known at its start. The shipped calibration is fitted on all of them: the next step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from ares.domain.model import Ensemble, Member
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, I64, Bars
from ares.kernel.ensemble import WEIGHT_PRESENT_MIN, Scores, aggregate_history, slot_records
from ares.learn.calibration import Payoff, Platt, fit_payoff, fit_platt, logit
from ares.learn.labels import barrier_width, label_decisions
from ares.learn.recipe import LabelRecipe
from ares.learn.rows import Rows
from ares.learn.splits import known_before
from ares.learn.walk_forward import OutOfSample, TooFewRowsError

CALIBRATED_SHARE = 0.05
"""First share of the common out-of-sample time, which only calibrates the time after it."""

STEPS = 6
"""Times that the calibration is fitted again over the rest."""


@dataclass(frozen=True, slots=True)
class EnsembleCalibration:
    """Turns a weighted mean into a probability and an edge, from ``from_ms`` on."""

    from_ms: int
    platt: Platt
    payoff: Payoff


@dataclass(frozen=True, slots=True)
class AggregateCalibration:
    """The calibration after aggregation, with its evidence out of sample.

    steps : the calibrations that the evidence used, oldest first.
    """

    platt: Platt
    payoff: Payoff
    out_of_sample: OutOfSample
    steps: tuple[EnsembleCalibration, ...]


def normalised_weights(
    weights: Mapping[Timeframe, float], present: Sequence[Timeframe]
) -> dict[Timeframe, float]:
    """Return the weights of the timeframes that are present, scaled to a sum of 1.

    Where only timeframes of weight 0 are present, each gets the same share.

    >>> normalised_weights({Timeframe.M5: 0.25, Timeframe.H1: 0.25, Timeframe.D1: 0.5},
    ...                    [Timeframe.M5, Timeframe.H1])
    {<Timeframe.M5: '5m'>: 0.5, <Timeframe.H1: '1h'>: 0.5}
    """
    total = sum(weights[timeframe] for timeframe in present)
    if total <= 0.0:
        return {timeframe: 1.0 / len(present) for timeframe in present}
    return {timeframe: weights[timeframe] / total for timeframe in present}


def anchor_of(weights: Mapping[Timeframe, float]) -> Timeframe:
    """Return the timeframe with the largest weight; of equals the finer.

    >>> anchor_of({Timeframe.H1: 0.4, Timeframe.M5: 0.4, Timeframe.M1: 0.2})
    <Timeframe.M5: '5m'>
    """
    return max(weights, key=lambda timeframe: (weights[timeframe], -timeframe.ms))


def calibrate_aggregate(
    scores: Mapping[Timeframe, Scores],
    weights: Mapping[Timeframe, float],
    label: LabelRecipe,
    path_bars: Bars,
    path_interval_ms: int,
    single: bool = False,
) -> AggregateCalibration:
    """Return the calibration of the aggregate with its evidence out of sample.

    scores : the members' out-of-sample probabilities at their closes (NaN elsewhere).
    label  : the anchor's trade; its horizon is counted in bars of the anchor.
    path_bars : bars that the trades follow, ``path_interval_ms`` long, no longer than the finest
             member's, at whose closes decisions are made.
    single : the ensemble is one package: its probabilities are used without a calibration.

    Raises TooFewRowsError where the members' out-of-sample times share too little.
    """
    horizon_ms = label.horizon_bars * anchor_of(weights).ms
    rows, raw, scored_ms = _decisions(scores, weights, label, path_bars, path_interval_ms)
    decision_ms = min(timeframe.ms for timeframe in scores)
    if not np.isfinite(raw).any():
        raise TooFewRowsError("the members share no out-of-sample time with known outcomes")
    steps: list[EnsembleCalibration] = []
    p, edge_bps = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for from_ms in _step_starts(scored_ms):
        before = known_before(rows.decided_ms, rows.ends_ms, from_ms - horizon_ms)
        if not np.isfinite(raw[before]).any():
            continue
        platt, payoff = _calibrate(rows, raw, before, decision_ms, single)
        steps.append(EnsembleCalibration(from_ms, platt, payoff))
        after = rows.decided_ms >= from_ms
        p[after] = platt.probability(raw[after])
        edge_bps[after] = payoff.edge_bps(p[after], rows.barrier_width[after])
    if not steps:
        raise TooFewRowsError("the members' common out-of-sample time is too short to calibrate")
    evaluated = np.flatnonzero(np.isfinite(p))
    if len(evaluated) == 0:
        raise TooFewRowsError("the members' common out-of-sample time is too short to evaluate")
    outputs = OutOfSample(rows[evaluated], p[evaluated], edge_bps[evaluated])
    whole = np.arange(len(rows), dtype=np.int64)
    platt, payoff = _calibrate(rows, raw, whole, decision_ms, single)
    return AggregateCalibration(platt, payoff, outputs, tuple(steps))


def _step_starts(scored_ms: I64) -> list[int]:
    """Return the instants at which the calibration is fitted again, from those with a score."""
    shares = np.linspace(CALIBRATED_SHARE, 1.0, STEPS + 1)[:-1]
    return [int(ms) for ms in np.unique(scored_ms[(shares * len(scored_ms)).astype(np.int64)])]


def ensemble_recipe_hash(
    recipes: Mapping[Timeframe, str], weights: Mapping[Timeframe, float], label: LabelRecipe
) -> str:
    """Return the hash of the members' recipes (by timeframe) and of their aggregation."""
    content = {
        "members": {name: [recipes[name], f"{weights[name]:.6f}"] for name in recipes},
        "aggregation": ["weighted mean", "platt", WEIGHT_PRESENT_MIN],
        "label": label,
    }
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def _decisions(
    scores: Mapping[Timeframe, Scores],
    weights: Mapping[Timeframe, float],
    label: LabelRecipe,
    path_bars: Bars,
    path_interval_ms: int,
) -> tuple[Rows, F64, I64]:
    """Return a row for each of the finest member's closes with a known outcome, and its score.

    The score is the log-odds of the weighted mean, ``(n,)``; NaN where too few members have one.
    Last come the instants of all closes with a score, whether the outcome is known or not.
    """
    timeframes = sorted(scores, key=lambda timeframe: timeframe.ms)
    closed_ms = scores[timeframes[0]].close_ms
    outputs = aggregate_history(
        closed_ms,
        [[scores[timeframe] for timeframe in timeframes]],
        slot_records([uncalibrated(weights, label)], timeframes),
        timeframes,
        label.cost_bps,
    )
    width = _width(closed_ms, scores[anchor_of(weights)], label)
    horizon_ms = label.horizon_bars * anchor_of(weights).ms
    labels = label_decisions(closed_ms, width, path_bars, path_interval_ms, label, horizon_ms)
    keep: I64 = np.flatnonzero(labels.known)
    p = outputs.p[keep, 0]
    rows = Rows(
        np.empty((len(keep), 0), np.float32),
        closed_ms[keep],
        labels.ends_ms[keep],
        labels.net[keep],
        width[keep],
        np.zeros(len(keep), np.int32),
    )
    raw = np.where(np.isfinite(p), logit(p), np.nan)
    return rows, raw, closed_ms[np.isfinite(outputs.p[:, 0])]


def _width(closed_ms: I64, anchor: Scores, label: LabelRecipe) -> F64:
    """Return the barriers' distance at each instant, by the anchor's last volatility."""
    last = np.searchsorted(anchor.close_ms, closed_ms, side="right") - 1
    sigma = np.where(last >= 0, anchor.sigma[np.maximum(last, 0)], np.nan)
    return barrier_width(sigma, label.horizon_bars, label.width_sigmas, label.width_min_bps)


def uncalibrated(weights: Mapping[Timeframe, float], label: LabelRecipe) -> Ensemble:
    """Return the ensemble before calibration: its probability is the weighted mean."""
    return Ensemble(
        instrument="",
        members=tuple(Member(t, "", "", "", weight) for t, weight in weights.items()),
        anchor=anchor_of(weights),
        platt_a=1.0,
        platt_b=0.0,
        horizon_bars=label.horizon_bars,
        width_sigmas=label.width_sigmas,
        width_min_bps=label.width_min_bps,
        gain=0.0,
        loss=0.0,
        cost_bps=label.cost_bps,
        recipe_hash="",
        features_hash="",
    )


def _calibrate(
    rows: Rows, raw: F64, known: I64, decision_ms: int, single: bool
) -> tuple[Platt, Payoff]:
    """Return the calibration of the scores of the known rows, and their payoff.

    The members are calibrated, so their mean is expected to be about right: a slope of 1.
    """
    overlap = rows[known].overlap(decision_ms)
    platt = Platt()
    if not single:
        scored = known[np.isfinite(raw[known])]
        platt = fit_platt(
            raw[scored],
            rows.won[scored],
            overlap=overlap,
            base_rate=float(rows.won[known].mean()),
            calibrated=True,
        )
    p = platt.probability(raw[known])
    return platt, fit_payoff(rows.net[known], rows.barrier_width[known], p, overlap=overlap)
