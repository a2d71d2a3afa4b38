"""A backtest as one self-contained HTML file: it loads nothing, from network or disk."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ares.research.backtest import BacktestResult
from ares.research.report_analysis import (
    daily_of,
    drawdown_periods,
    groups_by,
    groups_by_hour,
    groups_by_weekday,
    histogram,
)
from ares.research.report_figures import confidence_bins, cost_shares, month_scale, years
from ares.research.report_robustness import delays, trade_order
from ares.research.report_series import (
    DETAILED_TRADES_MAX,
    MARKED_TRADES_MAX,
    account_series,
    candle_series,
    trade_windows,
)
from ares.research.report_text import (
    currency_of,
    duration,
    headline,
    metric_rows,
    money,
    more_rows,
    number,
    percent,
    series_text,
    signed,
    utc,
)

TRADES_SHOWN = 500
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
CSV_EMBEDDED_BYTES_MAX = 3_000_000
CHART_LIBRARY = "lightweight-charts-5.2.1.standalone.production.js"


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """The files of a report: the page, and all trades as CSV."""

    html: Path
    trades_csv: Path


def report(
    result: BacktestResult, path: str | Path, others: Sequence[BacktestResult] = ()
) -> ReportFiles:
    """Write the report of a backtest, and its trades as CSV; return both files.

    path   : of the HTML file; the CSV has the same name and ends in ``_trades.csv``.
    others : results that are compared with it.
    """
    from ares.adapters.durable import write_file

    html = Path(path)
    table = html.with_name(f"{html.stem}_trades.csv")
    write_file(table, trades_csv(result).encode())
    write_file(html, render(result, table.name, others).encode())
    return ReportFiles(html, table)


def render(
    result: BacktestResult, csv_name: str = "trades.csv", others: Sequence[BacktestResult] = ()
) -> str:
    """Return the report's HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "money": money,
        "number": number,
        "percent": percent,
        "signed": signed,
        "utc": utc,
        "duration": duration,
        "form_of": _form_of,
    }
    csv = trades_csv(result).encode()
    return environment.from_string(_asset("report.html.j2")).render(
        result=result,
        metrics=result.metrics,
        hold=result.hold,
        title=title(result),
        headline=headline(result),
        currency=currency_of(result),
        series_text=series_text(result),
        columns=[result.strategy.name, "buy & hold", *(o.strategy.name for o in others)],
        facts=_facts(result, others),
        drawdowns=drawdown_periods(result.close_ms, result.equity, result.metrics.equity_start),
        by_instrument=groups_by(result.trades, "instrument"),
        by_reason=groups_by(result.trades, "exit_reason"),
        by_hour=groups_by_hour(result.trades),
        by_weekday=groups_by_weekday(result.trades),
        days_returns=histogram(daily_of(result)),
        trade_returns=histogram(result.trades["net_bps"].to_numpy()),
        order=trade_order(result),
        delayed=delays(result),
        detailed=DETAILED_TRADES_MAX,
        years=years(result),
        month_scale=month_scale(result),
        costs=cost_shares(result),
        bins=confidence_bins(result),
        trades=result.trades.tail(TRADES_SHOWN).reverse().to_dicts(),
        trades_shown=TRADES_SHOWN,
        marked=MARKED_TRADES_MAX,
        csv_name=csv_name,
        csv_href=_csv_href(csv),
        provenance=json.dumps(result.provenance, indent=2, default=str),
        series=_script_json(
            {
                "account": account_series(result, others),
                "instruments": candle_series(result),
                "windows": trade_windows(result),
            }
        ),
        style=_asset("report.css"),
        script=_asset("report.js"),
        library=_asset(CHART_LIBRARY),
        month_names=MONTHS,
    )


def _facts(result: BacktestResult, others: Sequence[BacktestResult]) -> list[tuple[str, ...]]:
    """Return all metrics; the times of drawdowns have a table of their own."""
    rows = metric_rows([result.metrics, result.hold, *(each.metrics for each in others)])
    rows = [row for row in rows if not row[0].startswith("Drawdown from")]
    return rows + more_rows(result, others)


def _form_of(value: float, form: str) -> str:
    """Return a bound of a histogram: ``percent``, or a plain number of bps."""
    return percent(value, 1) if form == "percent" else number(value, 0)


def title(result: BacktestResult) -> str:
    """Return the title of the page: the strategy and its symbols."""
    symbols = ", ".join(each.spec.instrument.symbol for each in result.candles)
    return f"{result.strategy.name} · {symbols}"


def trades_csv(result: BacktestResult) -> str:
    """Return all closed trades as CSV; times in ISO 8601, UTC."""
    return result.trades.write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ", float_precision=8)


def _csv_href(csv: bytes) -> str | None:
    """Return the trades as a data link; None where they are too large for one."""
    if len(csv) > CSV_EMBEDDED_BYTES_MAX:
        return None
    return "data:text/csv;base64," + base64.b64encode(csv).decode()


def _script_json(value: Any) -> str:
    """Return JSON that cannot end the script element that contains it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return files("ares.research").joinpath("assets", name).read_text(encoding="utf-8")
