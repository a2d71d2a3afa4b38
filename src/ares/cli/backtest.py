"""``ares backtest``: a model, an ensemble or a baseline over stored candles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.output import JSON_OPTION, note, print_json, print_table, progress, say
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.config.workspace import Workspace
    from ares.research import BacktestResult
    from ares.research.backtest_request import BacktestRequest


def command(
    symbol: list[str] = typer.Option(
        [], "--symbol", "-s", help="Symbol or key; repeat for several in one account."
    ),
    model: str = typer.Option(
        None,
        "--model",
        help="Package NAME[@VERSION], ensemble HASH, or an exported file; default: the champion, "
        "else the newest candidate.",
    ),
    baseline: str = typer.Option(None, "--baseline", help="buy_hold or sma_cross, not a model."),
    fast: int = typer.Option(20, "--fast", help="sma_cross: bars of the fast average."),
    slow: int = typer.Option(100, "--slow", help="sma_cross: bars of the slow average."),
    interval: str = typer.Option(
        None, "--interval", "-i", help="sma_cross: bars averaged; default: the finest stored."
    ),
    from_: str = typer.Option(None, "--from", help="First day or time, UTC."),
    to: str = typer.Option(None, "--to", help="Day or time before which it ends, UTC."),
    days: float = typer.Option(None, "--days", help="Length where --from is left out: 90."),
    fill: str = typer.Option(
        "next_open",
        "--fill",
        help="next_open, or close: at the close that decided, better than any venue gives.",
    ),
    cash: float = typer.Option(None, "--cash", help="Account at the start, quote currency."),
    fee: str = typer.Option(None, "--fee", help="Of one fill, in bps: 10, or 0.1%."),
    spread: str = typer.Option(None, "--spread", help="Full spread, in bps: 2, or 0.02%."),
    slippage: str = typer.Option(
        None, "--slippage", help="In bps, of an order as large as its bar's volume."
    ),
    size: str = typer.Option(
        None,
        "--size",
        help="Units of the base currency, or all (cash). Default: by risk; a baseline: equal "
        "shares of equity.",
    ),
    edge: float = typer.Option(
        None, "--edge", help="Expected net return an entry needs, in bps; default: the settings'."
    ),
    stop: str = typer.Option(
        None, "--stop", help="Stop and take-profit so far from the entry: 200 (bps), 2%, or off."
    ),
    position_cap: str = typer.Option(
        None, "--position-cap", help="Largest position, share of equity: 0.1, 10%, or off."
    ),
    daily_loss: str = typer.Option(
        None, "--daily-loss", help="Loss that ends a day's trading: 0.05, 5%, or off."
    ),
    drawdown: str = typer.Option(
        None, "--drawdown", help="Loss from the peak that ends trading: 0.15, 15%, or off."
    ),
    gate: bool = typer.Option(
        False, "--gate", help="Let the mode decide, as the engine does; default: trade always."
    ),
    no_db: bool = typer.Option(False, "--no-db", help="Keep nothing of it in the workspace."),
    report: Path = typer.Option(None, "--report", help="Write an HTML report here."),
    csv: Path = typer.Option(None, "--csv", help="Write all trades here as CSV."),
    json_: bool = JSON_OPTION,
) -> None:
    """Judge a model, an ensemble or a baseline on history.

    A model has the stops, limits and breakers of the settings; a baseline has none but those given
    here. The mode (TRADING or LEARNING) is ignored unless --gate is given.
    """
    from ares.config.workspace import Workspace
    from ares.domain.timeframe import Timeframe
    from ares.research.backtest_request import BASELINES, FILLS, BacktestRequest
    from ares.research.cli_values import bps, one_of, positive, share, size_of
    from ares.research.window import parse_utc

    if model and baseline:
        raise UserError("--model and --baseline: give one of them")
    request = BacktestRequest(
        symbols=tuple(symbol),
        model=model,
        baseline=one_of("--baseline", baseline, BASELINES) if baseline else None,
        fast_bars=fast,
        slow_bars=slow,
        timeframe=Timeframe.parse(interval) if interval else None,
        from_ms=parse_utc(from_) if from_ else None,
        to_ms=parse_utc(to) if to else None,
        days=positive("--days", days),
        fill=one_of("--fill", fill, FILLS),
        cash_quote=positive("--cash", cash),
        fee_bps=bps("--fee", fee),
        spread_bps=bps("--spread", spread),
        slippage_bps=bps("--slippage", slippage),
        size=size_of(size),
        gate=gate,
        edge_bps_min=edge,
        stop_bps=bps("--stop", stop, off=True),
        position_max=share("--position-cap", position_cap),
        daily_loss_max=share("--daily-loss", daily_loss),
        drawdown_max=share("--drawdown", drawdown),
    )
    _run(Workspace.here(), request, Outputs(report, csv, not no_db, json_))


@dataclass(frozen=True)
class Outputs:
    """Where a result goes: HTML, CSV, the workspace, JSON on stdout instead of a table."""

    report: Path | None
    csv: Path | None
    kept: bool
    json: bool


def _run(workspace: Workspace, request: BacktestRequest, outputs: Outputs) -> None:
    """Run the backtest and put its result where it was asked for."""
    from ares.bootstrap import backtest
    from ares.research.result_json import as_json

    if request.baseline:
        result = backtest(workspace, request)
    else:
        with progress("scores", unit="bars") as bar:

            def reached(done: int, total: int) -> None:
                bar.expect(total)
                bar.reach(done)

            result = backtest(workspace, request, reached)
    written = _written(workspace, result, outputs)
    if outputs.json:
        for text in result.warnings:
            note(f"warning: {text}")
        print_json(as_json(result) | {"files": written})
        return
    _show(result)
    for name, path in written.items():
        say(f"{name}: {path}")


def _written(workspace: Workspace, result: BacktestResult, outputs: Outputs) -> dict[str, str]:
    """Write what was asked for; return the files by name."""
    from datetime import UTC, datetime

    from ares.adapters.durable import write_file
    from ares.research.report_html import report, trades_csv
    from ares.research.result_json import keep

    files: dict[str, str] = {}
    if outputs.report:
        made = report(result, outputs.report)
        files |= {"report": str(made.html), "trades": str(made.trades_csv)}
    if outputs.csv:
        write_file(outputs.csv, trades_csv(result).encode())
        files["trades"] = str(outputs.csv)
    if outputs.kept:
        try:
            files["kept"] = str(keep(result, workspace.reports_dir, datetime.now(UTC)))
        except OSError as error:
            note(f"the result is not kept in the workspace ({error.strerror}): --no-db says so too")
    return files


def _show(result: BacktestResult) -> None:
    """Print a result for a person: warnings first, then figures, then one sentence."""
    from ares.research.report_html import title
    from ares.research.report_words import bars_said, facts, headline, rules_said, utc

    m = result.metrics
    say(title(result), style="bold")
    say(f"{utc(m.from_ms)} to {utc(m.to_ms)} UTC, {m.bars:,} bars, {bars_said(result)}")
    say(rules_said(result))
    for text in result.warnings:
        say(f"! {text}", style="bold yellow")
    rows = [row for row in facts(result) if not row[0].startswith("Drawdown from")]
    widths = [max(len(row[k]) for row in rows) for k in (1, 2)]
    print_table(
        ("", result.strategy.name, "buy & hold"),
        [(name, one.rjust(widths[0]), two.rjust(widths[1])) for name, one, two in rows],
    )
    if result.counts.refusals:
        said = ", ".join(f"{name} {n:,}" for name, n in result.counts.refusals.items())
        say(f"refused signals: {said}; {result.virtual_trades.height:,} virtual trades")
    if result.counts.breakers:
        said = ", ".join(f"{name} {n:,}" for name, n in result.counts.breakers.items())
        say(f"breakers opened: {said}")
    say(headline(result), style="bold")
