from __future__ import annotations

import io
from dataclasses import replace
from itertools import product

import pytest

from ares.research.sweep_plot import SweepPlot, SweepPoint, draw_sweep

NAMES = ("learning.horizon", "learning.width")
POINTS = tuple(
    SweepPoint({NAMES[0]: x, NAMES[1]: y}, x - y, 0.4, 1.1)
    for x, y in product((0.33, 0.5, 1.0), (1.0, 1.5, 2.0))
)
NEAR, MANY = range(4), range(40)
PLOT = SweepPlot("binance:BTC/USDT", NAMES, POINTS, 12)


@pytest.mark.parametrize(
    "plot",
    [
        PLOT,
        replace(PLOT, by_trials=(0.9, 0.5, 0.3), deflated_min=0.95),
        replace(PLOT, points=(replace(POINTS[0], sharpe=None), *POINTS[1:])),
        replace(PLOT, points=tuple(replace(point, sharpe=None) for point in POINTS)),
        SweepPlot("x:Y/Z", ("a",), tuple(SweepPoint({"a": k}, k / 2, None, None) for k in NEAR), 4),
        SweepPlot("x:Y/Z", ("a",), (SweepPoint({"a": "text"}, 0.5, 0.9, 0.0),), 1),
        SweepPlot(
            "x:Y/Z", ("a", "b", "c"),
            tuple(SweepPoint({"a": k, "b": True, "c": "x"}, 0.5, 0.2, 1.0) for k in MANY), 99,
        ),
    ],
    ids=["grid", "by trials", "hole", "no trades", "line", "text", "three"],
)  # fmt: skip
def test_any_sweep_is_drawn_the_same_to_the_same_bytes(plot: SweepPlot) -> None:
    from PIL import Image

    content = draw_sweep(plot)
    assert draw_sweep(plot) == content
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.size == (1600, 600)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50
