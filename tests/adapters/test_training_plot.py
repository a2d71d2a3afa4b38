"""The picture of a training: any values are drawn, the same values to the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ares.adapters.training_plot import (
    EquityPlot,
    LearningCurvePlot,
    ReliabilityPlot,
    ThresholdLine,
    TrainingPlot,
    draw_training,
)

DAY = 86_400_000


def plot() -> TrainingPlot:
    days = np.arange(30, dtype=np.int64) * DAY
    return TrainingPlot(
        title="binance:BTC/USDT  1h",
        headline="Evidence of an edge.",
        emphasis="edge",
        about="trained on 2,000 rows",
        curve=LearningCurvePlot((0.69, 0.67, 0.66), (0.69, 0.68, 0.685), 0.69, 2),
        reliability=ReliabilityPlot(
            predicted=np.array([0.3, 0.5, 0.7]),
            observed=np.array([0.28, 0.55, 0.69]),
            rows=np.array([100.0, 90.0, 110.0]),
            base_rate=0.5,
            overlap=4,
            p=np.linspace(0.2, 0.8, 300),
        ),
        equity=EquityPlot(days, np.linspace(1.0, 1.2, 30), days, np.linspace(1.0, 0.9, 30), 29, 5),
        metrics=(("decisions", "300"), ("  won", "52.0%")),
        thresholds=(
            ThresholdLine(("edge > 5 bps", "2.0", "29", "52%", "+3.0"), 3.0, True),
            ThresholdLine(("p > 0.70", "0.0", "0", "–", "–"), None, False),
        ),
        importance=(("return_1", 0.7), ("rsi_14", 0.3)),
    )


def test_the_picture_has_its_size_and_is_not_blank() -> None:
    from PIL import Image

    with Image.open(io.BytesIO(draw_training(plot()))) as picture:
        assert picture.size == (1300, 900)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


def test_the_same_values_give_the_same_bytes() -> None:
    assert draw_training(plot()) == draw_training(plot())
    assert draw_training(plot()) != draw_training(replace(plot(), headline="No edge."))


@contextmanager
def drawn(plot: TrainingPlot) -> Iterator[Any]:
    """Return the figure of a picture, laid out."""
    from matplotlib.figure import Figure

    figures: list[Any] = []
    save = Figure.savefig

    def keep(figure: Any, *args: Any, **named: Any) -> None:
        figures.append(figure)
        save(figure, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", keep)
        draw_training(plot)
    yield figures[0]


def test_a_legend_hides_nothing_and_error_bars_stay_in_their_panel() -> None:
    wide = replace(plot().reliability, rows=np.array([2.0, 3.0, 2.0]))
    with drawn(replace(plot(), reliability=wide)) as figure:
        for axes in figure.axes:
            found = axes.get_legend()
            if found is not None:
                box, panel = found.get_window_extent(), axes.get_window_extent()
                assert box.y0 >= panel.y1 - 1.0
        (panel,) = [axes for axes in figure.axes if axes.get_title("left") == "Reliability diagram"]
        low, high = panel.get_ylim()
        for bars in panel.containers:
            for segment in bars.lines[2][0].get_segments():
                assert low <= segment[0][1] <= segment[1][1] <= high
                assert 0.0 <= segment[0][1] <= segment[1][1] <= 1.0


def test_the_features_with_the_largest_gain_are_named() -> None:
    with drawn(plot()) as figure:
        (panel,) = [axes for axes in figure.axes if axes.get_title("left") == "Features by gain"]
        assert [text.get_text() for text in panel.texts] == ["rsi_14", "return_1"]
        assert [bar.get_width() for bar in panel.patches] == [0.3, 0.7]
    assert draw_training(plot()) != draw_training(replace(plot(), importance=()))


def test_a_strategy_has_no_curve_and_no_scale_of_nothing() -> None:
    with drawn(replace(plot(), curve=None, importance=())) as figure:
        panels = {axes.get_title("left"): axes for axes in figure.axes}
    for title, text in (
        ("Learning curve", "a strategy: nothing is fitted but its calibration"),
        ("Features by gain", "a strategy has no splits"),
    ):
        assert [found.get_text() for found in panels[title].texts] == [text]
        assert len(panels[title].get_xticks()) == len(panels[title].get_yticks()) == 0


def test_degenerate_values_are_drawn_too() -> None:
    constant = np.array([0.5])
    two = np.array([0, 3 * DAY], np.int64)
    odd = replace(
        plot(),
        emphasis="no_trades",
        curve=LearningCurvePlot((), (), None, 5),
        reliability=ReliabilityPlot(constant, np.array([0.0]), constant, 0.0, 1, constant),
        equity=EquityPlot(two, np.ones(2), None, None, 0, 1e6),
        metrics=(),
        thresholds=(),
    )
    assert draw_training(odd)[:4] == b"\x89PNG"
