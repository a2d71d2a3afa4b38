from __future__ import annotations

import numpy as np

from ares.learn.fit_result import SCALE_ROWS, scale_rows


def test_the_scale_is_of_evenly_spread_rows() -> None:
    x = np.arange(20_000, dtype=np.float32)[:, None]
    rows = scale_rows(x)
    assert len(rows) == SCALE_ROWS
    assert (rows[0, 0], rows[-1, 0]) == (0.0, 19_999.0)
    assert scale_rows(x[:10]).tolist() == x[:10].tolist()
