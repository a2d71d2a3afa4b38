"""``ares backtest``: a model, an ensemble or a baseline over stored candles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ares.cli import backtest_options as options
from ares.cli.backtests import print_with_hold
from ares.cli.output import JSON_OPTION, note, print_json, progress, say
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.config.workspace import Workspace
    from ares.domain.strategy import StrategySource
    from ares.research import BacktestResult
    from ares.research.backtest_request import BacktestRequest


def command(
    symbol: list[str] = options.SYMBOL,
    model: str = options.MODEL,
    strategy: str = options.STRATEGY,
    set_: list[str] = options.SET,
    baseline: str = options.BASELINE,
    fast: int = options.FAST,
    slow: int = options.SLOW,
    interval: str = options.INTERVAL,
    from_: str = options.FROM,
    to: str = options.TO,
    days: float = options.DAYS,
    fill: str = options.FILL,
    cash: float = options.CASH,
    fee: str = options.FEE,
    spread: str = options.SPREAD,
    slippage: str = options.SLIPPAGE,
    size: str = options.SIZE,
    edge: str = options.EDGE,
    stop: str = options.STOP,
    position_cap: str = options.POSITION_CAP,
    daily_loss: str = options.DAILY_LOSS,
    drawdown: str = options.DRAWDOWN,
    on_drawdown: str = options.ON_DRAWDOWN,
    gate: bool = options.GATE,
    no_db: bool = options.NO_DB,
    compare: list[str] = options.COMPARE,
    report: Path = options.REPORT,
    csv: Path = options.CSV,
    json_: bool = JSON_OPTION,
) -> None:
    """Backtest a model, an ensemble, a strategy or a baseline over stored candles.

    A model has the stops, limits and breakers of the settings; a strategy and a baseline have none
    but those given here. The mode (TRADING or LEARNING) is ignored unless --gate is given.
    """
    from ares.config.workspace import Workspace
    from ares.research import cli_values as values
    from ares.research.backtest_request import BASELINES, FILLS, ON_DRAWDOWN, BacktestRequest

    if sum(1 for given in (model, baseline, strategy) if given) > 1:
        raise UserError("--model, --strategy and --baseline: give one of them")
    outputs = Outputs(report, csv, not no_db, json_)
    request = BacktestRequest(
        symbols=tuple(symbol), model=model,
        baseline=values.choice("--baseline", baseline, BASELINES) if baseline else None,
        fast_bars=fast, slow_bars=slow, timeframe=values.timeframe(interval),
        from_ms=values.utc_ms(from_), to_ms=values.utc_ms(to), days=values.positive("--days", days),
        fill=values.choice("--fill", fill, FILLS), cash_quote=values.positive("--cash", cash),
        fee_bps=values.bps("--fee", fee), spread_bps=values.bps("--spread", spread),
        slippage_bps=values.bps("--slippage", slippage), size=values.size_of(size), gate=gate,
        edge_bps_min=values.bps("--edge", edge, signed=True),
        stop_bps=values.bps("--stop", stop, off=True),
        position_max=values.share("--position-cap", position_cap),
        daily_loss_max=values.share("--daily-loss", daily_loss),
        drawdown_max=values.share("--drawdown", drawdown), strategy=_strategy(strategy, set_),
        on_drawdown=values.choice("--on-drawdown", on_drawdown, ON_DRAWDOWN)
        if on_drawdown
        else None,
    )  # fmt: skip
    understood = {
        "--fee": (fee, request.fee_bps), "--spread": (spread, request.spread_bps),
        "--slippage": (slippage, request.slippage_bps), "--edge": (edge, request.edge_bps_min),
        "--stop": (stop, request.stop_bps),
    }  # fmt: skip
    for text in values.bare_numbers(understood):
        note(text)
    _run(Workspace.here(), request, compare, outputs)


def _strategy(name: str, parameters: Sequence[str]) -> StrategySource | None:
    """Return the strategy FILE:NAME with its parameters NAME=VALUE; None: none is named."""
    from ares.adapters.strategy_file import read_strategy
    from ares.config.workspace import Workspace
    from ares.research.cli_values import parameters_of

    if name:
        return read_strategy(name, Workspace.here().root, parameters_of(parameters))
    if parameters:
        raise UserError("--set gives a parameter of --strategy: name the strategy")
    return None


@dataclass(frozen=True)
class Outputs:
    """Where a result is written: HTML, CSV, the workspace, JSON on stdout instead of a table.

    Raises UserError where a file cannot be written to one of these, before anything is computed.
    """

    report: Path | None
    csv: Path | None
    stored: bool
    json: bool

    def __post_init__(self) -> None:
        """Check the paths."""
        for option, path, name in (
            ("--report", self.report, "out.html"),
            ("--csv", self.csv, "trades.csv"),
        ):
            if path is not None and path.is_dir():
                raise UserError(f"{option} {path}: is a folder: name a file in it, such as {name}")
        if self.report and self.csv and self.report.resolve() == self.csv.resolve():
            raise UserError(f"--report and --csv both write {self.csv}: name two files")


def _run(
    workspace: Workspace, request: BacktestRequest, compare: Sequence[str], outputs: Outputs
) -> None:
    """Run the backtests and write their result to the requested outputs."""
    from ares.research.result_json import as_json

    result = _backtested(workspace, request)
    others = _different(
        result, [_backtested(workspace, _other(workspace, request, name)) for name in compare]
    )
    written = _written(workspace, result, others, outputs)
    if outputs.json:
        for text in result.warnings:
            note(f"warning: {text}")
        compared = {"compared": [as_json(other) for other in others]} if others else {}
        print_json(as_json(result) | compared | {"files": written})
        return
    _show(result, others)
    for name, path in written.items():
        say(f"{name}: {path}")


def _different(result: BacktestResult, others: Sequence[BacktestResult]) -> list[BacktestResult]:
    """Return the others that are neither the result, nor buy & hold, nor each other."""
    known, different = [result.metrics, result.hold], []
    for other in others:
        if other.metrics in known:
            note(f"--compare: {other.strategy.name} is in the result already")
            continue
        known.append(other.metrics)
        different.append(other)
    return different


def _other(workspace: Workspace, request: BacktestRequest, name: str) -> BacktestRequest:
    """Return the request of another strategy over the same candles at the same costs.

    name : a baseline, FILE:NAME of a strategy, or a model.
    """
    from ares.adapters.strategy_file import read_strategy
    from ares.research.backtest_request import BASELINES

    alone = replace(request, model=None, baseline=None, strategy=None)
    for baseline in BASELINES:
        if name == baseline:
            return replace(alone, baseline=baseline)
    if ".py" in name:
        return replace(alone, strategy=read_strategy(name, workspace.root, {}))
    return replace(alone, model=name)


def _backtested(workspace: Workspace, request: BacktestRequest) -> BacktestResult:
    """Run one backtest, with a progress bar where a model is scored."""
    from ares.bootstrap import backtest

    if request.is_rule:
        return backtest(workspace, request)
    with progress("scores", unit="bars") as bar:

        def reached(done: int, total: int) -> None:
            bar.expect(total)
            bar.reach(done)

        return backtest(workspace, request, reached)


def _written(
    workspace: Workspace,
    result: BacktestResult,
    others: Sequence[BacktestResult],
    outputs: Outputs,
) -> dict[str, str]:
    """Write the requested files; return their paths by name."""
    from datetime import UTC, datetime

    from ares.adapters.durable import write_file
    from ares.research.report_html import report, trades_csv
    from ares.research.result_json import keep

    files: dict[str, str] = {}
    if outputs.report:
        made = report(result, outputs.report, others)
        files |= {"report": str(made.html), "trades": str(made.trades_csv)}
    if outputs.csv:
        write_file(outputs.csv, trades_csv(result).encode())
        files["trades"] = str(outputs.csv)
    if outputs.stored:
        try:
            files["result"] = str(keep(result, workspace.reports_dir, datetime.now(UTC)))
        except OSError as error:
            note(
                f"the result is not stored in the workspace ({error.strerror}): free space, "
                "or add --no-db"
            )
    return files


def _show(result: BacktestResult, others: Sequence[BacktestResult]) -> None:
    """Print a result: warnings, then metrics, then one sentence."""
    from ares.research.report_html import title
    from ares.research.report_text import (
        computed_text,
        headline,
        rejected_text,
        rules_text,
        series_text,
        utc,
    )

    m = result.metrics
    say(title(result), style="bold")
    say(f"{utc(m.from_ms)} to {utc(m.to_ms)} UTC, {m.bars:,} bars, {series_text(result)}")
    say(rules_text(result))
    say(computed_text(result))
    for text in result.warnings:
        say(f"! {text}", style="bold yellow")
    compared = [(other.strategy.name, other.metrics) for other in others]
    print_with_hold(result.strategy.name, result.metrics, result.hold, compared)
    if result.counts.refusals:
        refused = ", ".join(f"{name} {n:,}" for name, n in result.counts.refusals.items())
        say(f"refused signals: {refused}; {result.virtual_trades.height:,} virtual trades")
    if result.counts.rejected:
        say(rejected_text(result))
    if result.counts.breakers:
        opened = ", ".join(f"{name} {n:,}" for name, n in result.counts.breakers.items())
        say(f"breakers opened: {opened}")
    say(headline(result), style="bold")
