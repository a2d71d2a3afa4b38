"""A result in a notebook: a few lines as text, a small table as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ares.domain.utc import utc_text
from ares.research.metrics import BacktestMetrics

ROWS = (
    ("Net return", "net_return", "{:+.2%}"),
    ("Annualised return", "annual_return", "{:+.2%}"),
    ("Sharpe ratio (daily, √365)", "sharpe", "{:.2f}"),
    ("Largest drawdown", "max_drawdown", "{:.2%}"),
    ("Closed trades", "trades", "{:,}"),
    ("Win rate", "win_rate", "{:.1%}"),
    ("Average trade, bps", "trade_mean_bps", "{:+.1f}"),
    ("Time in the market", "time_in_market", "{:.1%}"),
)
"""Name, field and format of the figures that are shown."""


def result_text(title: str, metrics: BacktestMetrics, hold: BacktestMetrics) -> str:
    """Return a result as a few lines.

    title : the strategy and its symbols.     hold : of buy & hold.
    """
    figures = ", ".join(
        f"{name.partition(' (')[0].lower()} {_cell(metrics, field, form)}"
        for name, field, form in (ROWS[0], ROWS[2], ROWS[3], ROWS[4])
    )
    held = _cell(hold, "net_return", ROWS[0][2])
    return f"<BacktestResult {title}>\n{_window(metrics)}\n{figures}; buy & hold {held}"


def result_html(
    title: str, metrics: BacktestMetrics, hold: BacktestMetrics, warnings: Sequence[str]
) -> str:
    """Return a result as HTML: its window, its main figures and those of buy & hold, warnings."""
    cells = "".join(
        f"<tr><td style='text-align:left'>{escape(name)}</td><td>{_cell(metrics, field, form)}</td>"
        f"<td>{_cell(hold, field, form)}</td></tr>"
        for name, field, form in ROWS
    )
    notes = "".join(f"<div>! {escape(text)}</div>" for text in warnings)
    return (
        f"<div><b>{escape(title)}</b><div>{escape(_window(metrics))}</div>{notes}"
        f"<table><tr><th></th><th>strategy</th><th>buy &amp; hold</th></tr>{cells}</table></div>"
    )


def _cell(metrics: BacktestMetrics, field: str, form: str) -> str:
    value = getattr(metrics, field)
    return "–" if value is None else form.format(value)


def _window(metrics: BacktestMetrics) -> str:
    if metrics.from_ms is None or metrics.to_ms is None:
        return "no bars"
    first, last = utc_text(metrics.from_ms), utc_text(metrics.to_ms)
    return f"{first} to {last} UTC, {metrics.bars:,} bars"
