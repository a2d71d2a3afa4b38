"""``ares models add``: a strategy of the user's own as candidates, calibrated walk-forward."""

from __future__ import annotations

import typer

from ares.cli.output import JSON_OPTION

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
    from ares.cli.train import train_and_show
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
    return train_and_show(workspace, request, json_, name="add", trained="calibrated")
