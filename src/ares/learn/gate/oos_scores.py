"""An ensemble's answers out of sample: what it said where, and the trades that it said it about.

Three stretches of time. Where the members' walks have not calibrated anything yet it is silent.
Then come the walk's own answers, each calibrated by what was known when its step began. After the
data that it was trained on ends, the shipped graphs answer, with the calibration that was shipped.
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
    """An ensemble with everything that it says about its instrument.

    label   : the anchor's trade.
    scores  : each member's probabilities at its closes; NaN where they would not be out of sample.
    steps   : calibrations of the walk after aggregation, oldest first; none: it has no walk.
    train_end_ms : end of the training rows; the shipped calibration holds from there.
    folds_ms  : instants at which a fitted model of some member took over from another.
    watched : bars on which trades are watched, ``watched_ms`` long, from before the first answer.
    joined  : False: a single package that speaks for itself, not a training's whole.
    """

    ensemble: Ensemble
    label: LabelRecipe
    scores: Mapping[Timeframe, Scores]
    steps: Sequence[EnsembleCalibration]
    train_end_ms: int
    folds_ms: tuple[int, ...]
    watched: Bars
    watched_ms: int
    joined: bool = True

    @property
    def from_ms(self) -> int:
        """Return the first instant from which it may be judged."""
        return min([self.train_end_ms + 1, *(step.from_ms for step in self.steps)])

    @property
    def to_ms(self) -> int:
        """Return the last instant at which it can be watched."""
        return int(self.watched.ts_ms[-1]) + self.watched_ms if len(self.watched) else 0

    def signals(self, close_ms: I64, cost_bps_now: float) -> Signals:
        """Return what it said at each instant, ``(n, 1)``; NaN: nothing."""
        timeframes = sorted(self.scores, key=lambda timeframe: timeframe.ms)
        said = empty_signals(len(close_ms), 1)
        for from_ms, to_ms, ensemble in self._stretches():
            part = slice(*np.searchsorted(close_ms, [from_ms, to_ms]).tolist())
            spoken = aggregate_history(
                close_ms[part],
                [[self.scores[timeframe] for timeframe in timeframes]],
                slot_records([ensemble], timeframes),
                timeframes,
                cost_bps_now,
            )
            for whole, piece in zip(said, spoken, strict=True):
                whole[part] = piece
        return said

    def decisions(self, from_ms: int, to_ms: int) -> tuple[Rows, F64]:
        """Return its decisions in a window whose outcome is known, with their probabilities.

        They stand at the closes of its finest member.
        """
        finest = min(self.scores, key=lambda timeframe: timeframe.ms)
        close_ms = self.scores[finest].close_ms
        close_ms = close_ms[(close_ms >= from_ms) & (close_ms < to_ms)]
        said = self.signals(close_ms, self.ensemble.cost_bps)
        horizon_ms = self.label.horizon_bars * self.ensemble.anchor.ms
        labels = label_decisions(
            close_ms,
            said.barrier_bps[:, 0] / 1e4,
            self.watched.between(None, to_ms),
            self.watched_ms,
            self.label,
            horizon_ms,
        )
        keep = np.flatnonzero(labels.known & np.isfinite(said.p[:, 0]))
        rows = Rows(
            np.empty((len(keep), 0), np.float32),
            close_ms[keep],
            labels.ends_ms[keep],
            labels.net[keep],
            labels.width[keep],
            np.zeros(len(keep), np.int32),
        )
        return rows, said.p[keep, 0]

    def account(self, bars: Bars, interval_ms: int, terms: AccountTerms) -> EvidenceAccount:
        """Return the account that trades its answers on bars, each ``interval_ms`` long."""
        said = self.signals(bars.ts_ms + interval_ms, terms.rules.cost_bps)
        return trade(bars, interval_ms, said, terms, self.ensemble.horizon_ms)

    def widths(self) -> tuple[I64, F64]:
        """Return the instants of the anchor's closes, and the distance of a trade's barriers there:
        known at each, whether anything was said or not.
        """
        anchor, label = self.scores[self.ensemble.anchor], self.label
        width = barrier_width(
            anchor.sigma, label.horizon_bars, label.width_sigmas, label.width_min_bps
        )
        return anchor.close_ms, width

    def fold_of(self, rows: Rows) -> I64:
        """Return which of the walk's models each row is from, by number."""
        edges = np.array([*self.folds_ms, self.train_end_ms + 1], np.int64)
        place: I64 = np.searchsorted(edges, rows.decided_ms, side="right").astype(np.int64)
        return place

    def _stretches(self) -> list[tuple[int, int, Ensemble]]:
        """Return (from_ms, to_ms, the ensemble as it was calibrated then), oldest first."""
        starts = [step.from_ms for step in self.steps]
        ends = [*starts[1:], self.train_end_ms + 1] if starts else []  # imported: it has no walk
        found = []
        for step, end_ms in zip(self.steps, ends, strict=True):
            then = msgspec.structs.replace(
                self.ensemble,
                platt_a=step.platt.a,
                platt_b=step.platt.b,
                gain=step.payoff.gain,
                loss=step.payoff.loss,
            )
            found.append((step.from_ms, end_ms, then))
        found.append((self.train_end_ms + 1, np.iinfo(np.int64).max, self.ensemble))
        return found
