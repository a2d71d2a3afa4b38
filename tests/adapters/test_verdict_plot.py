"""The picture of a verdict: any evidence is drawn, the same evidence to the same bytes."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from ares.adapters.verdict_plot import EquityCurve, PlotLine, VerdictPlot, draw_verdict
from ares.domain.timeframe import DAY_MS
from ares.learn.gate.verdict_text import NAMES


def curve(slope: float, n: int = 30) -> EquityCurve:
    equity = 1.0 + slope * np.sin(np.arange(n))
    return EquityCurve(np.arange(n, dtype=np.int64) * DAY_MS, equity, np.diff(equity), 0.7)


def plot() -> VerdictPlot:
    return VerdictPlot(
        title="binance:BTC/USDT  1h 4h",
        sentence="Refused: 1 of 2 lines failed.",
        about="2,000 bars out of sample",
        passed=False,
        lines=(
            PlotLine("deflated Sharpe", "0.97", "0.95", True),
            PlotLine("e-value", "1.2", "20", False),
            PlotLine("PBO", "0.4", "", None),
        ),
        curves={"candidate": curve(0.1), "buy_and_hold": curve(0.2)},
        step_ms=np.arange(20, dtype=np.int64) * DAY_MS,
        log_e=np.linspace(0.0, 2.0, 20),
        log_e_min=3.0,
        reliability=((0.3, 0.28), (0.5, 0.55)),
        base_rate=0.5,
    )


def test_the_picture_has_its_size_and_is_not_blank() -> None:
    from PIL import Image

    with Image.open(io.BytesIO(draw_verdict(plot()))) as picture:
        assert picture.size == (1300, 900)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


def test_the_same_evidence_gives_the_same_bytes_and_each_part_is_drawn() -> None:
    made = draw_verdict(plot())
    assert made == draw_verdict(plot())
    failed = PlotLine("e-value", "1.2", "20", True)
    for other in (
        replace(plot(), passed=True),
        replace(plot(), lines=(plot().lines[0], failed, plot().lines[2])),
        replace(plot(), curves={"candidate": curve(-0.1), "buy_and_hold": curve(0.2)}),
        replace(plot(), log_e_min=1.0),
        replace(plot(), reliability=((0.3, 0.4), (0.5, 0.55))),
        replace(plot(), base_rate=None),
    ):
        assert draw_verdict(other) != made


def test_failed_lines_are_first_and_labels_have_no_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    write = Axes.text

    def keep(axes: Axes, x: float, y: float, text: str, **named: Any) -> Any:
        shown.append(text)
        return write(axes, x, y, text, **named)

    monkeypatch.setattr(Axes, "text", keep)
    draw_verdict(plot())
    names = [text for text in shown if text in ("deflated Sharpe", "e-value", "PBO")]
    assert names == ["e-value", "deflated Sharpe", "PBO"]
    assert not any("," in name for name in NAMES.values())


def test_evidence_without_trades_is_drawn_too() -> None:
    """No bars, no deviation, no Sharpe ratio, infinite steps of the e-process, no bins."""
    none = EquityCurve(np.empty(0, np.int64), np.empty(0), np.empty(0), None)
    flat = EquityCurve(np.arange(2, dtype=np.int64), np.ones(2), np.zeros(1), None)
    empty = replace(
        plot(),
        lines=(),
        curves={"candidate": none, "sma_cross": flat},
        step_ms=np.empty(0, np.int64),
        log_e=np.empty(0),
        reliability=(),
        base_rate=None,
    )
    assert draw_verdict(empty)[:4] == b"\x89PNG"
    steps = np.array([-np.inf, 0.0, np.inf, np.nan])
    odd = replace(empty, step_ms=np.arange(4, dtype=np.int64) * DAY_MS, log_e=steps)
    assert draw_verdict(odd) not in (b"", draw_verdict(empty))
