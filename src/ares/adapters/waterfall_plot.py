"""The picture of a parity waterfall: from backtest to live, by instrument, and over time."""

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

PARTS = ("signal", "timing", "fill", "fee")
COLOURS = {"signal": BLUE, "timing": ORANGE, "fill": "#9d7bb5", "fee": MUTED}
BAR = 0.62
ROWS_MAX = 12


@dataclass(frozen=True, slots=True)
class PlotParts:
    """One waterfall in bps: backtest, the four parts in the order of ``PARTS``, live."""

    name: str
    backtest: float
    parts: tuple[float, float, float, float]
    live: float


@dataclass(frozen=True, slots=True)
class WaterfallPlot:
    """The content of the picture.

    total : None: nothing was traded. instruments: those that were traded.
    decided_ms : (n_trades,) rising; parts_quote: (n_trades, 4) in the quote currency.
    """

    title: str
    sentence: str
    currency: str
    total: PlotParts | None
    instruments: Sequence[PlotParts]
    decided_ms: NDArray[np.int64]
    parts_quote: NDArray[np.float64]


def draw_waterfall(plot: WaterfallPlot) -> bytes:
    """Return the picture as PNG, 1300 x 800 pixels; the same content gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.05, 0.95, plot.title, fontsize=17, weight="bold", color=INK)
    figure.text(0.05, 0.91, plot.sentence, fontsize=11, color=MUTED)
    grid = figure.add_gridspec(
        2, 12, left=0.06, right=0.975, top=0.82, bottom=0.07, hspace=0.5, wspace=3.0
    )
    _total(figure.add_subplot(grid[0, :6]), plot.total)
    _instruments(figure.add_subplot(grid[0, 7:]), plot.instruments)
    _over_time(figure.add_subplot(grid[1, :]), plot)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _total(axes: Any, total: PlotParts | None) -> None:
    style(axes, "From backtest to live", "", "bps of the entries' notional", rows=1)
    if total is None:
        note_empty(axes, "no trades")
        return
    names = ("backtest", *PARTS, "live")
    starts = np.concatenate([[0.0], total.backtest + np.cumsum((0.0, *total.parts[:3])), [0.0]])
    heights = np.array((total.backtest, *total.parts, total.live))
    colours = [BLUE, *(GREEN if part >= 0.0 else RED for part in total.parts), BLUE]
    axes.bar(names, heights, BAR, bottom=starts, color=colours)
    ends = starts + heights
    for k in range(len(names) - 1):
        axes.plot([k + BAR / 2, k + 1 - BAR / 2], [ends[k], ends[k]], color=MUTED, lw=0.9)
    axes.axhline(0.0, color=MUTED, lw=0.8)
    reach = max(float(np.ptp([0.0, *starts, *ends])), 1e-9)
    for k, height in enumerate(heights):
        top = max(starts[k], ends[k]) + 0.025 * reach
        sign = "" if k in (0, len(names) - 1) else "+"
        axes.text(k, top, f"{height:{sign}z.2f}", ha="center", fontsize=9, color=INK)
    lowest, highest = min(0.0, *starts, *ends), max(0.0, *starts, *ends)
    axes.set_ylim(lowest - 0.04 * reach * (lowest < 0.0), highest + 0.12 * reach)


def _instruments(axes: Any, rows: Sequence[PlotParts]) -> None:
    style(axes, "Gap by instrument", "bps of the entries' notional", "", rows=1)
    if not rows:
        note_empty(axes, "no trades")
        return
    shown = sorted(rows, key=lambda row: sum(row.parts))[:ROWS_MAX]
    heights = np.arange(len(shown))[::-1]
    parts = np.array([row.parts for row in shown])
    for sign in (-1.0, 1.0):
        signed = np.where(parts * sign > 0.0, parts, 0.0)
        left = np.concatenate([np.zeros((len(shown), 1)), np.cumsum(signed, axis=1)[:, :3]], axis=1)
        for k, name in enumerate(PARTS):
            axes.barh(
                heights, signed[:, k], 0.55, left=left[:, k], color=COLOURS[name],
                label=name if sign < 0 else None,
            )  # fmt: skip
    axes.plot(parts.sum(axis=1), heights, "|", color=INK, ms=13, mew=2, label="gap")
    axes.axvline(0.0, color=MUTED, lw=0.8)
    axes.use_sticky_edges = False
    axes.margins(x=0.05)
    axes.set_yticks(heights, [row.name for row in shown])
    axes.set_ylim(-0.7, max(len(shown), 3) - 0.3)
    legend(axes, 5)


def _over_time(axes: Any, plot: WaterfallPlot) -> None:
    style(axes, "Gap over time, by the decision of each entry", "", plot.currency, rows=1)
    if not len(plot.decided_ms):
        note_empty(axes, "no trades")
        return
    sums = np.cumsum(plot.parts_quote, axis=0)
    for k, name in enumerate(PARTS):
        axes.step(
            plot.decided_ms, sums[:, k], where="post", color=COLOURS[name], lw=1.4, label=name
        )
    axes.step(plot.decided_ms, sums.sum(axis=1), where="post", color=INK, lw=1.8, label="gap")
    axes.axhline(0.0, color=MUTED, lw=0.8)
    legend(axes, 5)
    dates(axes, int(plot.decided_ms[0]), int(plot.decided_ms[-1]))
