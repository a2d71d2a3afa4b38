"""``ares models add``: a strategy of the user's own as candidates, calibrated walk-forward."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION, note, print_json, progress
from ares.domain.errors import UserError

SET_HELP = "A parameter of the strategy: NAME=VALUE; repeat for several."


def add(
    strategy: str = typer.Argument(..., help="FILE:NAME, a function of a file of the workspace."),
    symbols: list[str] = typer.Option([], "--symbol", "-s", help="Default: the settings' symbols."),
    intervals: list[str] = typer.Option(
        [], "--interval", "-i", help="1m 5m 15m 1h 4h 1d; default: the settings' timeframes."
    ),
    values: list[str] = typer.Option([], "--set", help=SET_HELP),
    from_: str = typer.Option(
        "", "--from", help="UTC; earlier candles only warm features up. Default: the first."
    ),
    to: str = typer.Option("", "--to", help="UTC; nothing after it is used. Default: the last."),
    workers: int = typer.Option(0, "--workers", min=0, help="Processes; 0: as the settings say."),
    json_: bool = JSON_OPTION,
) -> int:
    """Add a strategy as candidate models: its score is calibrated walk-forward, and evaluated.

    Each symbol and timeframe becomes a package with the strategy's source; each is a trial.
    """
    from ares.adapters.strategy_file import read_strategy
    from ares.bootstrap.mlflow import sync_after_training
    from ares.bootstrap.training import require_training_allowed, train
    from ares.cli.train_views import show_training
    from ares.config.workspace import Workspace
    from ares.research.cli_values import parameters_of
    from ares.research.window import parse_utc
    from ares.runtime.training.plan import TrainingRequest

    workspace = Workspace.here()
    request = TrainingRequest(
        symbols=tuple(symbols),
        intervals=tuple(intervals),
        from_ms=parse_utc(from_) if from_ else None,
        to_ms=parse_utc(to) if to else None,
        workers=workers,
        strategy=read_strategy(strategy, workspace.root, parameters_of(values)),
    )
    require_training_allowed(workspace.settings)
    with progress("add", unit="models") as bar:

        def reached(done: int, total: int, what: str) -> None:
            bar.expect(total)
            bar.reach(done, what)

        report = sync_after_training(workspace, train(workspace, request, on_progress=reached))
    if json_:
        print_json(report)
    else:
        show_training(report)
    for warning in report.warnings:
        note(warning)
    failed = [package for package in report.missing if package.failed]
    if not report.packages and not failed:
        reasons = "; ".join(f"{p.subject}: {p.reason}" for p in report.missing[:3])
        raise UserError(f"nothing could be calibrated ({reasons}): import more candles")
    return 3 if failed else 0
