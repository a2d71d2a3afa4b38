"""An ensemble's out-of-sample scores, and the trades that they are about.

There are three segments of time. Until the members' walk-forward has a calibration there are no
scores. Then come the walk-forward's scores, each calibrated by what was known when its fold began.
After the end of the training data come the scores of the shipped graphs, with the shipped
calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from ares.domain.model import Ensemble
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, I64, Bars
from ares.kernel.ensemble import Scores, aggregate_history, empty_signals, slot_records
from ares.kernel.trade import Signals
from ares.learn.ensemble import EnsembleCalibration
from ares.learn.gate.account import AccountTerms, EvidenceAccount, trade
from ares.learn.labels import barrier_width, label_decisions
from ares.learn.recipe import LabelRecipe
from ares.learn.rows import Rows


@dataclass(frozen=True, slots=True)
class EnsembleScores:
    """An ensemble with its out-of-sample scores on its instrument.

    label   : the anchor's.
    scores  : each member's probabilities at its closes; NaN where they are not out of sample.
    steps   : calibrations of the walk-forward after aggregation, oldest first; empty: no walk.
    train_end_ms : end of the training data; the shipped calibration holds from there.
    folds_ms : instants at which the fitted model of some member changes.
    path_bars : bars on which the path of each trade is followed, ``path_interval_ms`` long, from
              before the first score.
    aggregated : whether it is calibrated after aggregation; False: a single package by itself.
    """

    ensemble: Ensemble
    label: LabelRecipe
    scores: Mapping[Timeframe, Scores]
    steps: Sequence[EnsembleCalibration]
    train_end_ms: int
    folds_ms: tuple[int, ...]
    path_bars: Bars
    path_interval_ms: int
    aggregated: bool = True

    @property
    def from_ms(self) -> int:
        """Return the first instant at which the ensemble is out of sample."""
        return min([self.train_end_ms + 1, *(step.from_ms for step in self.steps)])

    @property
    def to_ms(self) -> int:
        """Return the close of the last bar on which a trade can be followed."""
        return int(self.path_bars.ts_ms[-1]) + self.path_interval_ms if len(self.path_bars) else 0

    def signals(self, close_ms: I64, cost_bps_now: float) -> Signals:
        """Return the signals at each instant, ``(n, 1)``; NaN: none."""
        timeframes = sorted(self.scores, key=lambda timeframe: timeframe.ms)
        signals = empty_signals(len(close_ms), 1)
        for from_ms, to_ms, ensemble in self._segments():
            part = slice(*np.searchsorted(close_ms, [from_ms, to_ms]).tolist())
            segment = aggregate_history(
                close_ms[part],
                [[self.scores[timeframe] for timeframe in timeframes]],
                slot_records([ensemble], timeframes),
                timeframes,
                cost_bps_now,
            )
            for whole, piece in zip(signals, segment, strict=True):
                whole[part] = piece
        return signals

    def decisions(self, from_ms: int, to_ms: int) -> tuple[Rows, F64]:
        """Return the decisions in a window whose outcome is known, with their probabilities.

        There is a decision at each close of the finest member.
        """
        finest = min(self.scores, key=lambda timeframe: timeframe.ms)
        close_ms = self.scores[finest].close_ms
        close_ms = close_ms[(close_ms >= from_ms) & (close_ms < to_ms)]
        signals = self.signals(close_ms, self.ensemble.cost_bps)
        horizon_ms = self.label.horizon_bars * self.ensemble.anchor.ms
        labels = label_decisions(
            close_ms,
            signals.barrier_bps[:, 0] / 1e4,
            self.path_bars.between(None, to_ms),
            self.path_interval_ms,
            self.label,
            horizon_ms,
        )
        keep = np.flatnonzero(labels.known & np.isfinite(signals.p[:, 0]))
        rows = Rows(
            np.empty((len(keep), 0), np.float32),
            close_ms[keep],
            labels.ends_ms[keep],
            labels.net[keep],
            labels.barrier_width[keep],
            np.zeros(len(keep), np.int32),
        )
        return rows, signals.p[keep, 0]

    def account(self, bars: Bars, interval_ms: int, terms: AccountTerms) -> EvidenceAccount:
        """Return the account that trades the scores on bars, each ``interval_ms`` long."""
        signals = self.signals(bars.ts_ms + interval_ms, terms.rules.cost_bps)
        return trade(bars, interval_ms, signals, terms, self.ensemble.horizon_ms)

    def barrier_widths(self) -> tuple[I64, F64]:
        """Return the closes of the anchor's bars, and the distance of a trade's barriers at each.

        The distance is known at the close, whether there is a score or not.
        """
        anchor, label = self.scores[self.ensemble.anchor], self.label
        width = barrier_width(
            anchor.sigma, label.horizon_bars, label.width_sigmas, label.width_min_bps
        )
        return anchor.close_ms, width

    def fold_numbers(self, rows: Rows) -> I64:
        """Return the number of the walk-forward's fitted model that each row is from, ``(n,)``."""
        edges = np.array([*self.folds_ms, self.train_end_ms + 1], np.int64)
        number: I64 = np.searchsorted(edges, rows.decided_ms, side="right").astype(np.int64)
        return number

    def _segments(self) -> list[tuple[int, int, Ensemble]]:
        """Return (from_ms, to_ms, the ensemble as it was calibrated then), oldest first."""
        starts = [step.from_ms for step in self.steps]
        ends = [*starts[1:], self.train_end_ms + 1] if starts else []  # imported: no walk-forward
        segments = []
        for step, end_ms in zip(self.steps, ends, strict=True):
            calibrated = msgspec.structs.replace(
                self.ensemble,
                platt_a=step.platt.a,
                platt_b=step.platt.b,
                gain=step.payoff.gain,
                loss=step.payoff.loss,
            )
            segments.append((step.from_ms, end_ms, calibrated))
        segments.append((self.train_end_ms + 1, np.iinfo(np.int64).max, self.ensemble))
        return segments
