"""The texts of a report: numbers, times, costs, and the result in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from ares.domain.timeframe import MINUTE_MS
from ares.domain.utc import utc_text
from ares.kernel.trade.layout import SIZE_FIXED
from ares.research.backtest import BacktestResult
from ares.research.metrics import BacktestMetrics
from ares.research.report_analysis import daily_facts, trade_facts

Row = tuple[str, str, str]


def headline(result: BacktestResult) -> str:
    """Return the result in one or two sentences, with costs and buy & hold."""
    m, hold, money_name = result.metrics, result.hold, currency_of(result)
    over = f"in {m.days:,.0f} days" if m.days >= 2 else f"in {m.days * 24:,.0f} hours"
    if m.entries == 0:
        return (
            f"It never traded {over}: {no_trade_reason(result)}. "
            f"Buy & hold made {signed(hold.net_return)}."
        )
    verb = "made" if m.net_return > 0 else "lost"
    closed = f"{m.trades:,} closed trade{'s' if m.trades != 1 else ''}"
    text = (
        f"It {verb} {percent(abs(m.net_return))} {over} with {closed}, after paying "
        f"{money(result.costs.total)} {money_name} of costs"
    )
    text += "." if m == hold else f"; buy & hold made {signed(hold.net_return)}."
    before = m.equity_end + result.costs.total - m.equity_start
    if m.net_return <= 0 < before:
        text += " Before costs it made a profit: costs exceed the edge."
    elif m.net_return <= 0:
        text += " It lost money before costs too."
    rejected = sum(result.counts.rejected.values())
    if rejected and 2 * rejected >= result.counts.requests["entries"]:
        text += f" {rejected_text(result)}."
    return text


def no_trade_reason(result: BacktestResult) -> str:
    """Return why nothing was traded, from the counts of orders and of refusals by code."""
    refusals = sorted(result.counts.refusals.items(), key=lambda item: -item[1])
    signals, needed = result.signals, result.rules.edge_bps_min
    ordered = result.counts.requests["entries"]
    if ordered and not result.counts.rejected and not refusals:
        return f"{ordered:,} {_entries(ordered)} ordered at the end, too late to be filled"
    if ordered:
        text = rejected_text(result)
        total = sum(n for _, n in refusals)
        return text + (f", and {_signals(total)} refused ({_by_code(refusals)})" * bool(total))
    if not refusals and signals.edge_max_bps is None:
        return "it had no signal"
    if not refusals and result.strategy.kind != "baseline":
        best = number(signals.edge_max_bps, 1)
        return (
            f"no signal reached the edge that an entry needs: the largest expected edge after "
            f"costs was {best} bps, and {needed:g} are needed"
        )
    if not refusals:
        return "no signal led to an order"
    total = sum(n for _, n in refusals)
    return f"{_signals(total)} refused ({_by_code(refusals)})"


def rejected_text(result: BacktestResult) -> str:
    """Return how many entries were ordered and how many of them rejected, by reason."""
    ordered, rejected = result.counts.requests["entries"], result.counts.rejected
    return (
        f"{ordered:,} {_entries(ordered)} ordered and {sum(rejected.values()):,} rejected "
        f"({_by_code(list(rejected.items()))})"
    )


def _signals(n: int) -> str:
    return "1 signal was" if n == 1 else f"{n:,} signals were"


def _entries(n: int) -> str:
    return "entry was" if n == 1 else "entries were"


def _by_code(counts: list[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts[:3])


def facts(result: BacktestResult) -> list[Row]:
    """Return (name, strategy, buy & hold) of every metric."""
    return [(name, a, b) for name, a, b in metric_rows([result.metrics, result.hold])]


def metric_rows(columns: Sequence[BacktestMetrics]) -> list[tuple[str, ...]]:
    """Return (name, value, value, ...) of every metric, one value for each of ``columns``."""

    def row(name: str, show: str, field: str) -> tuple[str, ...]:
        form = _FORMS[show]
        return name, *(form(getattr(each, field)) for each in columns)

    return [
        row("Net return", "signed", "net_return"),
        row("Annualised return (CAGR)", "signed", "annual_return"),
        row("Volatility, annualised", "percent", "volatility"),
        row("Sharpe ratio (daily, √365)", "number", "sharpe"),
        row("Sortino ratio", "number", "sortino"),
        row("Largest drawdown", "percent", "max_drawdown"),
        ("Drawdown from – low – recovered", *(_drawdown(each) for each in columns)),
        row("Equity at the start", "money", "equity_start"),
        row("Equity at the end", "money", "equity_end"),
        row("Closed trades", "count", "trades"),
        row("Open positions at the end", "count", "open_positions"),
        row("Win rate", "percent", "win_rate"),
        row("Profit factor", "number", "profit_factor"),
        row("Average trade, bps", "number", "trade_mean_bps"),
        row("Best trade, bps", "number", "trade_best_bps"),
        row("Worst trade, bps", "number", "trade_worst_bps"),
        row("Average holding", "hours", "holding_hours"),
        row("Fees", "money", "fees"),
        row("Spread", "money", "spread_cost"),
        row("Slippage and rounding", "money", "slippage_cost"),
        row("Traded", "money", "traded_quote"),
        row("Turnover (traded / mean equity)", "number", "turnover"),
        row("Mean exposure", "percent", "exposure"),
        row("Time in the market", "percent", "time_in_market"),
    ]


def more_rows(
    result: BacktestResult, others: Sequence[BacktestResult] = ()
) -> list[tuple[str, ...]]:
    """Return (name, strategy, buy & hold, others ...) of the ratios of days and trades."""
    days = [daily_facts(result), daily_facts(result, hold=True), *map(daily_facts, others)]
    closed = [trade_facts(result.trades), None, *(trade_facts(o.trades) for o in others)]

    def of_days(name: str, form: Callable[..., str], field: str) -> tuple[str, ...]:
        return name, *(form(getattr(each, field)) for each in days)

    def of_trades(name: str, form: Callable[..., str], field: str) -> tuple[str, ...]:
        return name, *("–" if each is None else form(getattr(each, field)) for each in closed)

    return [
        of_days("Calmar ratio", number, "calmar"),
        of_trades("Expectancy of a trade", money, "expectancy_quote"),
        of_trades("Mean win / mean loss", number, "payoff"),
        of_trades("Most wins in a row", count, "won_in_a_row"),
        of_trades("Most losses in a row", count, "lost_in_a_row"),
        of_days("Best day", signed, "best_day"),
        of_days("Worst day", signed, "worst_day"),
        of_days("Days with a gain", percent, "positive_days"),
        of_days("Value at risk, a day in 20", percent, "value_at_risk"),
        of_days("Expected shortfall beyond it", percent, "expected_shortfall"),
        of_days("Tail ratio (95% / 5%)", number, "tail_ratio"),
        of_days("Skew of daily returns", number, "skew"),
        of_days("Kurtosis of daily returns", number, "kurtosis"),
        of_days("Beta to buy & hold", number, "beta"),
        of_days("Correlation with buy & hold", number, "correlation"),
    ]


def rules_text(result: BacktestResult) -> str:
    """Return the costs, sizing and gate of a run in one line."""
    rules = result.rules
    parts = [
        f"fee {rules.fee_bps:g} bps ({rules.fee_bps / 100:g}%)",
        f"spread {rules.spread_bps:g} bps",
        f"slippage {rules.slippage_bps:g} bps",
        "filled at the deciding close"
        if result.fill == "close"
        else "filled at the next bar's open",
    ]
    if rules.sizing == SIZE_FIXED:
        lots = 10.0 ** -result.candles[0].spec.qty_decimals
        parts.append(f"{rules.fixed_lots * lots:g} units per trade")
    else:
        if rules.risk_per_trade <= 1.0 and np.isfinite(result.strategy.signals.barrier_bps).any():
            parts.append(f"sized to lose {percent(rules.risk_per_trade, 1)} of equity at the stop")
        largest = min(rules.position_max, rules.exposure_max)
        parts.append(f"at most {percent(largest, 1)} of equity per position")
    if rules.drawdown_max:
        does = "everything is sold" if rules.close_on_drawdown else "no entries, positions stay"
        parts.append(f"{percent(rules.drawdown_max, 1)} below the peak {does}")
    parts.append("trades in mode TRADING only" if rules.gate_mode else "mode ignored")
    return ", ".join(parts)


def computed_text(result: BacktestResult) -> str:
    """Return how the figures are computed: the account, its limits, the scores."""
    limited = [
        name
        for name, value in (
            ("stops", result.rules.stop_enabled),
            ("a daily loss limit", result.rules.daily_loss_max),
            ("a drawdown limit", result.rules.drawdown_max),
        )
        if value
    ]
    limits = f"with {', '.join(limited)}" if limited else "without stops and loss limits"
    scores = ""
    if result.strategy.models:
        scores = "; the stored models score every bar (a verdict uses out-of-sample scores)"
    return f"computed: one simulated account over the window, {limits}{scores}"


def series_text(result: BacktestResult) -> str:
    """Return venues and bar lengths, each once: ``binance 1m``."""
    names = (f"{each.spec.instrument.venue} {each.timeframe.value}" for each in result.candles)
    return ", ".join(dict.fromkeys(names))


def currency_of(result: BacktestResult) -> str:
    """Return the currency of the account."""
    return result.candles[0].spec.instrument.quote


def money(value: float | None) -> str:
    """Return an amount with separators, without decimals from 1,000 on."""
    if value is None or not math.isfinite(value):
        return "–"
    return _minus(f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.2f}")


def count(value: int) -> str:
    """Return a whole number with separators."""
    return f"{value:,}"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number; a dash for None."""
    return "–" if value is None or not math.isfinite(value) else _minus(f"{value:,.{digits}f}")


