"""What the pictures of models and verdicts share: colours, axes, legends, dates."""

from __future__ import annotations

from typing import Any

import numpy as np

from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.domain.utc import utc_day, utc_text

INK, MUTED, GRID = "#1b2733", "#7a8794", "#e4e8ec"
BLUE, ORANGE, GREEN, RED = "#2a6f97", "#c8691c", "#2e7d4f", "#b3372f"


def style(axes: Any, title: str, x: str, y: str, rows: int = 0) -> None:
    """Give axes their title, labels and light grid lines.

    rows : rows of the legend between the title and the axes.
    """
    axes.set_title(title, loc="left", fontsize=11, weight="bold", color=INK, pad=6 + 13 * rows)
    axes.set_xlabel(x, fontsize=9, color=MUTED)
    axes.set_ylabel(y, fontsize=9, color=MUTED)
    axes.tick_params(labelsize=8.5, colors=MUTED)
    axes.grid(color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)


def legend(axes: Any, columns: int) -> None:
    """Draw the legend between title and axes, where it hides nothing."""
    axes.legend(
        fontsize=8.5,
        loc="lower left",
        bbox_to_anchor=(-0.015, 1.0),
        ncols=columns,
        frameon=False,
        borderaxespad=0.1,
        borderpad=0.1,
        columnspacing=1.1,
        handlelength=1.5,
        handletextpad=0.4,
        labelspacing=0.2,
        labelcolor=MUTED,
    )


def dates(axes: Any, from_ms: int, to_ms: int, ticks: int = 7) -> None:
    """Mark evenly spread UTC days (hours, where the span is short)."""
    short = to_ms - from_ms < ticks * DAY_MS
    unit_ms = HOUR_MS if short else DAY_MS
    ticks_ms = np.unique(np.linspace(from_ms, to_ms, ticks).astype(np.int64) // unit_ms * unit_ms)
    ticks_ms = ticks_ms[ticks_ms >= from_ms]
    names = [utc_text(ms)[5:] if short else utc_day(ms) for ms in ticks_ms.tolist()]
    axes.set_xticks(ticks_ms, names)


def note_empty(axes: Any, text: str) -> None:
    """Write in the middle of axes, without their scales, why there is nothing to draw."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set(xlabel="", ylabel="")
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=axes.transAxes)
