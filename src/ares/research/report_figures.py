"""Small figures of a report: the confidence histogram, the month table, the cost shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares.research.backtest import BacktestResult

BINS_MAX = 40
BIN_WIDTHS = (0.0025, 0.005, 0.01, 0.02, 0.05)


@dataclass(frozen=True, slots=True)
class HistogramBin:
    """One bin of the histogram: its bounds (probability), counts and heights.

    all, taken : closing instants with a confidence in this bin, and entries among them.
    height, taken_height : 0 to 1, each relative to its own tallest bar.
    """

    low: float
    high: float
    all: int
    taken: int
    height: float
    taken_height: float


@dataclass(frozen=True, slots=True)
class YearReturns:
    """A row of the month table: twelve returns (None: not covered), and the return of the year."""

    year: int
    months: tuple[float | None, ...]
    total: float


def confidence_bins(result: BacktestResult) -> list[HistogramBin]:
    """Return the histogram of the confidences; empty where a strategy has none."""
    p = result.p[np.isfinite(result.p)]
    if len(p) == 0:
        return []
    taken = result.trades["confidence"].drop_nulls().to_numpy()
    low, high = float(p.min()), float(p.max())
    widths = [w for w in BIN_WIDTHS if (high - low) / w <= BINS_MAX - 2]
    width = widths[0] if widths else BIN_WIDTHS[-1]
    first, last = int(np.floor(low / width)), int(np.floor(high / width)) + 1
    edges = np.arange(first, last + 1) * width
    counts, _ = np.histogram(p, edges)
    takes, _ = np.histogram(taken, edges)
    return [
        HistogramBin(
            float(edges[k]),
            float(edges[k + 1]),
            int(counts[k]),
            int(takes[k]),
            float(counts[k] / counts.max()),
            float(takes[k] / max(1, takes.max())),
        )
        for k in range(len(counts))
    ]


def years(result: BacktestResult) -> list[YearReturns]:
    """Return the month table, one row for each year."""
    rows: dict[int, list[float | None]] = {}
    for month in result.monthly:
        rows.setdefault(month.year, [None] * 12)[month.month - 1] = month.net_return
    return [
        YearReturns(
            year, tuple(months), float(np.prod([1 + m for m in months if m is not None]) - 1)
        )
        for year, months in sorted(rows.items())
    ]


def month_scale(result: BacktestResult) -> float:
    """Return the largest absolute monthly return, which scales the colours of the table."""
    return max((abs(month.net_return) for month in result.monthly), default=0.0) or 1.0


def cost_shares(result: BacktestResult) -> list[tuple[str, float, float]]:
    """Return (name, quote currency, share of all costs) of fees, spread and slippage."""
    costs = result.costs
    total = costs.total
    parts = (("Fees", costs.fees), ("Spread", costs.spread), ("Slippage", costs.slippage))
    return [(name, value, value / total if total > 0 else 0.0) for name, value in parts]
