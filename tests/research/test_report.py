"""The report: one file with everything in it, that loads nothing, and whose numbers are right."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ares
from ares import api
from ares.domain.timeframe import Timeframe
from ares.kernel.trade import Rules, Signals
from ares.research import BacktestResult, Candles, Strategy
from ares.research.report_figures import confidence_bins, cost_shares, years
from ares.research.report_html import TRADES_SHOWN, render
from ares.research.report_series import (
    CANDLES_MAX,
    POINTS_MAX,
    account_series,
    candle_series,
    step_for,
)
from ares.research.report_text import headline

Maker = Callable[..., Candles]


@pytest.fixture(scope="module")
def baseline(walk: Maker) -> BacktestResult:
    """Return a backtest of two instruments with several hundred trades."""
    candles = [walk("AAA/USDT", 40_000, 1), walk("BBB/USDT", 40_000, 2, price=3.0)]
    return api.backtest(candles, api.sma_cross(candles, 10, 40))


@pytest.fixture(scope="module")
def modelled(walk: Maker) -> BacktestResult:
    """Return a backtest of signals with a confidence."""
    one = walk(n=5_000, seed=3)
    chance = np.random.default_rng(3)
    p = chance.beta(8, 8, (5_000, 1))
    strategy = Strategy(
        "<script>alert(1)</script> & co", "ensemble",
        Signals(p, 200 * (p - 0.6), np.full_like(p, 60.0)), (0,), ((0.0, 0.0, 0.0),),
        warnings=("half of the window is training data",),
    )  # fmt: skip
    return api.backtest(one, strategy, rules=replace(Rules(), gate_mode=False))


class Page(HTMLParser):
    """Everything in the page that could load something, its headings and its JSON."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.json: Any = None
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._inside = "json" if named.get("id") == "series" else tag
        for name in ("src", "href", "srcset", "poster", "data", "action"):
            target = named.get(name)
            if target and tag == "a":
                self.links.append(target)
            elif target:
                self.loads.append((tag, target))

    def handle_data(self, data: str) -> None:
        if self._inside == "h2":
            self.headings.append(data.strip())
        if self._inside == "json" and data.strip():
            self.json = json.loads(data)
        self._inside = ""


def test_every_section_is_there(baseline: BacktestResult, modelled: BacktestResult) -> None:
    for result in (baseline, modelled):
        page = Page(render(result))
        assert set(page.headings) >= {
            "Equity, drawdown, exposure",
            "Trades on candles",
            "Monthly returns",
            "Costs",
            "Confidence",
            "Orders and refusals",
            "All metrics",
            "Trades",
            "Provenance",
        }
    assert "Limitations of this result" in Page(render(modelled)).headings


def test_nothing_is_loaded(baseline: BacktestResult) -> None:
    text = render(baseline)
    page = Page(text)
    assert [target for _, target in page.loads] == ["data:,"]  # an empty icon
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    own = (Path(ares.research.__file__).parent / "assets" / "report.js").read_text()
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|https?://", own)
    outside = [link for link in page.links if not link.startswith("data:")]
    assert outside == ["https://www.tradingview.com/"]  # the licence's notice: a link, not a load


def test_the_chart_library_is_small_and_carries_its_licence() -> None:
    assets = Path(ares.research.__file__).parent / "assets"
    (library,) = assets.glob("lightweight-charts-*.js")
    assert library.stat().st_size < 1_000_000
    assert "Apache License" in (assets / "lightweight-charts.LICENSE").read_text()


def test_text_from_outside_stays_text(modelled: BacktestResult) -> None:
    text = render(modelled)
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_files_are_written_whole_with_all_trades_beside(
    baseline: BacktestResult, tmp_path: Path
) -> None:
    made = api.report(baseline, tmp_path / "deep" / "out.html")
    assert made.trades_csv.name == "out_trades.csv"
    rows = list(csv.DictReader(io.StringIO(made.trades_csv.read_text())))
    assert len(rows) == baseline.metrics.trades > TRADES_SHOWN
    total = sum(float(row["pnl_quote"]) for row in rows)
    assert total == pytest.approx(baseline.trades["pnl_quote"].sum(), abs=1e-4)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rows[0]["entry_time"])
    text = made.html.read_text()
    assert f"newest {TRADES_SHOWN} of" in text
    assert text.count("reversal</td>") == TRADES_SHOWN
    (embedded,) = [link for link in Page(text).links if link.startswith("data:text/csv")]
    content = base64.b64decode(embedded.partition(",")[2])
    assert content == made.trades_csv.read_bytes()
    assert sorted(path.name for path in made.html.parent.iterdir()) == [
        "out.html",
        "out_trades.csv",
    ]


def test_series_are_thinned_but_true(baseline: BacktestResult) -> None:
    account = account_series(baseline)
    assert len(account["time"]) <= POINTS_MAX
    assert np.all(np.diff(account["time"]) > 0)
    assert account["equity"][-1] == pytest.approx(baseline.metrics.equity_end, abs=0.01)
    assert min(account["drawdown"]) == pytest.approx(-100 * baseline.metrics.max_drawdown, abs=1e-3)
    for one, drawn in zip(baseline.candles, candle_series(baseline), strict=True):
        assert len(drawn["time"]) <= CANDLES_MAX
        assert np.all(np.diff(drawn["time"]) > 0)
        assert max(drawn["high"]) == one.bars.high.max()
        assert min(drawn["low"]) == one.bars.low.min()
        assert drawn["close"][-1] == one.bars.close[-1]
        times = set(drawn["time"])
        assert drawn["trades"]
        assert all(entry in times and exit_ in times for entry, exit_, _ in drawn["trades"])
    assert Page(render(baseline)).json["account"] == account


@pytest.mark.parametrize("n", [1, 2, 2999, 3000, 3001, 50_000])
def test_drawn_bars_have_familiar_lengths(walk: Maker, n: int) -> None:
    one = walk(n=n)
    step_ms = step_for(one)
    assert len(np.unique(one.bars.ts_ms // step_ms)) <= CANDLES_MAX
    assert step_ms % one.timeframe.ms == 0
    daily = walk(n=min(n, 4000), timeframe=Timeframe.D1)
    assert step_for(daily) >= Timeframe.D1.ms


def test_figures_add_up(baseline: BacktestResult, modelled: BacktestResult) -> None:
    bins = confidence_bins(modelled)
    assert sum(one.all for one in bins) == 5_000
    assert sum(one.taken for one in bins) == modelled.metrics.trades > 0
    assert max(one.height for one in bins) == 1.0
    assert confidence_bins(baseline) == []
    assert sum(share for _, _, share in cost_shares(baseline)) == pytest.approx(1.0)
    total = np.prod([1 + year.total for year in years(baseline)]) - 1
    assert total == pytest.approx(baseline.metrics.net_return)


def test_the_headline_states_the_result(baseline: BacktestResult, walk: Maker) -> None:
    text = headline(baseline)
    assert text.startswith("It lost")
    assert "costs" in text
    assert "buy & hold made" in text
    one = walk(n=200)
    quiet = api.backtest(one, api.long_flat(one, np.zeros(200)))
    assert headline(quiet).startswith("It never traded in 3 hours: no signal led to an order.")
    assert "No closed trades." in render(quiet)


def test_a_run_of_one_bar_has_a_report(walk: Maker) -> None:
    one = walk(n=1)
    assert "All metrics" in render(api.backtest(one, api.buy_hold(one)))
