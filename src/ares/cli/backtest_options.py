"""The options of ``ares backtest``: their names and what ``--help`` prints of them."""

from __future__ import annotations

from typing import Any

import typer

SYMBOL: Any = typer.Option(
    [], "--symbol", "-s", help="Symbol or key; repeat for several in one account."
)
MODEL: Any = typer.Option(
    None,
    "--model",
    help="Package NAME[@VERSION], ensemble HASH, or an exported file. Default: the champion, "
    "else the newest that was judged, else the newest with enough rows.",
)
STRATEGY: Any = typer.Option(
    None, "--strategy", help="FILE:NAME, a strategy of your own: long while its score is above 0."
)
SET: Any = typer.Option([], "--set", help="A parameter of --strategy: NAME=VALUE; may be repeated.")
BASELINE: Any = typer.Option(None, "--baseline", help="buy_hold or sma_cross instead of a model.")
FAST: Any = typer.Option(20, "--fast", help="sma_cross: bars of the fast average.")
SLOW: Any = typer.Option(100, "--slow", help="sma_cross: bars of the slow average.")
INTERVAL: Any = typer.Option(
    None, "--interval", "-i", help="sma_cross, --strategy: their bars; default: the finest stored."
)
FROM: Any = typer.Option(None, "--from", help="First day or time, UTC.")
TO: Any = typer.Option(None, "--to", help="Day or time at which it ends, UTC (exclusive).")
DAYS: Any = typer.Option(None, "--days", help="Length of the window without --from: 90.")
FILL: Any = typer.Option(
    "next_open",
    "--fill",
    help="next_open; or close: at the close that decided, which no real order gets.",
)
CASH: Any = typer.Option(None, "--cash", help="Cash at the start, quote currency.")
FEE: Any = typer.Option(None, "--fee", help="Fee of one fill: 10bps, 0.1%, or 0.001.")
SPREAD: Any = typer.Option(None, "--spread", help="Full spread: 2bps, 0.02%, or 0.0002.")
SLIPPAGE: Any = typer.Option(
    None, "--slippage", help="Slippage of an order as large as its bar's volume: 1bps, 0.01%."
)
SIZE: Any = typer.Option(
    None,
    "--size",
    help="Units of the base currency, all (cash), or risk (of the settings, lost at the stop). "
    "Default: risk; a baseline: equal shares of equity, with a stop too.",
)
EDGE: Any = typer.Option(
    None, "--edge", help="Expected net return an entry needs: 20bps, 0.2%; default: the settings'."
)
STOP: Any = typer.Option(
    None,
    "--stop",
    help="Distance of stop and take-profit from the entry: 200bps, 2%, or off.",
)
POSITION_CAP: Any = typer.Option(
    None, "--position-cap", help="Largest position, share of equity: 0.1, 10%, or off."
)
DAILY_LOSS: Any = typer.Option(
    None, "--daily-loss", help="Loss that ends a day's entries; positions stay: 0.05, 5%, or off."
)
DRAWDOWN: Any = typer.Option(
    None,
    "--drawdown",
    help="Loss from the peak at which entries end; positions stay: 0.15, 15%, or off.",
)
ON_DRAWDOWN: Any = typer.Option(
    None, "--on-drawdown", help="hold: positions stay at --drawdown; close: they are sold too."
)
GATE: Any = typer.Option(
    False, "--gate", help="Trade in mode TRADING only, as the engine does; default: always."
)
NO_DB: Any = typer.Option(False, "--no-db", help="Do not keep the result in the workspace.")
REPORT: Any = typer.Option(None, "--report", help="Write an HTML report to this file.")
COMPARE: Any = typer.Option(
    [],
    "--compare",
    help="Another model (as --model) or baseline in the same report and table; repeat for more.",
)
CSV: Any = typer.Option(None, "--csv", help="Write all trades to this CSV file.")
