"""``ares sweep``: many recipes of one symbol, each counted as a trial for ever."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.output import (
    JSON_OPTION,
    count,
    number,
    percent,
    print_json,
    print_table,
    progress,
    say,
    some,
)

if TYPE_CHECKING:
    from ares.runtime.validation.sweep import RankedResult, SweepReport

SAMPLERS = ("grid", "random", "tpe")
ROWS_SHOWN = 20
FOOTER = (
    "Out of sample, after costs. Deflated: probability that the Sharpe ratio is above the best "
    "that luck gives of every recipe ever tried on the symbol."
)


def command(
    params: list[str] = typer.Option(
        [], "--param", help="KEY=1,2,5 or KEY=FROM:TO:STEP; repeat for several. strategy.NAME=..."
    ),
    strategy: str = typer.Option("", "--strategy", help="FILE:NAME, a strategy of your own."),
    symbol: str = typer.Option("", "--symbol", "-s", help="Default: the settings' first."),
    intervals: list[str] = typer.Option(
        [], "--interval", "-i", help="1m 5m 15m 1h 4h 1d; default: the settings' timeframes."
    ),
    sampler: str = typer.Option("grid", "--sampler", help="grid, random or tpe (Optuna's)."),
    trials: int = typer.Option(0, "--trials", min=0, help="Recipes; 0: the grid, else 20."),
    from_: str = typer.Option("", "--from", help="UTC; earlier candles only warm features up."),
    to: str = typer.Option("", "--to", help="UTC; nothing after it is used. Default: the last."),
    workers: int = typer.Option(0, "--workers", min=0, help="Processes; 0: as the settings say."),
    picture: Path = typer.Option(None, "--picture", help="PNG; default: in the sweep's folder."),
    json_: bool = JSON_OPTION,
) -> int:
    """Train and evaluate many recipes, rank them, and make the best a candidate.

    Ctrl-C keeps what is done: the same command continues. The best still has to pass the gate.
    """
    from ares.adapters.durable import write_file
    from ares.adapters.strategy_file import read_strategy
    from ares.bootstrap.mlflow import sync_in_background
    from ares.bootstrap.sweeps import SweepRequest, sweep, sweep_picture
    from ares.bootstrap.training import require_training_allowed
    from ares.config.workspace import Workspace
    from ares.research.cli_values import choice, sweep_parameter
    from ares.research.window import parse_utc

    workspace = Workspace.here()
    request = SweepRequest(
        parameters=tuple(sweep_parameter(text) for text in params),
        symbol=symbol or None,
        intervals=tuple(intervals),
        from_ms=parse_utc(from_) if from_ else None,
        to_ms=parse_utc(to) if to else None,
        sampler=choice("--sampler", sampler, SAMPLERS),  # type: ignore[arg-type]  # checked by it
        trials=trials or None,
        strategy=read_strategy(strategy, workspace.root) if strategy else None,
        workers=workers,
    )
    require_training_allowed(workspace.settings)
    kept = "they are stored and counted; the same command continues"
    with progress("sweep", unit="recipes", kept=kept) as bar:

        def reached(done: int, total: int, what: str) -> None:
            bar.expect(total)
            bar.reach(done, what)

        report = sweep(workspace, request, on_progress=reached)
    file = picture or report.folder / "sweep.png"
    write_file(file, sweep_picture(report, workspace.settings.promotion.dsr_min))
    sync_in_background(workspace)
    if json_:
        print_json(as_json(report, file))
    else:
        show(report)
        say(f"picture: {file}")
    return 0


def as_json(report: SweepReport, picture: Path) -> dict[str, object]:
    """Return a sweep for ``--json``."""
    return {
        "instrument": report.instrument,
        "folder": report.folder,
        "picture": picture,
        "trials": report.trials,
        "new": report.new,
        "best": None if report.best is None else report.best.hash,
        "recipes": [
            {
                "point": each.result.point,
                "recipe": each.result.recipe_hash or None,
                "ensemble": each.result.ensemble or None,
                "trades": each.result.trades,
                "net_bps": each.result.net_bps,
                "sharpe": each.result.sharpe,
                "deflated_sharpe": each.deflated,
                "brier_skill": each.result.brier_skill,
                "note": each.result.note or None,
            }
            for each in report.ranked
        ],
    }


def show(report: SweepReport) -> None:
    """Print a sweep: its best recipes, then what they are against luck."""
    known = [each for each in report.ranked if each.result.ensemble]
    names = [parameter.name for parameter in report.plan.parameters]
    columns = (*(name.rpartition(".")[2] for name in names), "trades", "net bps", "Sharpe",
               "deflated", "Brier skill", "ensemble")  # fmt: skip
    rows = [_row(each, names) for each in known[:ROWS_SHOWN]]
    more = f" Not shown: {count(len(known) - ROWS_SHOWN)}." if len(known) > ROWS_SHOWN else ""
    print_table(columns, rows, title=f"Sweep of {report.instrument}", footer=FOOTER + more)
    for each in report.ranked[len(known) :]:
        say(f"skipped: {each.result.point}: {each.result.note}")
    old = len(report.ranked) - report.new
    kept = f", {count(old)} of them in an earlier part" if old else ""
    ever = f"{count(report.trials)} ever on {report.instrument}: each counts in every verdict"
    say(f"{some(len(report.ranked), 'recipe')} tried{kept}; {ever}")
    if report.best is None:
        say("No recipe traded enough for a Sharpe ratio: no candidate was made.")
        return
    best = known[0]
    above = best.expected_max is not None and (best.result.sharpe or 0.0) > best.expected_max
    luck = "" if best.expected_max is None else (
        f" The best of so many without skill has {best.expected_max:.2f}: "
        f"{'more than that' if above else 'no more than that'} was found."
    )  # fmt: skip
    say(f"Best: Sharpe ratio {number(best.result.sharpe, 2)}.{luck}")
    say(f"It is a candidate: `ares models validate {report.best.hash[:12]}` judges it.")


def _row(each: RankedResult, names: list[str]) -> tuple[str, ...]:
    result = each.result
    return (
        *(str(result.point[name]) for name in names),
        count(result.trades),
        number(result.net_bps, 1),
        number(result.sharpe, 2),
        number(each.deflated, 3),
        percent(result.brier_skill, 2),
        result.ensemble[:12],
    )
