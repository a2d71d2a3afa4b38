"""The picture of a parity waterfall: any result is drawn, the same one to the same bytes."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np

from ares.adapters.waterfall_plot import PlotParts, WaterfallPlot, draw_waterfall
from ares.domain.timeframe import HOUR_MS

TOTAL = PlotParts("all", 20.0, (-3.0, 1.5, -4.0, -0.5), 14.0)


def plot() -> WaterfallPlot:
    rows = np.random.default_rng(1).normal(size=(30, 4))
    return WaterfallPlot(
        title="rehearsal/kraken: backtest to live",
        sentence="30 trades in both: live is -6.00 bps from the backtest (-60.00 USD).",
        currency="USD",
        total=TOTAL,
        instruments=(replace(TOTAL, name="kraken:BTC/USD"), replace(TOTAL, name="kraken:ETH/USD")),
        decided_ms=np.arange(30, dtype=np.int64) * 7 * HOUR_MS,
        parts_quote=rows,
    )


def test_the_picture_has_its_size_and_is_not_blank() -> None:
    from PIL import Image

    with Image.open(io.BytesIO(draw_waterfall(plot()))) as picture:
        assert picture.size == (1300, 800)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


def test_the_same_result_gives_the_same_bytes_and_each_part_is_drawn() -> None:
    made = draw_waterfall(plot())
    assert made == draw_waterfall(plot())
    for other in (
        replace(plot(), total=replace(TOTAL, parts=(-3.0, 1.5, -3.0, -1.5))),
        replace(plot(), instruments=(TOTAL,)),
        replace(plot(), parts_quote=-plot().parts_quote),
        replace(plot(), currency="EUR"),
    ):
        assert draw_waterfall(other) != made


def test_a_run_without_trades_is_drawn() -> None:
    nothing = replace(
        plot(), total=None, instruments=(), decided_ms=np.zeros(0, np.int64),
        parts_quote=np.zeros((0, 4)),
    )  # fmt: skip
    assert draw_waterfall(nothing)
