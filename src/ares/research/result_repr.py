"""A result in a notebook: a few lines as text, a small table as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ares.research.report_text import facts, headline, rules_text, series_text, utc

if TYPE_CHECKING:
    from ares.research.backtest import BacktestResult

SHOWN = (
    "Net return", "Annualised return", "Sharpe ratio (daily, √365)", "Largest drawdown",
    "Closed trades", "Win rate", "Average trade, bps", "Time in the market",
)  # fmt: skip


def result_text(result: BacktestResult) -> str:
    """Return a result as a few lines."""
    return f"<BacktestResult {_title(result)}>\n{_window(result)}\n{headline(result)}"


def result_html(result: BacktestResult) -> str:
    """Return a result as HTML: what was run, the main figures beside buy & hold, and warnings."""
    rows = [row for row in facts(result) if row[0] in SHOWN]
    cells = "".join(
        f"<tr><td style='text-align:left'>{escape(name)}</td><td>{escape(own)}</td>"
        f"<td>{escape(hold)}</td></tr>"
        for name, own, hold in rows
    )
    warnings = "".join(f"<div>! {escape(text)}</div>" for text in result.warnings)
    name = escape(result.strategy.name)
    return (
        f"<div><b>{escape(_title(result))}</b><div>{escape(_window(result))}</div>"
        f"<div>{escape(rules_text(result))}</div>{warnings}"
        f"<table><tr><th></th><th>{name}</th><th>buy &amp; hold</th></tr>{cells}</table>"
        f"<div>{escape(headline(result))}</div></div>"
    )


def _title(result: BacktestResult) -> str:
    symbols = ", ".join(each.spec.instrument.symbol for each in result.candles)
    return f"{result.strategy.name} · {symbols}"


def _window(result: BacktestResult) -> str:
    m = result.metrics
    return f"{utc(m.from_ms)} to {utc(m.to_ms)} UTC, {m.bars:,} bars, {series_text(result)}"
