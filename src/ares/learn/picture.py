"""The picture of a model: did it learn, are its probabilities true, what did it earn."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.kernel.bars import F64
from ares.learn.equity import EquityPath
from ares.learn.evaluate import OosMetrics, sentence
from ares.learn.fit import LearningCurve

INK, MUTED, GRID = "#1b2733", "#7a8794", "#e4e8ec"
BLUE, ORANGE, GREEN, RED = "#2a6f97", "#c8691c", "#2e7d4f", "#b3372f"


@dataclass(frozen=True, slots=True)
class TrainingPlot:
    """What is drawn.

    subject : e.g. ``binance:BTC/USDT 1h``.     about : one line on rows, time and costs.
    p     : (n,) probabilities said out of sample.
    traded, held : equity out of sample after costs, and holding over the same time.
    """

    subject: str
    about: str
    metrics: OosMetrics
    p: F64
    curve: LearningCurve
    traded: EquityPath
    held: EquityPath | None


def draw(drawing: TrainingPlot) -> bytes:
    """Return the picture as PNG, 1300 x 900 pixels; the same drawing gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    _headline(figure, drawing)
    grid = figure.add_gridspec(
        2, 12, left=0.06, right=0.975, top=0.845, bottom=0.055, hspace=0.3, wspace=2.2
    )
    _learning(figure.add_subplot(grid[0, :5]), drawing.curve)
    reliability = grid[0, 5:9].subgridspec(2, 1, height_ratios=[3.2, 1], hspace=0.08)
    _reliability(figure.add_subplot(reliability[0]), figure.add_subplot(reliability[1]), drawing)
    _numbers(figure.add_subplot(grid[0, 9:]), drawing.metrics)
    _equity(figure.add_subplot(grid[1, :8]), drawing)
    _thresholds(figure.add_subplot(grid[1, 8:]), drawing.metrics)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _headline(figure: Any, drawing: TrainingPlot) -> None:
    mean = drawing.metrics.net_bps
    colour = INK if mean is None else GREEN if sentence(drawing.metrics)[:2] == "An" else RED
    figure.text(0.06, 0.955, drawing.subject, fontsize=19, weight="bold", color=INK)
    figure.text(0.06, 0.917, sentence(drawing.metrics), fontsize=12.5, color=colour)
    figure.text(0.06, 0.888, drawing.about, fontsize=9.5, color=MUTED)


def _learning(axes: Any, curve: LearningCurve) -> None:
    style(axes, "Did it learn? Log loss per epoch", "epoch", "log loss")
    if not curve.stopping:
        return _empty(axes, f"too few rows to watch: {curve.epochs} epochs given")
    epochs = np.arange(1, len(curve.stopping) + 1)
    axes.plot(epochs, curve.fitted, "o-", ms=3, color=MUTED, label="rows fitted")
    axes.plot(epochs, curve.stopping, "o-", ms=4, color=BLUE, label="newest rows, not fitted")
    if curve.stopping_base is not None:
        axes.axhline(curve.stopping_base, color=ORANGE, lw=1.2, ls="--", label="base rate said")
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
    legend(axes)
    return None


def _reliability(axes: Any, counts: Any, drawing: TrainingPlot) -> None:
    metrics = drawing.metrics
    style(axes, "Are its probabilities true?", "", "share of trades won")
    bins = metrics.reliability
    said, seen = np.array([b.said for b in bins]), np.array([b.seen for b in bins])
    rows = np.array([b.rows for b in bins], np.float64)
    low = max(0.0, min(said.min(), seen.min()) - 0.05)
    high = min(1.0, max(said.max(), seen.max()) + 0.05)
    error = 1.96 * np.sqrt(np.maximum(said * (1 - said), 1e-9) * metrics.overlap / rows)
    axes.plot([low, high], [low, high], color=MUTED, lw=1, ls="--", label="perfectly calibrated")
    axes.axhline(metrics.base_rate, color=ORANGE, lw=1, ls=":", label="base rate")
    axes.errorbar(
        said,
        seen,
        yerr=error,
        fmt="o-",
        ms=4.5,
        lw=1.3,
        color=BLUE,
        ecolor="#a9c6d8",
        label="said and seen, ±95%",
    )
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.tick_params(labelbottom=False)
    legend(axes, loc="upper left")
    style(counts, "", "probability said", "rows")
    counts.hist(drawing.p, bins=np.linspace(low, high, 41).tolist(), color="#a9c6d8")
    counts.set(xlim=(low, high))
    counts.locator_params(axis="y", nbins=3)


