"""Evaluation: what out-of-sample probabilities were worth, against doing nothing clever.

Everything here is read from rows that neither fitted nor calibrated what judged them. Numbers
over nothing (no trades, one outcome only) are None, never 0.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from ares.domain.model import Validation
from ares.domain.timeframe import DAY_MS
from ares.kernel.bars import F64, I64, Bools
from ares.learn.calibration_error import CalibrationBin, calibration_error, error_limit
from ares.learn.rows import Rows
from ares.learn.walk_forward import OutOfSample

EDGES_BPS = (0.0, 5.0, 10.0, 20.0, 40.0)
PROBABILITIES = (0.5, 0.55, 0.6, 0.7)


class Threshold(msgspec.Struct, frozen=True):
    """What trading only above a threshold would have meant.

    kind, value : ``edge_bps`` or ``probability``, and where it was set.
    signals, signals_per_day : decisions above it.
    trades      : of these, those that could be entered one after the other.
    hit_rate, net_bps : share of won trades, and their mean net return after costs.
    """

    kind: Literal["edge_bps", "probability"]
    value: float
    signals: int
    signals_per_day: float
    trades: int
    hit_rate: float | None
    net_bps: float | None


class OosMetrics(msgspec.Struct, frozen=True):
    """The evidence of one walk.

    rows, days        : decisions judged, and the time they span.
    base_rate         : share of won trades among all decisions.
    accuracy, accuracy_base : share of outcomes named right by p > 1/2, and by always naming the
                        more frequent one.
    brier, brier_skill: mean squared error of p; its share saved against saying the base rate.
    calibration_error : mean distance of said and seen, over bins of equal counts.
    calibration_limit : its 95% quantile for perfectly calibrated p on as many rows, whose trades
                        overlap as much.
    overlap           : rows that share their luck on average (``Rows.overlap``).
    auc               : probability that a won trade was scored above a lost one.
    edge_bps_min      : trades below are those with an expected edge above this.
    trades, hit_rate, net_bps, net_sd_bps, net_total_bps : trades one after the other, net of costs.
    buy_hold_bps      : what holding would have returned over the same time, costs paid once.
    """

    rows: int
    days: float
    base_rate: float
    accuracy: float
    accuracy_base: float
    brier: float
    brier_skill: float | None
    calibration_error: float
    calibration_limit: float
    overlap: int
    auc: float | None
    edge_bps_min: float
    trades: int
    hit_rate: float | None
    net_bps: float | None
    net_sd_bps: float | None
    net_total_bps: float
    buy_hold_bps: float | None
    thresholds: tuple[Threshold, ...]
    reliability: tuple[CalibrationBin, ...]

    @property
    def validation(self) -> Validation:
        """Return the net result per trade: what the mode confidence starts from."""
        return Validation(self.trades, self.net_bps or 0.0, self.net_sd_bps or 0.0)

    @property
    def numbers(self) -> tuple[tuple[str, float], ...]:
        """Return name and value of each metric that is one number, for a journal or a registry."""
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return tuple((n, float(v)) for n, v in values if isinstance(v, int | float))


def evaluate(
    seen: OutOfSample,
    *,
    edge_bps_min: float,
    interval_ms: int,
    seed: int,
    buy_hold_bps: float | None = None,
) -> OosMetrics:
    """Return what the out-of-sample probabilities were worth.

    interval_ms : from one decision to the next.
    seed        : of the draws behind ``calibration_limit``.
    """
    rows, p = seen.rows, seen.p
    won = rows.won
    base = float(won.mean())
    brier = float(np.mean((p - won) ** 2))
    error, bins = calibration_error(p, won)
    net_bps = 1e4 * rows.net[in_turn(rows, seen.edge_bps > edge_bps_min)]
    overlap = rows.overlap(interval_ms)
    days = max(float(rows.decided_ms[-1] - rows.decided_ms[0]) / DAY_MS, 1e-9)
    return OosMetrics(
        rows=len(rows),
        days=days,
        base_rate=base,
        accuracy=float(np.mean((p > 0.5) == won)),
        accuracy_base=max(base, 1.0 - base),
        brier=brier,
        brier_skill=1.0 - brier / (base * (1.0 - base)) if 0.0 < base < 1.0 else None,
        calibration_error=error,
        calibration_limit=error_limit(p, rows.lane, overlap, seed),
        overlap=overlap,
        auc=area_under_curve(p, won),
        edge_bps_min=edge_bps_min,
        trades=len(net_bps),
        hit_rate=_mean(net_bps > 0.0),
        net_bps=_mean(net_bps),
        net_sd_bps=float(net_bps.std(ddof=1)) if len(net_bps) > 1 else None,
        net_total_bps=float(net_bps.sum()),
        buy_hold_bps=buy_hold_bps,
        thresholds=_thresholds(seen, days, edge_bps_min),
        reliability=bins,
    )


def in_turn(rows: Rows, wanted: Bools) -> I64:
    """Return the wanted trades that can be had one after the other in each instrument.

    A trade is entered when wanted and none is open; the next may be entered once it has ended.

    wanted  : (n,) True where a trade would be entered.
    returns : row numbers, ascending.
    """
    taken: list[int] = []
    for lane in np.unique(rows.lane[wanted]):
        places = np.flatnonzero(wanted & (rows.lane == lane))
        decided, ends = rows.decided_ms[places], rows.ends_ms[places]
        next_free = np.searchsorted(decided, ends)
        at = 0
        while at < len(places):
            taken.append(int(places[at]))
            at = max(int(next_free[at]), at + 1)
    return np.array(sorted(taken), np.int64)


def area_under_curve(p: F64, won: Bools) -> float | None:
    """Return the area under the ROC curve, ties counted half; None with one outcome only.

    >>> area_under_curve(np.array([0.1, 0.4, 0.8]), np.array([False, True, True]))
    1.0
    """
    from scipy.stats import rankdata

    wins, losses = int(np.count_nonzero(won)), int(np.count_nonzero(~won))
    if wins == 0 or losses == 0:
        return None
    above = float(rankdata(p)[won].sum()) - wins * (wins + 1) / 2.0
    return above / (wins * losses)


def sentence(metrics: OosMetrics) -> str:
    """Return in one plain sentence whether an edge after costs shows; no promise, no verdict."""
    if metrics.trades == 0:
        return (
            f"No edge: in {metrics.rows:,} decisions over {metrics.days:.0f} days no expected net "
            f"return was above {metrics.edge_bps_min:g} bps, so it would not have traded."
        )
    mean, trades = metrics.net_bps or 0.0, metrics.trades
    what = f"{trades:,} trades out of sample, {mean:+.1f} bps each after costs"
    if metrics.net_sd_bps is None or trades < 10:
        return f"No evidence of an edge: {what}, too few to tell anything."
    score = mean / (metrics.net_sd_bps / np.sqrt(trades)) if metrics.net_sd_bps > 0 else 0.0
    if mean <= 0.0:
        return f"No edge after costs: {what}."
    if score < 1.645:
        return f"No evidence of an edge: {what} (t = {score:.1f}), within what luck gives."
    if (metrics.brier_skill or 0.0) <= 0.0:
        return (
            f"No evidence of an edge: {what} (t = {score:.1f}), but its probabilities are no "
            "better than the base rate."
        )
    return f"An edge shows: {what} (t = {score:.1f}). Only the gate can say whether it is luck."


def shows_edge(metrics: OosMetrics) -> bool:
    """Return whether ``sentence`` says that an edge shows."""
    return sentence(metrics).startswith("An edge")


def _thresholds(seen: OutOfSample, days: float, edge_bps_min: float) -> tuple[Threshold, ...]:
    table = []
    for edge in sorted({*EDGES_BPS, edge_bps_min}):
        table.append(_above(seen, days, "edge_bps", edge, seen.edge_bps > edge))
    for probability in PROBABILITIES:
        table.append(_above(seen, days, "probability", probability, seen.p > probability))
    return tuple(table)


def _above(
    seen: OutOfSample,
    days: float,
    kind: Literal["edge_bps", "probability"],
    value: float,
    wanted: Bools,
) -> Threshold:
    net_bps = 1e4 * seen.rows.net[in_turn(seen.rows, wanted)]
    signals = int(np.count_nonzero(wanted))
    return Threshold(
        kind, value, signals, signals / days, len(net_bps), _mean(net_bps > 0.0), _mean(net_bps)
    )


def _mean(values: F64 | Bools) -> float | None:
    return float(values.mean()) if len(values) else None
