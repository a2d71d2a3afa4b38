"""Evaluation: metrics of out-of-sample probabilities, beside those of trivial baselines.

All rows are ones on which the model was neither fitted nor calibrated. A metric that is undefined
(no trades, one outcome only) is None, never 0.
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
    """The result of trading only above a threshold.

    kind, value : ``edge_bps`` or ``probability``, and the threshold.
    signals, signals_per_day : decisions above it.
    trades      : of these, those that can be entered without overlap.
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
    """The metrics of one walk-forward.

    rows, days        : decisions evaluated, and the time they span.
    base_rate         : share of won trades among all decisions.
    accuracy, accuracy_base : share of outcomes predicted by p > 1/2, and by always predicting the
                        more frequent one.
    brier, brier_skill: mean squared error of p; its reduction against predicting the base rate.
    calibration_error : mean distance of predicted and observed frequency, over bins of equal
                        counts.
    calibration_limit : its 95% quantile for perfectly calibrated p on as many rows, whose trades
                        overlap as much.
    overlap           : rows that have correlated outcomes on average (``Rows.overlap``).
    auc               : probability that a won trade was scored above a lost one.
    edge_bps_min      : trades below are those with an expected edge above this.
    trades, hit_rate, net_bps, net_sd_bps, net_total_bps : of trades that do not overlap, net of
                        costs.
    buy_hold_bps      : return of holding over the same time, costs paid once.
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
        """Return the net result per trade, from which the mode confidence starts."""
        return Validation(self.trades, self.net_bps or 0.0, self.net_sd_bps or 0.0)

    @property
    def numbers(self) -> tuple[tuple[str, float], ...]:
        """Return name and value of each metric that is one number, for a journal or a registry."""
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return tuple((n, float(v)) for n, v in values if isinstance(v, int | float))


def evaluate(
    outputs: OutOfSample,
    *,
    edge_bps_min: float,
    interval_ms: int,
    seed: int,
    buy_hold_bps: float | None = None,
) -> OosMetrics:
    """Return the metrics of out-of-sample probabilities.

    interval_ms : from one decision to the next.
    seed        : of the draws behind ``calibration_limit``.
    """
    rows, p = outputs.rows, outputs.p
    won = rows.won
    base = float(won.mean())
    brier = float(np.mean((p - won) ** 2))
    error, bins = calibration_error(p, won)
    net_bps = 1e4 * rows.net[non_overlapping(rows, outputs.edge_bps > edge_bps_min)]
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
        thresholds=_thresholds(outputs, days, edge_bps_min),
        reliability=bins,
    )


def non_overlapping(rows: Rows, signal: Bools) -> I64:
    """Return the signalled trades that do not overlap within an instrument.

    A trade is entered on a signal while none is open; the next may be entered once it has ended.

    signal  : (n,) True where a trade would be entered.
    returns : row numbers, ascending.
    """
    entered: list[int] = []
    for lane in np.unique(rows.lane[signal]):
        numbers = np.flatnonzero(signal & (rows.lane == lane))
        decided, ends = rows.decided_ms[numbers], rows.ends_ms[numbers]
        following = np.searchsorted(decided, ends)
        at = 0
        while at < len(numbers):
            entered.append(int(numbers[at]))
            at = max(int(following[at]), at + 1)
    return np.array(sorted(entered), np.int64)


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


Basis = Literal["walk-forward", "promised", "unknown"]


def sentence(metrics: OosMetrics, basis: Basis = "walk-forward") -> str:
    """Return in one sentence whether the metrics show an edge after costs; it is no verdict.

    basis : what makes the rows out of sample; ``promised``: by whoever made the model; ``unknown``:
            the model may have learned from them, and they are no evidence.
    """
    if metrics.trades == 0:
        return (
            f"No edge: in {metrics.rows:,} decisions over {metrics.days:.0f} days no expected net "
            f"return was above {metrics.edge_bps_min:g} bps: no trades."
        )
    mean, trades = metrics.net_bps or 0.0, metrics.trades
    if basis == "unknown":
        return (
            f"Not evidence: {trades:,} trades, {mean:+.1f} bps each after costs, on rows that the "
            "model may have learned from."
        )
    results = f"{trades:,} {basis} trades, {mean:+.1f} bps each after costs"
    if basis == "promised":
        results = f"{trades:,} trades after --trained-to, {mean:+.1f} bps each after costs"
    if metrics.net_sd_bps is None or trades < 10:
        return f"No evidence of an edge: {results}, too few for a conclusion."
    score = mean / (metrics.net_sd_bps / np.sqrt(trades)) if metrics.net_sd_bps > 0 else 0.0
    if mean <= 0.0:
        return f"No edge after costs: {results}."
    if score < 1.645:
        return f"No evidence of an edge: {results} (t = {score:.1f}), within chance."
    if (metrics.brier_skill or 0.0) <= 0.0:
        return (
            f"No evidence of an edge: {results} (t = {score:.1f}), but its probabilities are no "
            "better than the base rate."
        )
    return f"Evidence of an edge: {results} (t = {score:.1f}). The gate tests whether it is chance."


def shows_edge(metrics: OosMetrics) -> bool:
    """Return whether the metrics show an edge, as ``sentence`` says."""
    return sentence(metrics).startswith("Evidence of")


def _thresholds(outputs: OutOfSample, days: float, edge_bps_min: float) -> tuple[Threshold, ...]:
    table = []
    for edge in sorted({*EDGES_BPS, edge_bps_min}):
        table.append(_above(outputs, days, "edge_bps", edge, outputs.edge_bps > edge))
    for probability in PROBABILITIES:
        table.append(_above(outputs, days, "probability", probability, outputs.p > probability))
    return tuple(table)


def _above(
    outputs: OutOfSample,
    days: float,
    kind: Literal["edge_bps", "probability"],
    value: float,
    above: Bools,
) -> Threshold:
    net_bps = 1e4 * outputs.rows.net[non_overlapping(outputs.rows, above)]
    signals = int(np.count_nonzero(above))
    return Threshold(
        kind, value, signals, signals / days, len(net_bps), _mean(net_bps > 0.0), _mean(net_bps)
    )


def _mean(values: F64 | Bools) -> float | None:
    return float(values.mean()) if len(values) else None
