"""The state of a series forgets where it began, its recursive averages too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import Bars
from ares.kernel.features import (
    N_FEATURES,
    feature_scan,
    feature_state,
)
from ares.kernel.features.scan import reference_close

Walk = Callable[..., Bars]


F32 = NDArray[np.float32]


def scanned(state: NDArray[np.void], k: int, bars: Bars, reference: Bars | None) -> F32:
    values = np.empty((len(bars), N_FEATURES), np.float32)
    age = np.empty(len(bars), np.int64)
    feature_scan(state, k, bars.columns, reference_close(bars, reference), values, age)
    return values


def test_the_state_itself_forgets_its_start(walk: Walk) -> None:
    bars = walk(7, 800)
    one, other = feature_state(1, 60_000), feature_state(1, 60_000)
    scanned(one, 0, bars, None)
    scanned(other, 0, bars[100:], None)
    for name in ("emas", "extremes", "values_32", "values_64", "values_128", "streak", "bar"):
        assert one[name].tobytes() == other[name].tobytes(), name