def percent(value: float | None, digits: int = 2) -> str:
    """Return a fraction in percent; a dash for None."""
    return "–" if value is None else _minus(f"{value * 100:,.{digits}f}%")


def signed(value: float | None, digits: int = 2) -> str:
    """Return a fraction in percent with its sign; a dash for None.

    >>> signed(0.0123), signed(-0.5), signed(None)
    ('+1.23%', '−50.00%', '–')
    """
    if value is None:
        return "–"
    text = f"{abs(value) * 100:,.{digits}f}%"
    return ("−" if value < 0 else "+") + text


def duration(hours: float | None) -> str:
    """Return a length of time in minutes, hours or days; a dash for None.

    >>> duration(0.5), duration(5.25), duration(72)
    ('30 min', '5.2 h', '3.0 days')
    """
    if hours is None:
        return "–"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"


def utc(value: int | datetime | None) -> str:
    """Return a time to the minute, UTC; a dash for None."""
    if value is None:
        return "–"
    ts_ms = round(value.timestamp() * 1000) if isinstance(value, datetime) else value
    return utc_text(ts_ms // MINUTE_MS * MINUTE_MS)


def _minus(text: str) -> str:
    """Return a number with a typographic minus sign."""
    return text.replace("-", "−")


def _drawdown(m: BacktestMetrics) -> str:
    if m.drawdown_low_ms is None:
        return "–"
    end = "not recovered" if m.drawdown_end_ms is None else utc(m.drawdown_end_ms)
    return f"{utc(m.drawdown_from_ms)} – {utc(m.drawdown_low_ms)} – {end}"


_FORMS: dict[str, Callable[..., str]] = {
    "signed": signed,
    "percent": percent,
    "number": number,
    "money": money,
    "hours": duration,
    "count": count,
}
