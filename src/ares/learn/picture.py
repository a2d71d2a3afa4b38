"""The style of pictures, until the verdict's picture leaves ``learn`` too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from ares.domain.timeframe import DAY_MS, HOUR_MS

INK, MUTED, GRID = "#1b2733", "#7a8794", "#e4e8ec"
BLUE, ORANGE, GREEN, RED = "#2a6f97", "#c8691c", "#2e7d4f", "#b3372f"


def style(axes: Any, title: str, x: str, y: str) -> None:
    """Give axes their title, labels and quiet lines."""
    axes.set_title(title, loc="left", fontsize=11, weight="bold", color=INK)
    axes.set_xlabel(x, fontsize=9, color=MUTED)
    axes.set_ylabel(y, fontsize=9, color=MUTED)
    axes.tick_params(labelsize=8.5, colors=MUTED)
    axes.grid(color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)


def legend(axes: Any, loc: str = "best") -> None:
    """Draw a legend that hides nothing."""
    axes.legend(fontsize=8.5, loc=loc, facecolor="white", edgecolor="none", framealpha=0.85)


def dates(axes: Any, from_ms: int, to_ms: int, ticks: int = 7) -> None:
    """Mark evenly spread UTC days (hours, where the span is short)."""
    short = to_ms - from_ms < ticks * DAY_MS
    unit_ms = HOUR_MS if short else DAY_MS
    places = np.unique(np.linspace(from_ms, to_ms, ticks).astype(np.int64) // unit_ms * unit_ms)
    places = places[places >= from_ms]
    form = "%m-%d %H:%M" if short else "%Y-%m-%d"
    names = [datetime.fromtimestamp(ms / 1000, UTC).strftime(form) for ms in places]
    axes.set_xticks(places, names)


def period(from_ms: int, to_ms: int) -> str:
    """Return two dates, UTC.

    >>> period(0, 86_400_000)
    '1970-01-01 to 1970-01-02'
    """
    days = [datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d") for ms in (from_ms, to_ms)]
    return " to ".join(days)
