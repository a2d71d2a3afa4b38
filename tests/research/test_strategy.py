"""Strategies by hand: levels become signals on the common grid; a summary counts signals only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.trade import Signals
from ares.learn.gate.baselines import CERTAIN_EDGE_BPS
from ares.research.market import Candles
from ares.research.strategy import long_flat, summarize

Maker = Callable[..., Candles]


def test_levels_become_certain_signals_and_nan_keeps_the_position(candles_of: Maker) -> None:
    strategy = long_flat(candles_of([1.0, 2.0, 3.0]), np.array([1.0, np.nan, 0.0]))
    expected = [CERTAIN_EDGE_BPS, np.nan, -CERTAIN_EDGE_BPS]
    np.testing.assert_array_equal(strategy.signals.edge_bps[:, 0], expected)
    assert np.isnan(strategy.signals.p).all(), "no probability is claimed"


def test_levels_of_each_instrument_stand_on_its_own_closes(walk: Maker) -> None:
    minutes, fives = walk(n=10), walk("BBB/USDT", n=2, timeframe=Timeframe.M5)
    strategy = long_flat([minutes, fives], [np.ones(10), np.zeros(2)])
    has_signal = np.isfinite(strategy.signals.edge_bps)
    assert has_signal[:, 0].all()
    assert np.flatnonzero(has_signal[:, 1]).tolist() == [4, 9]
    assert strategy.horizon_ms == (0, 0)


def test_levels_of_another_length_are_refused_by_name(walk: Maker) -> None:
    with pytest.raises(ValueError, match="test:AAA/USDT: 9 levels for 10 bars"):
        long_flat(walk(n=10), np.ones(9))
    with pytest.raises(ValueError, match="zip"):
        long_flat([walk(n=10), walk("BBB/USDT", n=10)], [np.ones(10)])


def test_a_summary_counts_what_an_entry_needs_and_the_limit_itself_passes() -> None:
    edge = np.array([[5.0], [np.nan], [4.9], [np.nan], [8.0]])
    p = np.array([[0.6], [np.nan], [0.5], [np.nan], [0.7]])
    found = summarize(Signals(p, edge, np.full_like(p, np.nan)), edge_bps_min=5.0)
    assert (found.instants, found.above, found.edge_max_bps) == (3, 2, 8.0)
    assert (found.p_min, found.p_max) == (0.5, 0.7)
    assert found.p_mean == pytest.approx(0.6)


def test_a_summary_of_no_signals_has_no_numbers() -> None:
    nothing = np.full((4, 1), np.nan)
    found = summarize(Signals(nothing, nothing, nothing), 5.0)
    assert (found.instants, found.above) == (0, 0)
    assert (found.p_min, found.p_mean, found.p_max, found.edge_max_bps) == (None,) * 4
