"""Runs of the engine: what one is made of is chosen, planned, and run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ares.bootstrap.values import user_features
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ares.config.settings import Settings
    from ares.kernel.features.user import UserFeatures
    from ares.kernel.trade import Rules
    from ares.observe.run_report import RunReport
    from ares.runtime.engine.history_run import RunEnd
    from ares.runtime.engine.plan import RunPlan, SlotChoice
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
        plan, remarks = _planned(workspace, database, user, request)
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


def _planned(
    workspace: Workspace, database: Engine, user: UserFeatures | None, request: RunRequest
) -> tuple[RunPlan, list[str]]:
    """Return the plan of the run, not yet named, and remarks on what was left out."""
    from ares.bootstrap import run_choices as chosen
    from ares.bootstrap.trade_rules import challenger_rules_of
    from ares.bootstrap.training import configured_instruments
    from ares.observe.user_features_check import require_no_leak
    from ares.runtime.engine.plan import plan_run
    from ares.runtime.training.instrument_selection import instruments_of
    from ares.store.candles import CandleStore
    from ares.store.series import series_history

    settings = workspace.settings
    store = CandleStore(database, workspace.cache_dir)
    keys, left_out = instruments_of(store, configured_instruments(settings), request.symbols)
    from_ms, to_ms = _window(store, keys, request)
    choices, remarks = chosen.choices_of(workspace, keys, user, "history")
    user = chosen.features_of(workspace, choices, user)
    cards = chosen.cards_of(workspace, choices)
    reference = chosen.reference_of(settings, store, cards)
    remarks += chosen.in_sample(cards, from_ms)
    if reference is not None and reference not in keys:
        choices.append(chosen.without_model(reference))
    require_currency(choices, settings.account.currency)
    require_no_leak(user, store, keys, settings.weights, to_ms)
    series = chosen.series_of(settings, database, cards, request.learn)
    instruments = [choice.instrument for choice in choices]
    history = series_history(database, series, instruments, to_ms)
    remarks += chosen.missing_in_window(series, history, from_ms)
    plan = plan_run(
        store, choices, list(settings.weights), reference,
        from_ms=from_ms, to_ms=to_ms, cash_quote=settings.account.capital_quote,
        rules=rules_of(settings),
        validation_discount=settings.continuous_learning.confidence.validation_discount,
        settings_hash=settings.hash, user=user,
        challenger_lanes=request.learn, challenger_rules=challenger_rules_of(settings),
        series=series, history=history,
    )  # fmt: skip
    return plan, [*left_out, *remarks]


def _window(store: CandleStore, keys: Sequence[Instrument], request: RunRequest) -> tuple[int, int]:
    """Return the window of a run: as requested, else the last two weeks that all have."""
    from ares.runtime.engine.plan import default_window

    from_ms, to_ms = request.from_ms, request.to_ms
    if from_ms is None or to_ms is None:
        first_ms, last_ms = default_window(store, keys, DEFAULT_DAYS)
        to_ms = last_ms if to_ms is None else to_ms
        from_ms = min(first_ms, to_ms) if from_ms is None else from_ms
    return from_ms, to_ms


def require_currency(choices: Sequence[SlotChoice], currency: str) -> None:
    """Raise UserError where an instrument is not quoted in the account's currency."""
    for choice in choices:
        if choice.instrument.quote != currency:
            raise UserError(
                f"{choice.instrument.key} is not quoted in {currency}, the account's currency:"
                " change account.currency or symbols"
            )
