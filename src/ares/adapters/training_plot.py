"""``training.png``: learning curve, reliability, equity, features and thresholds of a package."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.adapters.plot_style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RED,
    dates,
    legend,
    note_empty,
    style,
)

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

PALE_BLUE = "#a9c6d8"
EMPHASIS = {"edge": GREEN, "no_edge": RED, "no_trades": INK}


@dataclass(frozen=True, slots=True)
class LearningCurvePlot:
    """Log loss after each epoch; ``epochs`` is the number chosen.

    fitted, stopping : on the rows fitted, and on the newest rows, which were not; empty where
                       there were too few rows.
    base             : of always predicting the base rate; None where not known.
    """

    fitted: tuple[float, ...]
    stopping: tuple[float, ...]
    base: float | None
    epochs: int


@dataclass(frozen=True, slots=True)
class ReliabilityPlot:
    """Predicted against observed, out of sample.

    predicted, observed, rows : (n_bins,) mean probability, share of trades won, rows.
    base_rate : share of won trades among all rows.
    overlap   : rows that share one outcome, because their trades overlap.
    p         : (n_rows,) all predicted probabilities.
    """

    predicted: F64
    observed: F64
    rows: F64
    base_rate: float
    overlap: int
    p: F64


@dataclass(frozen=True, slots=True)
class EquityPlot:
    """Growth of 1 after costs: time (milliseconds, UTC) and value, of the model and of holding."""

    model_ms: I64
    model: F64
    held_ms: I64 | None
    held: F64 | None
    trades: int
    edge_bps_min: float


@dataclass(frozen=True, slots=True)
class ThresholdLine:
    """One line of the table of thresholds; ``chosen`` is the threshold of the settings."""

    cells: tuple[str, str, str, str, str]
    net_bps: float | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class TrainingPlot:
    """Everything that the picture shows.

    title     : e.g. ``binance:BTC/USDT 1h``.     about : one line on rows, time and costs.
    headline  : one sentence; ``emphasis`` names its colour.
    metrics   : name and value, as written; a name that begins with a space is subordinate.
    curve      : None for a strategy, to which nothing is fitted but its calibration.
    importance : features with their share of the gain of all splits, the largest first.
    """

    title: str
    headline: str
    emphasis: str
    about: str
    curve: LearningCurvePlot | None
    reliability: ReliabilityPlot
    equity: EquityPlot
    metrics: tuple[tuple[str, str], ...]
    thresholds: tuple[ThresholdLine, ...]
    importance: tuple[tuple[str, float], ...] = ()


def draw_training(plot: TrainingPlot) -> bytes:
    """Return the picture as PNG, 1300 x 900 pixels; the same values give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.06, 0.955, plot.title, fontsize=19, weight="bold", color=INK)
    figure.text(0.06, 0.917, plot.headline, fontsize=12.5, color=EMPHASIS[plot.emphasis])
    figure.text(0.06, 0.888, plot.about, fontsize=9.5, color=MUTED)
    grid = figure.add_gridspec(
        2, 12, left=0.06, right=0.975, top=0.825, bottom=0.055, hspace=0.36, wspace=2.2
    )
    _learning(figure.add_subplot(grid[0, :5]), plot.curve)
    middle = grid[0, 5:9].subgridspec(2, 1, height_ratios=[3.2, 1], hspace=0.08)
    top, bottom = figure.add_subplot(middle[0]), figure.add_subplot(middle[1])
    _reliability(top, bottom, plot.reliability)
    _metrics(figure.add_subplot(grid[0, 9:]), plot.metrics)
    _equity(figure.add_subplot(grid[1, :5]), plot.equity)
    _importance(figure.add_subplot(grid[1, 5:8]), plot)
    _thresholds(figure.add_subplot(grid[1, 8:]), plot.thresholds)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _learning(axes: Any, curve: LearningCurvePlot | None) -> None:
    style(axes, "Learning curve", "epoch", "log loss", rows=1)
    if curve is None:
        return note_empty(axes, "a strategy: nothing is fitted but its calibration")
    if not curve.stopping:
        return note_empty(axes, f"too few rows for a stopping slice: {curve.epochs} epochs fitted")
    epochs = np.arange(1, len(curve.stopping) + 1)
    axes.plot(epochs, curve.fitted, "o-", ms=3, color=MUTED, label="training rows")
    axes.plot(epochs, curve.stopping, "o-", ms=4, color=BLUE, label="newest rows, not fitted")
    if curve.base is not None:
        axes.axhline(curve.base, color=ORANGE, lw=1.2, ls="--", label="base rate")
    axes.axvline(curve.epochs, color=INK, lw=0.8, ls=":")
    axes.annotate(
        f"{curve.epochs} chosen",
        (curve.epochs, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=8.5,
        color=INK,
    )
    axes.set_xlim(0.5, max(len(epochs), 3) + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend(axes, 3)
    return None


def _reliability(axes: Any, counts: Any, plot: ReliabilityPlot) -> None:
    style(axes, "Reliability diagram", "", "share won", rows=1)
    predicted, observed = plot.predicted, plot.observed
    spread = np.maximum(predicted * (1 - predicted), 1e-9)
    error = 1.96 * np.sqrt(spread * plot.overlap / plot.rows)
    below, above = np.minimum(error, observed), np.minimum(error, 1.0 - observed)
    low = max(0.0, min(predicted.min(), (observed - below).min()) - 0.02)
    high = min(1.0, max(predicted.max(), (observed + above).max()) + 0.02)
    axes.plot([low, high], [low, high], color=MUTED, lw=1, ls="--", label="perfect")
    axes.axhline(plot.base_rate, color=ORANGE, lw=1, ls=":", label="base rate")
    axes.errorbar(
        predicted,
        observed,
        yerr=np.array([below, above]),
        fmt="o-",
        ms=4.5,
        lw=1.3,
        color=BLUE,
        ecolor=PALE_BLUE,
        label="observed, ±95%",
    )
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.tick_params(labelbottom=False)
    legend(axes, 3)
    style(counts, "", "predicted probability", "rows")
    counts.hist(plot.p, bins=np.linspace(low, high, 41).tolist(), color=PALE_BLUE)
    counts.set(xlim=(low, high))
    counts.locator_params(axis="y", nbins=3)


def _metrics(axes: Any, metrics: tuple[tuple[str, str], ...]) -> None:
    axes.axis("off")
    axes.set_title("Out of sample", loc="left", fontsize=11, weight="bold", color=INK, pad=19)
    for line, (name, value) in enumerate(metrics):
        height = 0.985 - line * 0.0725
        colour = MUTED if name.startswith(" ") else INK
        axes.text(0, height, name, fontsize=9.5, color=colour, va="center")
        axes.text(1, height, value, fontsize=9.5, color=INK, va="center", ha="right")


def _equity(axes: Any, plot: EquityPlot) -> None:
    title = f"Equity out of sample after costs, edge above {plot.edge_bps_min:g} bps"
    style(axes, title, "", "growth of 1", rows=1)
    if plot.held is not None:
        axes.plot(plot.held_ms, plot.held, color=ORANGE, lw=1, label="buy and hold")
    axes.step(
        plot.model_ms,
        plot.model,
        where="post",
        color=BLUE,
        lw=1.7,
        label=f"model, {plot.trades:,} trades",
    )
    axes.axhline(1.0, color=MUTED, lw=0.8)
    legend(axes, 2)
    axes.tick_params(axis="x", labelsize=8)
    dates(axes, int(plot.model_ms[0]), int(plot.model_ms[-1]), 5)


def _importance(axes: Any, plot: TrainingPlot) -> None:
    style(axes, "Features by gain", "share of the gain of all splits", "", rows=1)
    axes.grid(visible=False, axis="y")
    if not plot.importance:
        return note_empty(axes, "no split was made" if plot.curve else "a strategy has no splits")
    names = [name for name, _ in reversed(plot.importance)]
    shares = [share for _, share in reversed(plot.importance)]
    axes.barh(range(len(names)), shares, color=PALE_BLUE, height=0.72)
    axes.set_yticks([])
    for row, name in enumerate(names):  # on the bar: names differ too much in length for a margin
        axes.text(
            0.015, row, name, fontsize=8.5, color=INK, va="center",
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.locator_params(axis="x", nbins=4)
    return None


COLUMNS = (
    ("trade when", 0.0),
    ("signals\na day", 0.53),
    ("trades", 0.7),
    ("trades\nwon", 0.84),
    ("net bps\na trade", 1.02),
)


def _thresholds(axes: Any, lines: tuple[ThresholdLine, ...]) -> None:
    axes.axis("off")
    axes.set_title(
        "Results by threshold", loc="left", fontsize=11, weight="bold", color=INK, pad=19
    )
    for name, x in COLUMNS:
        side = "left" if x == 0.0 else "right"
        axes.text(x, 0.975, name, fontsize=8.5, color=MUTED, ha=side, va="center")
    for number, line in enumerate(lines):
        height = 0.88 - number * 0.083
        weight = "bold" if line.chosen else "normal"
        for text, (_, x) in zip(line.cells, COLUMNS, strict=True):
            side = "left" if x == 0.0 else "right"
            colour = INK
            if x > 1.0 and line.net_bps is not None:
                colour = GREEN if line.net_bps > 0 else RED
            axes.text(
                x, height, text, fontsize=9, color=colour, ha=side, va="center", weight=weight
            )
    footnote = "after costs, out of sample; no two trades at a time"
    axes.text(0, 0.02, footnote, fontsize=8, color=MUTED, va="center")