def _numbers(axes: Any, metrics: OosMetrics) -> None:
    axes.axis("off")
    axes.set_title("Out of sample", loc="left", fontsize=11, weight="bold", color=INK)
    skill = metrics.brier_skill
    facts = [
        ("decisions judged", f"{metrics.rows:,}"),
        ("days", f"{metrics.days:.0f}"),
        ("accuracy", f"{metrics.accuracy:.1%}"),
        ("  of the base rate", f"{metrics.accuracy_base:.1%}"),
        ("Brier score", f"{metrics.brier:.4f}"),
        ("  skill over base rate", "–" if skill is None else f"{skill:+.2%}"),
        ("calibration error", f"{metrics.calibration_error:.3f}"),
        ("  limit (luck, 95%)", f"{metrics.calibration_limit:.3f}"),
        ("area under ROC", "–" if metrics.auc is None else f"{metrics.auc:.3f}"),
        ("trades", f"{metrics.trades:,}"),
        ("  won", "–" if metrics.hit_rate is None else f"{metrics.hit_rate:.1%}"),
        ("  net each", "–" if metrics.net_bps is None else f"{metrics.net_bps:+.1f} bps"),
        ("  net in all", f"{metrics.net_total_bps / 100:+.1f}%"),
        ("holding", "–" if metrics.buy_hold_bps is None else f"{metrics.buy_hold_bps / 100:+.1f}%"),
    ]
    for line, (name, value) in enumerate(facts):
        height = 0.955 - line * 0.0715
        weak = name.startswith(" ")
        axes.text(0, height, name, fontsize=9.5, color=MUTED if weak else INK, va="center")
        axes.text(1, height, value, fontsize=9.5, color=INK, va="center", ha="right")


def _equity(axes: Any, drawing: TrainingPlot) -> None:
    title = "What did it earn? Equity out of sample after costs, edge > {:g} bps"
    style(axes, title.format(drawing.metrics.edge_bps_min), "", "growth of 1")
    if drawing.held is not None:
        axes.plot(drawing.held.ts_ms, drawing.held.value, color=ORANGE, lw=1, label="buy and hold")
    axes.step(
        drawing.traded.ts_ms,
        drawing.traded.value,
        where="post",
        color=BLUE,
        lw=1.7,
        label=f"model, {drawing.metrics.trades:,} trades",
    )
    axes.axhline(1.0, color=MUTED, lw=0.8)
    legend(axes)
    axes.tick_params(axis="x", labelsize=8)
    dates(axes, int(drawing.traded.ts_ms[0]), int(drawing.traded.ts_ms[-1]))


def _thresholds(axes: Any, metrics: OosMetrics) -> None:
    axes.axis("off")
    axes.set_title("What would thresholds mean?", loc="left", fontsize=11, weight="bold", color=INK)
    columns = (("trade when", 0.0), ("a day", 0.52), ("trades", 0.69), ("won", 0.83), ("net", 1.0))
    for name, place in columns:
        side = "left" if place == 0.0 else "right"
        axes.text(place, 0.955, name, fontsize=8.5, color=MUTED, ha=side, va="center")
    for line, row in enumerate(metrics.thresholds):
        edge = row.kind == "edge_bps"
        cells = (
            f"edge > {row.value:g} bps" if edge else f"p > {row.value:.2f}",
            f"{row.signals_per_day:,.1f}",
            f"{row.trades:,}",
            "–" if row.hit_rate is None else f"{row.hit_rate:.0%}",
            "–" if row.net_bps is None else f"{row.net_bps:+.1f}",
        )
        height = 0.87 - line * 0.083
        weight = "bold" if edge and row.value == metrics.edge_bps_min else "normal"
        for text, (_, place) in zip(cells, columns, strict=True):
            side = "left" if place == 0.0 else "right"
            colour = INK
            if place == 1.0 and row.net_bps is not None:
                colour = GREEN if row.net_bps > 0 else RED
            axes.text(
                place, height, text, fontsize=9, color=colour, ha=side, va="center", weight=weight
            )
    axes.text(
        0, 0.02, "a day: signals; net: bps a trade, in turn", fontsize=8, color=MUTED, va="center"
    )


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


def _empty(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=axes.transAxes)


def period(from_ms: int, to_ms: int) -> str:
    """Return two dates, UTC.

    >>> period(0, 86_400_000)
    '1970-01-01 to 1970-01-02'
    """
    days = [datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d") for ms in (from_ms, to_ms)]
    return " to ".join(days)
