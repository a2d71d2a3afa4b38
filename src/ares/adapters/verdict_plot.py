"""The picture of a verdict: its lines, the equity behind it, the e-process, the calibration."""

from __future__ import annotations

import io
from collections.abc import Sequence
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

POINTS_MAX = 1500
COLOURS = {"candidate": BLUE, "champion": ORANGE, "buy_and_hold": MUTED, "sma_cross": "#9d7bb5"}
LABELS = {"buy_and_hold": "buy & hold", "sma_cross": "SMA cross"}


@dataclass(frozen=True, slots=True)
class PlotLine:
    """A line of the verdict as text; ``passed`` None: it has no limit."""

    name: str
    value: str
    limit: str
    passed: bool | None


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Equity at each close as a multiple of the initial cash, with its daily returns."""

    close_ms: I64
    equity: F64
    daily: F64
    sharpe: float | None


@dataclass(frozen=True, slots=True)
class VerdictPlot:
    """The content of the picture.

    title     : e.g. ``binance:BTC/USDT  1h 4h``.
    sentence  : the verdict in one sentence.     about : a line on what was evaluated.
    curves    : by name; the evaluated ensemble's is called ``candidate``.
    step_ms, log_e, log_e_min : (n_steps,) the e-process over time, and its threshold.
    reliability : (predicted, observed) of each bin.
    """

    title: str
    sentence: str
    about: str
    passed: bool
    lines: Sequence[PlotLine]
    curves: dict[str, EquityCurve]
    step_ms: I64
    log_e: F64
    log_e_min: float
    reliability: Sequence[tuple[float, float]]
    base_rate: float | None


def draw_verdict(plot: VerdictPlot) -> bytes:
    """Return the picture as PNG, 1300 x 900 pixels; the same content gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.05, 0.955, plot.title, fontsize=19, weight="bold", color=INK)
    colour = GREEN if plot.passed else RED
    figure.text(0.05, 0.917, plot.sentence, fontsize=12.5, color=colour)
    figure.text(0.05, 0.888, plot.about, fontsize=9.5, color=MUTED)
    grid = figure.add_gridspec(
        3, 12, left=0.05, right=0.975, top=0.8, bottom=0.06, hspace=0.62, wspace=2.0,
        height_ratios=[1.25, 1.0, 1.0],
    )  # fmt: skip
    failed_first = sorted(plot.lines, key=lambda line: line.passed is not False)
    _lines(figure.add_subplot(grid[:, :6]), failed_first)
    _equity(figure.add_subplot(grid[0, 6:]), plot.curves)
    _e_process(figure.add_subplot(grid[1, 6:]), plot)
    _reliability(figure.add_subplot(grid[2, 6:]), plot)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _lines(axes: Any, lines: Sequence[PlotLine]) -> None:
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    columns = ((0.0, "left", "line"), (0.66, "right", "value"), (0.9, "right", "limit"))
    for x, side, name in columns:
        axes.text(x, 1.0, name, fontsize=9, color=MUTED, ha=side, va="center")
    step = 0.97 / max(len(lines), 1)
    for k, line in enumerate(lines):
        height = 0.962 - k * step
        weight = "bold" if line.passed is False else "normal"
        for text, (x, side, _) in zip((line.name, line.value, line.limit), columns, strict=True):
            axes.text(x, height, text, fontsize=9.5, ha=side, va="center", color=INK, weight=weight)
        mark, colour = _mark(line)
        axes.text(0.97, height, mark, fontsize=9.5, ha="center", va="center", color=colour,
                  weight="bold")  # fmt: skip


def _mark(line: PlotLine) -> tuple[str, str]:
    if line.passed is None:
        return "·", MUTED
    return ("pass", GREEN) if line.passed else ("fail", RED)


def _equity(axes: Any, curves: dict[str, EquityCurve]) -> None:
    style(axes, "Equity out of sample after costs, at equal daily volatility", "UTC",
          "return / daily volatility", rows=2)  # fmt: skip
    for name, curve in curves.items():
        if not len(curve.equity):
            continue
        some = np.linspace(0, len(curve.equity) - 1, min(POINTS_MAX, len(curve.equity)))
        at = some.astype(np.int64)
        deviation = float(curve.daily.std()) if len(curve.daily) > 1 else 0.0
        path = (curve.equity[at] - 1.0) / deviation if deviation > 0.0 else np.zeros(len(at))
        ratio = "–" if curve.sharpe is None else f"{curve.sharpe:.2f}"
        axes.plot(
            curve.close_ms[at],
            path,
            color=COLOURS.get(name, INK),
            lw=1.8 if name == "candidate" else 1.1,
            label=f"{LABELS.get(name, name)}: Sharpe {ratio}",
        )
    axes.axhline(0.0, color=MUTED, lw=0.8)
    legend(axes, 2)
    candidate = curves["candidate"].close_ms
    if len(candidate):
        dates(axes, int(candidate[0]), int(candidate[-1]), 5)


def _e_process(axes: Any, plot: VerdictPlot) -> None:
    style(axes, "Evidence against chance as it grew", "UTC", "e-value, logarithm (ln)", rows=1)
    axes.axhline(plot.log_e_min, color=GREEN, lw=1.2, ls="--", label="required: above this line")
    axes.axhline(0.0, color=MUTED, lw=0.8)
    finite = np.isfinite(plot.log_e)
    axes.plot(plot.step_ms[finite], plot.log_e[finite], color=BLUE, lw=1.4,
              label="e-process of this ensemble")  # fmt: skip
    legend(axes, 2)
    if len(plot.step_ms):
        dates(axes, int(plot.step_ms[0]), int(plot.step_ms[-1]), 5)


def _reliability(axes: Any, plot: VerdictPlot) -> None:
    style(axes, "Calibration", "predicted probability", "share of trades won", rows=1)
    if not plot.reliability:
        note_empty(axes, "no evaluated rows")
        return
    predicted = [bin_[0] for bin_ in plot.reliability]
    observed = [bin_[1] for bin_ in plot.reliability]
    both = predicted + observed
    low, high = min(both) - 0.03, max(both) + 0.03
    axes.plot([low, high], [low, high], color=MUTED, lw=1, ls="--", label="perfectly calibrated")
    if plot.base_rate is not None:
        axes.axhline(plot.base_rate, color=ORANGE, lw=1, ls=":", label="base rate")
    axes.plot(predicted, observed, "o-", ms=4.5, lw=1.3, color=BLUE, label="observed")
    legend(axes, 3)
