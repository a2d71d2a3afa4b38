"""The report: one file with everything in it, that loads nothing, and whose numbers are right."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ares
from ares import api
from ares.research import BacktestResult, Candles
from ares.research.report_html import TRADES_SHOWN, render
from ares.research.report_series import account_series

Maker = Callable[..., Candles]


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
            "Drawdowns",
            "By instrument and exit",
            "By hour and weekday",
            "Distribution of daily returns",
            "Distribution of trades",
            "Luck in the order of trades",
            "Later decisions",
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


def test_the_page_and_all_trades_are_written(baseline: BacktestResult, tmp_path: Path) -> None:
    made = api.report(baseline, tmp_path / "deep" / "out.html")
    assert made.trades_csv.name == "out_trades.csv"
    rows = list(csv.DictReader(io.StringIO(made.trades_csv.read_text())))
    assert len(rows) == baseline.metrics.trades > TRADES_SHOWN
    total = sum(float(row["pnl_quote"]) for row in rows)
    assert total == pytest.approx(baseline.trades["pnl_quote"].sum(), abs=1e-4)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rows[0]["entry_time"])
    text = made.html.read_text()
    assert f"newest {TRADES_SHOWN} of" in text
    table = text[text.index('id="trades"') :]
    assert table.count("reversal</td>") == TRADES_SHOWN
    (embedded,) = [link for link in Page(text).links if link.startswith("data:text/csv")]
    content = base64.b64decode(embedded.partition(",")[2])
    assert content == made.trades_csv.read_bytes()
    assert sorted(path.name for path in made.html.parent.iterdir()) == [
        "out.html",
        "out_trades.csv",
    ]


def test_a_run_of_one_bar_has_a_report(walk: Maker) -> None:
    each = walk(n=1)
    assert "All metrics" in render(api.backtest(each, api.buy_hold(each)))


def test_the_page_contains_the_series_of_the_charts(baseline: BacktestResult) -> None:
    assert Page(render(baseline)).json["account"] == account_series(baseline)


def test_other_results_are_curves_and_columns(baseline: BacktestResult, walk: Maker) -> None:
    other = api.backtest(list(baseline.candles), api.buy_hold(list(baseline.candles)))
    text = render(baseline, others=[other])
    (curve,) = Page(text).json["account"]["others"]
    assert curve["name"] == other.strategy.name
    assert curve["equity"][-1] == pytest.approx(other.metrics.equity_end, abs=0.01)
    assert text.count('<th class="num">buy &amp; hold</th>') == 2  # the benchmark, and the other


def test_a_trade_is_shown_on_the_bars_that_it_was_made_on(baseline: BacktestResult) -> None:
    newest = baseline.trades.row(-1, named=True)
    window = Page(render(baseline)).json["windows"][0]
    candles = next(c for c in baseline.candles if c.key == newest["instrument"])
    if window["step"] == candles.timeframe.value:
        entry_ms = round(newest["entry_time"].timestamp() * 1000)
        at = window["time"].index(entry_ms // 1000)
        row = int(np.searchsorted(candles.bars.ts_ms, entry_ms))
        assert window["close"][at] == pytest.approx(candles.bars.close[row])
    assert window["entry"][0] in window["time"]
    assert window["exit"][0] in window["time"]
    assert window["entry"][1] == newest["entry_price"]
    assert min(window["low"]) <= window["entry"][1] <= max(window["high"])


def test_the_lists_fit_a_phone(baseline: BacktestResult) -> None:
    """Every table is in a box that scrolls with a shadow, or has few columns."""
    text = render(baseline)
    for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
        head = re.search(r"<tr>.*?</tr>", table, re.DOTALL)
        assert head is not None
        columns = len(re.findall(r"<t[hd]", head[0])) - len(re.findall(r"<t[hd][^>]*wide", head[0]))
        before = text[max(0, text.index(table) - 60) : text.index(table)]
        assert columns <= 4 or "scroll" in before
