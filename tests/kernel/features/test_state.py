"""The state of a series is its bytes."""

from __future__ import annotations

import numpy as np

from ares.kernel.features import (
    STATE,
    feature_state,
)


def test_the_state_has_no_padding() -> None:
    assert STATE.itemsize == sum(STATE[name].itemsize for name in STATE.names or ())
    one, other = feature_state(3, 60_000), feature_state(3, np.full(3, 60_000))
    assert one.tobytes() == other.tobytes()
