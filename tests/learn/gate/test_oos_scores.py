"""Out-of-sample scores: calibrated by what was known, and no decision without an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import Bars
from ares.learn.calibration import Payoff, Platt
from ares.learn.ensemble import EnsembleCalibration
from ares.learn.gate.oos_scores import EnsembleScores

MakeScores = Callable[..., EnsembleScores]
N = 400
HORIZON = 12
CLOSE_MS = (np.arange(N, dtype=np.int64) + 1) * HOUR_MS


def step(hour: int, b: float, gain: float = 1.0) -> EnsembleCalibration:
    return EnsembleCalibration(hour * HOUR_MS, Platt(1.0, b), Payoff(gain, 1.0))


def walked(scores: MakeScores, **changes: object) -> EnsembleScores:
    """Return scores whose calibration changes at hours 100 and 200, and is shipped after 300."""
    return scores(
        p=np.full(N, 0.5),
        steps=(step(100, -1.0), step(200, 1.0, gain=2.0)),
        train_end_ms=300 * HOUR_MS,
        **changes,
    )


def test_each_segment_has_the_calibration_that_was_known_at_its_beginning(
    scores: MakeScores,
) -> None:
    signals = walked(scores).signals(CLOSE_MS, cost_bps_now=0.0)
    hour = CLOSE_MS // HOUR_MS
    assert np.isnan(signals.p[hour < 100]).all()  # only calibrated on
    low, high = 1.0 / (1.0 + np.e), np.e / (1.0 + np.e)
    for inside, p in (
        ((hour >= 100) & (hour < 200), low),
        ((hour >= 200) & (hour <= 300), high),
        (hour > 300, 0.5),
    ):
        assert inside.any()
        np.testing.assert_allclose(signals.p[inside, 0], p, rtol=1e-12)
    barrier = signals.barrier_bps[250, 0]
    assert signals.edge_bps[250, 0] == pytest.approx(barrier * (2.0 * high - low))
    assert signals.edge_bps[150, 0] == pytest.approx(signals.barrier_bps[150, 0] * (low - high))


def test_it_is_out_of_sample_from_its_first_calibration_on(scores: MakeScores) -> None:
    assert walked(scores).from_ms == 100 * HOUR_MS
    imported = scores(train_end_ms=50 * HOUR_MS)
    assert imported.from_ms == 50 * HOUR_MS + 1
    assert np.isnan(imported.signals(CLOSE_MS, 0.0).p[:50]).all()
    assert np.isfinite(imported.signals(CLOSE_MS, 0.0).p[50:]).all()
    assert imported.to_ms == N * HOUR_MS
    assert replace(imported, path_bars=Bars.empty()).to_ms == 0


def test_a_decision_whose_outcome_is_not_known_by_the_end_is_left_out(scores: MakeScores) -> None:
    some = walked(scores)
    to_ms = 350 * HOUR_MS
    rows, p = some.decisions(0, to_ms)
    assert len(rows) == len(p) > 200
    assert rows.decided_ms.min() == 100 * HOUR_MS
    assert rows.ends_ms.max() <= to_ms
    assert rows.decided_ms.max() < to_ms
    later, _ = some.decisions(0, to_ms + 5 * HOUR_MS)
    known = later[later.ends_ms <= to_ms]
    assert known.decided_ms.tolist() == rows.decided_ms.tolist()
    assert known.net.tobytes() == rows.net.tobytes()


def test_without_a_score_there_is_no_decision_but_a_barrier(scores: MakeScores) -> None:
    p = np.full(N, 0.5)
    p[20:40] = np.nan
    some = scores(p=p)
    rows, chances = some.decisions(0, N * HOUR_MS)
    assert not np.isin(rows.decided_ms, CLOSE_MS[20:40]).any()
    assert np.isfinite(chances).all()
    close_ms, width = some.barrier_widths()
    assert close_ms.tolist() == CLOSE_MS.tolist()
    assert np.isfinite(width[20:40]).all()
    assert width[0] == pytest.approx(0.002 * HORIZON**0.5)


def test_rows_are_numbered_by_the_fitted_model_that_gave_them(scores: MakeScores) -> None:
    some = walked(scores, folds_ms=(100 * HOUR_MS, 180 * HOUR_MS))
    rows, _ = some.decisions(0, N * HOUR_MS)
    folds = some.fold_numbers(rows)
    hour = rows.decided_ms // HOUR_MS
    assert folds[hour < 180].tolist() == [1] * np.count_nonzero(hour < 180)
    assert set(folds[(hour >= 180) & (hour <= 300)]) == {2}
    assert set(folds[hour > 300]) == {3}  # the shipped graph
