"""The test's bound: the widest barrier that an open trade can have, not the widest ever."""

from __future__ import annotations

import numpy as np

from ares.learn.gate.evidence_builder import EXIT_BARS, _widest


def test_the_bound_follows_the_barriers_that_can_be_open() -> None:
    width = np.full(100, 0.01)
    width[20] = 0.08
    horizon = 12
    bound = _widest(width, horizon + EXIT_BARS)
    assert (bound >= width).all()
    assert (bound[:20] == 0.01).all()
    held = slice(20, 20 + horizon + EXIT_BARS)
    assert (bound[held] == 0.08).all()  # as long as a trade entered there may be open
    assert (bound[held.stop :] == 0.01).all()


def test_it_needs_nothing_but_the_past() -> None:
    draw = np.random.default_rng(0)
    width = draw.random(200)
    whole = _widest(width, 9)
    for n in (1, 8, 9, 50):
        assert np.array_equal(_widest(width[:n], 9), whole[:n])
