"""Runs of the engine: what one is made of is chosen, planned, and run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ares.bootstrap.run_plan import plan_of
from ares.bootstrap.values import user_features
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument

if TYPE_CHECKING:
    from ares.config.settings import Settings
    from ares.kernel.trade import Rules
    from ares.observe.run_report import RunReport
    from ares.runtime.engine.history_run import RunEnd
    from ares.store.candles import CandleStore

DEFAULT_DAYS = 14


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The request of ``ares run --env history``; None leaves it to the settings.

    symbols      : symbols or keys; from_ms, to_ms : window; name : of the run.
    learn        : models are trained and swapped during the run.
    """

    symbols: tuple[str, ...] | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    name: str | None = None
    learn: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """A history run's end and report; ``remarks`` lists what was left out, and why."""

    end: RunEnd
    report: RunReport
    remarks: tuple[str, ...]


def rules_of(settings: Settings) -> Rules:
    """Return the trade half's rules from the settings, units as there."""
    from ares.bootstrap.trade_rules import rules_of as rules_of_settings

    return rules_of_settings(settings)


def history_run(
    workspace: Workspace,
    request: RunRequest,
    progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> RunResult:
    """Run the engine over stored candles with virtual money, or resume such a run.

    say : called with what the run waits for while a model is trained.
    """
    from ares.bootstrap.learner import learner_of
    from ares.bootstrap.mlflow import sync_in_background
    from ares.bootstrap.run_choices import free_name
    from ares.bootstrap.tables import start_tables
    from ares.observe.run_report import report_run
    from ares.runtime.engine import served_models as served
    from ares.runtime.engine.history_run import RunOptions, run_history
    from ares.runtime.engine.plan import named
    from ares.store.database import open_database

    settings = workspace.settings
    sync_in_background(workspace)
    database = open_database(workspace.db_url)
    try:
        user = user_features(workspace)
        plan, remarks = plan_of(
            workspace, database, user, "history", request.symbols, request.learn,
            lambda store, keys: _window(store, keys, request),
        )  # fmt: skip
        name = request.name or free_name(workspace, plan.setup)
        plan = named(plan, f"history/{name}")
        folder = workspace.journal_dir / "history" / name
        learner = None
        if request.learn:
            learner = learner_of(workspace, plan.setup, folder, stopped=stopped, say=say)
        end = run_history(
            plan,
            served.scorers_of(workspace.models_dir, plan.setup),
            folder,
            partial(start_tables, workspace, plan.setup.environment, say),
            RunOptions(
                settings.journal.sync_ms,
                settings.journal.snapshot_events,
                progress or (lambda _done, _total: None),
                stopped,
            ),
            user=served.features_of_run(workspace.models_dir, user, plan.setup),
            learner=learner,
            open_ensemble=served.opener_of(workspace.models_dir, folder, user, plan.setup),
        )
    finally:
        database.dispose()
    return RunResult(end, report_run(end.folder), tuple(remarks))


def _window(store: CandleStore, keys: Sequence[Instrument], request: RunRequest) -> tuple[int, int]:
    """Return the window of a run: as requested, else the last two weeks that all have."""
    from ares.runtime.engine.plan import default_window

    from_ms, to_ms = request.from_ms, request.to_ms
    if from_ms is None or to_ms is None:
        first_ms, last_ms = default_window(store, keys, DEFAULT_DAYS)
        to_ms = last_ms if to_ms is None else to_ms
        from_ms = min(first_ms, to_ms) if from_ms is None else from_ms
    return from_ms, to_ms
