"""Instants stepped at once have the effects of one step after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.core.conftest import TwoInstruments

from ares.core.models import NO_MODELS
from ares.core.snapshot import snapshot
from ares.core.step import DAY_EVENTS, step
from ares.core.stretch import StretchSteps
from ares.domain.events import BarsClosed
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bar_aggregation import ClosingBars
from ares.kernel.stretch import KnownBars
from ares.kernel.trade.arrays import new_venue

NEVER_MS = 2**62


def known(two: TwoInstruments, n: int, **changed: float) -> KnownBars:
    """Return calm bars of both instruments; ``changed``: by number of the instant, the high."""
    state = two.state
    ohlcv = np.tile([100.0, 100.1, 99.9, 100.0, 5.0], (n, 2, 1))
    for k, high in changed.items():
        ohlcv[int(k[1:]), 1, 1] = high
    close_ms = two.at_ms + MINUTE_MS * np.arange(1, n + 1, dtype=np.int64)
    present, flat = np.ones((n, 2), np.bool_), np.zeros((n, 2), np.bool_)
    lows = np.rint(ohlcv[:, :, 2] * 100).astype(np.int64)
    scores = np.full((n, *state.packages.shape), np.nan)
    return KnownBars(close_ms, ClosingBars(present, ohlcv, flat), lows, scores, 0)


def event(bars: KnownBars, t: int) -> BarsClosed:
    columns = (bars.bars.ohlcv[t], bars.bars.present[t], bars.bars.flat[t])
    return BarsClosed(int(bars.close_ms[t]), *(column.tobytes() for column in columns))


def steps_of(two: TwoInstruments) -> StretchSteps:
    return StretchSteps(two.state, NO_MODELS, ends_with_trade=False)


def test_the_state_and_the_effects_are_those_of_single_steps() -> None:
    one, other = TwoInstruments(), TwoInstruments()
    bars, venue = known(one, 50), new_venue(2)
    for two in (one, other):
        two.hold(0)
    stepped = steps_of(one).step(bars, 0, NEVER_MS, venue)
    assert stepped is not None
    assert stepped.stretch is not None
    assert (stepped.instants, stepped.last) == (50, None)
    single = [
        (other.state.seq, event(bars, t), effects)
        for t in range(50)
        for effects in [step(other.state, event(bars, t), NO_MODELS, int(bars.close_ms[t]))]
    ]
    assert list(stepped.stretch.entries()) == single
    assert snapshot(one.state) == snapshot(other.state)


def test_a_bar_to_refuse_is_left_to_a_single_step() -> None:
    two = TwoInstruments()
    steps, bars, venue = steps_of(two), known(two, 10, t3=1.0), new_venue(2)
    stepped = steps.step(bars, 0, NEVER_MS, venue)
    assert stepped is not None
    assert stepped.instants == 3
    assert steps.step(bars, 3, NEVER_MS, venue) is None
    assert two.state.now_ms == bars.close_ms[2]


def test_it_ends_where_the_scores_end() -> None:
    two = TwoInstruments()
    bars = known(two, 10)
    bars = bars._replace(scores=bars.scores[:4])
    stepped = steps_of(two).step(bars, 0, NEVER_MS, new_venue(2))
    assert stepped is not None
    assert stepped.instants == 4


@pytest.mark.parametrize("before", [0, 1, 3])
def test_what_is_done_once_in_many_events_is_done_by_a_single_step(before: int) -> None:
    two = TwoInstruments()
    steps, bars = steps_of(two), known(two, 10)
    two.state.seq = DAY_EVENTS - 1 - before
    stepped = steps.step(bars, 0, NEVER_MS, new_venue(2))
    assert (0 if stepped is None else stepped.instants) == before


def test_features_that_are_computed_bar_by_bar_have_no_stretch() -> None:
    two = TwoInstruments()
    state: Any = two.state
    state.bar_windows = np.zeros(2)
    assert steps_of(two).step(known(two, 10), 0, NEVER_MS, new_venue(2)) is None
