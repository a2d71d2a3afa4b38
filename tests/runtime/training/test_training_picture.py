"""What the picture of a training shows: the evidence in the field's words, nothing else."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from ares.domain.strategy import StrategySpec
from ares.domain.timeframe import Timeframe
from ares.learn.equity import EquityPath
from ares.learn.evaluate import evaluate
from ares.learn.fit import LearningCurve
from ares.learn.package import TrainingEvidence
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.rows import Rows
from ares.learn.walk_forward import OutOfSample
from ares.runtime.training.training_picture import plot_of, training_picture

HOUR = 3_600_000


def evidence(net: float, edge_bps: float = 10.0, n: int = 400) -> TrainingEvidence:
    draw = np.random.default_rng(1)
    decided = np.arange(n, dtype=np.int64) * HOUR
    p = np.clip(0.5 + 0.2 * draw.standard_normal(n), 0.05, 0.95)
    won = draw.random(n) < p
    rows = Rows(
        np.empty((n, 0), np.float32), decided, decided + HOUR,
        np.where(won, net, -0.001) + 0.0001 * draw.standard_normal(n), np.full(n, 0.01),
        np.zeros(n, np.int32),
    )  # fmt: skip
    outputs = OutOfSample(rows, p, np.full(n, edge_bps))
    metrics = evaluate(outputs, edge_bps_min=5.0, interval_ms=HOUR, seed=1, buy_hold_bps=120.0)
    path = EquityPath(np.array([0, n * HOUR], np.int64), np.array([1.0, 1.1]))
    return TrainingEvidence(
        instruments=("binance:BTC/USDT", "binance:ETH/USDT"),
        recipe=Recipe(Timeframe.H1, ("return_1",), "hash", LabelRecipe(12, 33.0, 22.0)),
        rows=1_234,
        trained_ms=(0, 400 * HOUR),
        evaluated_ms=(200 * HOUR, 400 * HOUR),
        metrics=metrics,
        p=p,
        curve=LearningCurve((0.69, 0.68), (0.69, 0.688), 0.69, 2),
        traded=path,
        held=path,
        importance=(("return_1", 0.75), ("rsi_14", 0.25)),
    )


def test_a_strategy_is_named_and_has_no_learning_curve() -> None:
    shown = evidence(0.01)
    recipe = msgspec.structs.replace(
        shown.recipe, algorithm="strategy", strategy=StrategySpec("sma_cross", "ab")
    )
    plot = plot_of(replace(shown, recipe=recipe))
    assert plot.title == "binance:BTC/USDT + binance:ETH/USDT  1h  sma_cross"
    assert plot.curve is None
    assert training_picture(replace(shown, recipe=recipe)).startswith(b"\x89PNG")


def test_the_plot_has_the_evidence_of_the_package() -> None:
    shown = evidence(0.01)
    plot = plot_of(shown)
    assert plot.title == "binance:BTC/USDT + binance:ETH/USDT  1h"
    assert "trained on 1,234 rows, 1970-01-01 to 1970-01-17" in plot.about
    assert "evaluated 1970-01-09 to 1970-01-17" in plot.about
    assert "triple barrier, at most 12 bars, 22.0 bps of costs" in plot.about
    bins = shown.metrics.reliability
    np.testing.assert_array_equal(plot.reliability.predicted, [b.predicted for b in bins])
    np.testing.assert_array_equal(plot.reliability.observed, [b.observed for b in bins])
    assert plot.importance == (("return_1", 0.75), ("rsi_14", 0.25))
    assert dict(plot.metrics)["buy and hold"] == "+1.2%"
    assert [line.cells[0] for line in plot.thresholds if line.chosen] == ["edge > 5 bps"]


@pytest.mark.parametrize(
    ("net", "edge_bps", "emphasis"),
    [(0.01, 10.0, "edge"), (0.0005, 10.0, "no_edge"), (0.01, 0.0, "no_trades")],
)
def test_the_headline_has_the_colour_of_its_finding(
    net: float, edge_bps: float, emphasis: str
) -> None:
    assert plot_of(evidence(net, edge_bps)).emphasis == emphasis


def test_the_same_evidence_gives_the_same_picture() -> None:
    shown = evidence(0.01)
    assert training_picture(shown) == training_picture(shown)
    assert training_picture(shown)[:4] == b"\x89PNG"
    without = replace(shown, held=None, curve=LearningCurve((), (), None, 5))
    assert training_picture(without)[:4] == b"\x89PNG"
