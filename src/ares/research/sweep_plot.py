"""The picture of a sweep: a heat map, Sharpe ratios against luck, and what each try costs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares.adapters.plot_style import BLUE, GREEN, INK, MUTED, ORANGE, legend, note_empty, style
from ares.domain.sweep import Point

CELLS_NAMED = 120
"""Cells up to which a heat map has its numbers written in."""

TICKS_MAX = 20


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """A recipe: its values, annualised Sharpe ratio, Deflated Sharpe ratio, and what luck gives."""

    point: Point
    sharpe: float | None
    deflated: float | None
    expected_max: float | None


@dataclass(frozen=True, slots=True)
class SweepPlot:
    """Everything that the picture shows.

    trials    : distinct recipes ever tried.
    by_trials : Deflated Sharpe ratio of the best, had 1, 2, ... ``trials`` recipes been tried.
    deflated_min : the gate's limit.
    """

    instrument: str
    names: tuple[str, ...]
    points: tuple[SweepPoint, ...]
    trials: int
    by_trials: tuple[float, ...] = ()
    deflated_min: float | None = None


def draw_sweep(plot: SweepPlot) -> bytes:
    """Return the picture as PNG, 1600 x 600 pixels; the same values give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 6), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.045, 0.93, f"Sweep of {plot.instrument}", fontsize=18, weight="bold", color=INK)
    figure.text(0.045, 0.88, _headline(plot), fontsize=11.5, color=MUTED)
    grid = figure.add_gridspec(
        1, 3, left=0.055, right=0.98, top=0.78, bottom=0.13, wspace=0.26, width_ratios=[1.2, 1, 1]
    )
    left, middle, right = (figure.add_subplot(cell) for cell in (grid[0], grid[1], grid[2]))
    if len(plot.names) == 1:
        _line(left, plot)
    else:
        _heat_map(figure, left, plot)
    _against_luck(middle, plot)
    _by_trials(right, plot)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _headline(plot: SweepPlot) -> str:
    best = plot.points[0] if plot.points else None
    if best is None or best.sharpe is None:
        return f"none of {len(plot.points)} recipes traded enough for a Sharpe ratio"
    values = ", ".join(f"{_short(name)} {value:g}" if isinstance(value, float) else
                       f"{_short(name)} {value}" for name, value in best.point.items())  # fmt: skip
    deflated = "not defined" if best.deflated is None else f"{best.deflated:.3f}"
    return (
        f"best of {len(plot.points)}: {values}, Sharpe ratio {best.sharpe:.2f}; "
        f"Deflated Sharpe ratio {deflated} after {plot.trials} recipes ever tried"
    )


def _line(axes: Any, plot: SweepPlot) -> None:
    (name,) = plot.names
    known = [(p.point[name], p.sharpe) for p in plot.points if p.sharpe is not None]
    style(axes, "Sharpe ratio by value", _short(name), "Sharpe ratio, annualised")
    if not known:
        note_empty(axes, "no recipe traded enough")
        return
    if all(isinstance(value, int | float) for value, _ in known):
        pairs = sorted((float(value), sharpe) for value, sharpe in known)
        axes.plot([x for x, _ in pairs], [y for _, y in pairs], "o-", color=BLUE, ms=5)
        return
    axes.bar([str(value) for value, _ in known], [sharpe for _, sharpe in known], color=BLUE)


def _heat_map(figure: Any, axes: Any, plot: SweepPlot) -> None:
    x_name, y_name = plot.names[:2]
    columns, rows = (_values(plot, name) for name in (x_name, y_name))
    table = np.full((len(rows), len(columns)), np.nan)
    for point in plot.points:
        if point.sharpe is not None:
            at = (rows.index(point.point[y_name]), columns.index(point.point[x_name]))
            table[at] = np.nanmax([table[at], point.sharpe])
    more = ", best over the others" if len(plot.names) > 2 else ""
    style(axes, f"Sharpe ratio, annualised{more}", _short(x_name), _short(y_name))
    axes.grid(visible=False)
    limit = float(np.nanmax(np.abs(table))) if np.isfinite(table).any() else 1.0
    image = axes.imshow(table, origin="lower", aspect="auto", cmap="RdBu", vmin=-limit, vmax=limit)
    for set_ticks, values in ((axes.set_xticks, columns), (axes.set_yticks, rows)):
        each = max(1, -(-len(values) // TICKS_MAX))
        numbers = range(0, len(values), each)
        set_ticks(numbers, [_cell(values[k]) for k in numbers])
    if table.size <= CELLS_NAMED:
        for (r, c), value in np.ndenumerate(table):
            text = "–" if np.isnan(value) else f"{value:.2f}"
            ink = "white" if abs(value) > 0.6 * limit else INK
            axes.text(c, r, text, ha="center", va="center", fontsize=9, color=ink)
    figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03).ax.tick_params(labelsize=8)


def _against_luck(axes: Any, plot: SweepPlot) -> None:
    """Draw the ratios in order, with the one expected of the best of so many without skill."""
    style(axes, "Against luck", "recipes, best first", "Sharpe ratio, annualised", rows=1)
    ratios = [point.sharpe for point in plot.points if point.sharpe is not None]
    if not ratios:
        note_empty(axes, "no recipe traded enough")
        return
    axes.bar(np.arange(1, len(ratios) + 1), ratios, color=BLUE, width=0.7, label="recipes")
    expected = plot.points[0].expected_max
    if expected is not None:
        label = f"expected of the best of {plot.trials} without skill"
        axes.axhline(expected, color=ORANGE, lw=1.5, label=label)
    axes.axhline(0.0, color=INK, lw=0.8)
    axes.set_xlim(0.3, max(len(ratios), 3) + 0.7)
    legend(axes, 2)


def _by_trials(axes: Any, plot: SweepPlot) -> None:
    """Draw what the number of recipes tried leaves of the best one's evidence."""
    y = "probability of skill beyond luck"
    style(axes, "Deflated Sharpe ratio of the best", "recipes tried", y, rows=1)
    if not plot.by_trials:
        note_empty(axes, "not defined: too few days with trades")
        return
    n = np.arange(1, len(plot.by_trials) + 1)
    axes.plot(n, plot.by_trials, "o-", color=BLUE, ms=4 if len(n) <= 60 else 0, label="the best")
    if plot.deflated_min is not None:
        axes.axhline(plot.deflated_min, color=GREEN, lw=1.2, ls="--", label="required by the gate")
    axes.set(xlim=(0.5, max(len(n), 3) + 0.5), ylim=(0.0, 1.03))
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend(axes, 2)


def _values(plot: SweepPlot, name: str) -> list[Any]:
    """Return the values of a parameter, numbers in order, texts as they come."""
    values = list(dict.fromkeys(point.point[name] for point in plot.points))
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
