"""``ares runs``: the runs of a workspace, listed, shown, reported, compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.backtests import print_metrics
from ares.cli.output import (
    JSON_OPTION,
    count,
    note,
    percent,
    plain,
    print_json,
    print_table,
    progress,
    say,
    utc,
)
from ares.domain.errors import AresError, UserError

if TYPE_CHECKING:
    from ares.observe.run_report import RunReport

app = typer.Typer(no_args_is_help=True)

NAME = typer.Argument(None, help="Name of the run, or paper; default: the newest.")


@app.command("list")
def list_(json_: bool = JSON_OPTION) -> None:
    """List the runs: window, state, trades, result."""
    from ares.config.workspace import Workspace
    from ares.observe.run_report import run_folders

    folders = run_folders(Workspace.here().journal_dir)
    reports: list[RunReport] = []
    if len(folders) > 1:
        with progress("runs", total=len(folders), unit="runs") as bar:
            for folder in folders:
                reports += _readable(folder)
                bar.advance(remark=folder.name)
    else:
        reports = [each for folder in folders for each in _readable(folder)]
    if json_:
        print_json([run_json(report) for report in reports])
    elif not reports:
        say("there is no run yet: start one with `ares run --env history`")
    else:
        columns = ("run", "from", "to (UTC)", "state", "trades", "virtual", "net", "drawdown")
        print_table(columns, [_row(report) for report in reports], optional=("virtual", "from"))


@app.command()
def show(run: str = NAME, json_: bool = JSON_OPTION) -> None:
    """Show one run: its instruments, the moves of its models, its account."""
    from ares.cli.run import show_report
    from ares.config.workspace import Workspace
    from ares.observe.run_report import report_run, run_folder

    found = report_run(run_folder(Workspace.here().journal_dir, run))
    if json_:
        print_json(run_json(found))
    else:
        show_report(found)


@app.command()
def report(
    run: str = NAME,
    path: Path = typer.Option(None, "--report", help="Default: reports/run_NAME.html."),
    json_: bool = JSON_OPTION,
) -> None:
    """Write the report of a run, the same as that of a backtest, and its trades as CSV."""
    from ares.bootstrap import run_result
    from ares.config.workspace import Workspace
    from ares.research.report_html import report as write
    from ares.research.report_text import headline
    from ares.research.result_json import as_json

    workspace = Workspace.here()
    result = run_result(workspace, run)
    name = result.strategy.name.rpartition("/")[2]
    made = write(result, path or workspace.reports_dir / f"run_{name}.html")
    files = {"report": str(made.html), "trades": str(made.trades_csv)}
    if json_:
        print_json(as_json(result) | {"files": files})
        return
    say(headline(result), style="bold")
    for kind, written in files.items():
        say(f"{kind}: {written}")


@app.command()
def compare(
    runs: list[str] = typer.Argument(..., help="Names of two or more runs."),
    path: Path = typer.Option(None, "--report", help="One HTML report of all of them."),
    json_: bool = JSON_OPTION,
) -> None:
    """Compare runs metric by metric."""
    from ares.bootstrap import run_result
    from ares.config.workspace import Workspace
    from ares.research.report_html import report as write

    if len(dict.fromkeys(runs)) < 2:
        raise UserError("give two or more runs: `ares runs list` names them")
    workspace = Workspace.here()
    results = [run_result(workspace, name) for name in dict.fromkeys(runs)]
    if json_:
        print_json({each.strategy.name: each.metrics for each in results})
    else:
        print_metrics([e.strategy.name for e in results], [e.metrics for e in results])
        windows = {(each.metrics.from_ms, each.metrics.to_ms) for each in results}
        if len(windows) > 1:
            note("these runs cover different windows: their returns do not compare directly")
    if path:
        made = write(results[0], path, results[1:])
        note(f"report: {made.html}")


def run_json(report: RunReport) -> dict[str, object]:
    """Return a report without its equity curve."""
    content: dict[str, object] = plain(report)
    return {k: v for k, v in content.items() if k not in ("equity_ms", "equity_quote")}


def _readable(folder: Path) -> list[RunReport]:
    """Return the report of a run; name a journal that cannot be read, and go on."""
    from ares.observe.run_report import report_run

    try:
        return [report_run(folder)]
    except AresError as error:
        note(f"{folder.name}: {error}")
        return []


def _row(report: RunReport) -> tuple[object, ...]:
    from ares.research.report_text import signed

    real = sum(row.real.trades for row in report.instruments)
    virtual = sum(row.virtual.trades for row in report.instruments)
    state = "finished" if report.finished else "not finished"
    if report.environment in ("paper", "live"):
        state = "goes on"
    return (
        *(report.environment.removeprefix("history/"), utc(report.from_ms), utc(report.to_ms)),
        *(state, count(real), count(virtual), signed(report.net_return)),
        percent(report.max_drawdown),
    )
