"""The picture of a verdict: every line, the equity that it is about, and how the test went."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ares.learn.gate.evidence import Evidence
from ares.learn.gate.evidence_builder import EvidencePlots
from ares.learn.gate.verdict import Verdict, VerdictLine
from ares.learn.gate.verdict_text import limit_of, name_of, number_of, sentence_of
from ares.learn.picture import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RED,
    dates,
    legend,
    period,
    style,
)

POINTS_MAX = 1500
COLOURS = {"candidate": BLUE, "champion": ORANGE, "buy_and_hold": MUTED, "sma_cross": "#9d7bb5"}
LABELS = {"buy_and_hold": "buy & hold", "sma_cross": "SMA cross"}


def draw_verdict(verdict: Verdict, evidence: Evidence, exhibit: EvidencePlots, title: str) -> bytes:
    """Return the picture as PNG, 1300 x 900 pixels; the same verdict gives the same bytes.

    title : what is judged, e.g. ``binance:BTC/USDT 1h``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.05, 0.955, title, fontsize=19, weight="bold", color=INK)
    colour = GREEN if verdict.passed else RED
    figure.text(0.05, 0.917, sentence_of(verdict, evidence), fontsize=12.5, color=colour)
    figure.text(0.05, 0.888, _about(evidence), fontsize=9.5, color=MUTED)
    grid = figure.add_gridspec(
        3, 12, left=0.05, right=0.975, top=0.85, bottom=0.055, hspace=0.42, wspace=2.0,
        height_ratios=[1.25, 1.0, 1.0],
    )  # fmt: skip
    _lines(figure.add_subplot(grid[:, :6]), verdict)
    _equity(figure.add_subplot(grid[0, 6:]), exhibit)
    _test(figure.add_subplot(grid[1, 6:]), exhibit)
    _reliability(figure.add_subplot(grid[2, 6:]), exhibit)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _about(evidence: Evidence) -> str:
    against = f"champion {evidence.champion_hash[:12]}" if evidence.champion_hash else "no champion"
    judged = period(evidence.from_ms, evidence.to_ms)
    return (
        f"ensemble {evidence.subject[:12]} · out of sample {judged}"
        f" · {evidence.decisions:,} decisions · {against} · "
        f"{evidence.trials} recipe{'s' if evidence.trials != 1 else ''} tried"
    )


def _lines(axes: Any, verdict: Verdict) -> None:
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    columns = ((0.0, "left", "line"), (0.66, "right", "number"), (0.9, "right", "limit"))
    for place, side, name in columns:
        axes.text(place, 1.0, name, fontsize=9, color=MUTED, ha=side, va="center")
    step = 0.97 / max(len(verdict.lines), 1)
    for k, line in enumerate(verdict.lines):
        height = 0.962 - k * step
        cells = (name_of(line), number_of(line, line.number), limit_of(line))
        for text, (place, side, _) in zip(cells, columns, strict=True):
            weight = "bold" if line.passed is False else "normal"
            axes.text(
                place, height, text, fontsize=9.5, ha=side, va="center", color=INK, weight=weight
            )
        mark, colour = _mark(line)
        axes.text(0.97, height, mark, fontsize=9.5, ha="center", va="center", color=colour,
                  weight="bold")  # fmt: skip


def _mark(line: VerdictLine) -> tuple[str, str]:
    if line.passed is None:
        return "·", MUTED
    return ("yes", GREEN) if line.passed else ("no", RED)


def _equity(axes: Any, exhibit: EvidencePlots) -> None:
    style(axes, "What would it have made, out of sample, after costs?", "", "return / deviation")
    for name, account in exhibit.accounts.items():
        if not len(account.equity):
            continue
        some = np.linspace(0, len(account.equity) - 1, min(POINTS_MAX, len(account.equity)))
        at = some.astype(np.int64)
        spread = float(account.daily.std()) if len(account.daily) > 1 else 0.0
        path = (account.equity[at] - 1.0) / spread if spread > 0.0 else np.zeros(len(at))
        ratio = "–" if account.sharpe is None else f"{account.sharpe:.2f}"
        axes.plot(
            account.close_ms[at],
            path,
            color=COLOURS.get(name, INK),
            lw=1.8 if name == "candidate" else 1.1,
            label=f"{LABELS.get(name, name)}: Sharpe {ratio}",
        )
    axes.axhline(0.0, color=MUTED, lw=0.8)
    legend(axes, "upper left")
    mine = exhibit.accounts["candidate"].close_ms
    if len(mine):
        dates(axes, int(mine[0]), int(mine[-1]), 5)


def _test(axes: Any, exhibit: EvidencePlots) -> None:
    style(axes, "The anytime-valid test: evidence so far", "", "ln e")
    axes.axhline(exhibit.log_goal, color=GREEN, lw=1.2, ls="--", label="enough")
    axes.axhline(0.0, color=MUTED, lw=0.8)
    finite = np.isfinite(exhibit.log_e)
    axes.plot(exhibit.step_ms[finite], exhibit.log_e[finite], color=BLUE, lw=1.4)
    legend(axes, "upper left")
    if len(exhibit.step_ms):
        dates(axes, int(exhibit.step_ms[0]), int(exhibit.step_ms[-1]), 5)


def _reliability(axes: Any, exhibit: EvidencePlots) -> None:
    style(axes, "Are its probabilities true?", "probability said", "share won")
    bins = exhibit.reliability
    if not bins:
        return
    said, seen = [b.predicted for b in bins], [b.observed for b in bins]
    low, high = min(said + seen) - 0.03, max(said + seen) + 0.03
    axes.plot([low, high], [low, high], color=MUTED, lw=1, ls="--", label="perfectly calibrated")
    if exhibit.base_rate is not None:
        axes.axhline(exhibit.base_rate, color=ORANGE, lw=1, ls=":", label="base rate")
    axes.plot(said, seen, "o-", ms=4.5, lw=1.3, color=BLUE, label="said and seen")
    legend(axes, "upper left")
