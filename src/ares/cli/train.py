"""``ares train``: candidates with their evidence, for every symbol and timeframe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ares.cli.output import JSON_OPTION, note, print_json, progress
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.config.workspace import Workspace
    from ares.runtime.training.plan import TrainingRequest
    from ares.runtime.training.training_rules import Scope

SCOPES: dict[str, Scope | None] = {
    "": None,
    "instrument": "instrument",
    "universe": "universe",
}


def command(
    symbols: list[str] = typer.Option([], "--symbol", "-s", help="Default: the settings' symbols."),
    intervals: list[str] = typer.Option(
        [], "--interval", "-i", help="1m 5m 15m 1h 4h 1d; default: the settings' timeframes."
    ),
    from_: str = typer.Option(
        "", "--from", help="UTC; earlier candles only warm features up. Default: the first."
    ),
    to: str = typer.Option("", "--to", help="UTC; nothing after it is used. Default: the last."),
    scope: str = typer.Option(
        "", "--scope", help="instrument or universe; default: the settings' learning.scope."
    ),
    price_only: bool = typer.Option(
        False, "--price-only", help="Without external series and sentiment."
    ),
    workers: int = typer.Option(0, "--workers", min=0, help="Processes; 0: as the settings say."),
    json_: bool = JSON_OPTION,
) -> int:
    """Train candidate models and show their results out of sample, after costs."""
    from ares.config.workspace import Workspace
    from ares.research.window import parse_utc
    from ares.runtime.training.plan import TrainingRequest

    if scope not in SCOPES:
        raise UserError(f"--scope {scope}: use instrument or universe")
    request = TrainingRequest(
        symbols=tuple(symbols),
        intervals=tuple(intervals),
        from_ms=parse_utc(from_) if from_ else None,
        to_ms=parse_utc(to) if to else None,
        scope=SCOPES[scope],
        price_only=price_only,
        workers=workers,
    )
    workspace = Workspace.here()
    kept = "these models are stored as packages (`ares models list`), without an ensemble"
    return train_and_show(workspace, request, json_, kept=kept)


def train_and_show(
    workspace: Workspace,
    request: TrainingRequest,
    json_: bool,
    *,
    name: str = "train",
    trained: str = "trained",
    kept: str = "",
) -> int:
    """Make the candidates of a request with a progress line, and show their evidence.

    name, trained : of the command and of what it does, in its lines. kept: see ``progress``.
    """
    from ares.bootstrap.mlflow import sync_after_training
    from ares.bootstrap.training import require_training_allowed, train
    from ares.cli.train_views import show_training

    require_training_allowed(workspace.settings)
    with progress(name, unit="models", kept=kept) as bar:

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
        raise UserError(f"nothing could be {trained} ({reasons}): import more candles")
    return 3 if failed else 0
