"""The composition root: reads the settings once, and hands values to those that do the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.run import RunSetup

if TYPE_CHECKING:
    from ares.config.settings import Settings
    from ares.kernel.trade import Rules
    from ares.observe.arms_report import ArmReport
    from ares.observe.run_report import RunReport
    from ares.research.backtest import BacktestResult
    from ares.research.backtest_request import BacktestRequest
    from ares.runtime.engine.history_run import RunEnd
    from ares.runtime.engine.learner_events import LearnerEvents
    from ares.runtime.replay.certify import Certificate
    from ares.runtime.replay.explain import Explanation
    from ares.runtime.replay.restep import RestepResult

DEFAULT_DAYS = 14


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a person asks of ``ares run --env history``; None leaves it to the settings.

    symbols      : symbols or keys; from_ms, to_ms : window; name : of the run.
    learn        : models are trained and swapped while it goes on.
    """

    symbols: tuple[str, ...] | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    name: str | None = None
    learn: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """A history run's end and report; ``remarks`` is what was left out, and why."""

    end: RunEnd
    report: RunReport
    remarks: tuple[str, ...]


def rules_of(settings: Settings) -> Rules:
    """Return the trade half's rules from the settings, units as there."""
    from ares.runtime.trade_rules import rules_of as rules_of_settings

    return rules_of_settings(settings)


def history_run(
    workspace: Workspace,
    request: RunRequest,
    progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> RunResult:
    """Run the engine over stored candles with virtual money, or take such a run up again.

    say : told what the run waits for while something is trained.
    """
    from ares.bootstrap import run_choices as chosen
    from ares.observe.own_features import require_no_leak
    from ares.observe.run_report import report_run
    from ares.runtime.engine import served_models as served
    from ares.runtime.engine.history_run import run_history
    from ares.runtime.engine.news import NO_NEWS
    from ares.runtime.engine.plan import default_window, named, plan_run
    from ares.runtime.trade_rules import rollout_of
    from ares.runtime.training.instrument_selection import instruments_of
    from ares.store.candles import CandleStore
    from ares.store.database import open_database
    from ares.store.news import NewsStore

    settings = workspace.settings
    database = open_database(workspace.db_url)
    store = CandleStore(database, workspace.cache_dir)
    keys, remarks = instruments_of(store, settings, request.symbols)
    from_ms, to_ms = request.from_ms, request.to_ms
    if from_ms is None or to_ms is None:
        first_ms, last_ms = default_window(store, keys, DEFAULT_DAYS)
        to_ms = last_ms if to_ms is None else to_ms
        from_ms = min(first_ms, to_ms) if from_ms is None else from_ms
    user = served.features_of_user(workspace)
    choices, said = chosen.choices_of(workspace, keys, user)
    cards = chosen.cards_of(workspace, choices)
    reference = chosen.reference_of(settings, store, cards)
    said += chosen.seen_before(cards, from_ms)
    if reference is not None and reference not in keys:
        choices.append(chosen.watched(reference))
    for choice in choices:
        if choice.instrument.quote != settings.account.currency:
            raise UserError(
                f"{choice.instrument.key} is not quoted in {settings.account.currency}, the"
                " account's currency: change account.currency or symbols"
            )
    require_no_leak(user, store, keys, settings.weights, to_ms)
    sentiment = chosen.sentiment_of(settings, NewsStore(database), cards, request.learn)
    bases = [choice.instrument.base for choice in choices]
    news = NO_NEWS if sentiment is None else NewsStore(database).news(sentiment, bases, to_ms)
    if sentiment is not None and not (news.known_ms > from_ms - sentiment.stale_ms).any():
        said.append(
            "no news that count are stored for the window: models trained with sentiment answer by"
            " prices alone (`ares news import PATH`)"
        )
    plan = plan_run(
        store, choices, list(settings.weights), reference,
        from_ms=from_ms, to_ms=to_ms, cash_quote=settings.account.capital_quote,
        rules=rules_of(settings),
        validation_discount=settings.continuous_learning.confidence.validation_discount,
        settings_hash=settings.hash, user=user,
        challengers=request.learn, rollout=rollout_of(settings),
        sentiment=sentiment, news=news,
    )  # fmt: skip
    name = request.name or chosen.free_name(workspace, plan.setup)
    made = named(plan, f"history/{name}")
    folder = workspace.journal_dir / "history" / name
    end = run_history(
        made,
        served.scorers_of(workspace, made.setup),
        folder,
        database,
        sync_ms=settings.journal.sync_ms,
        snapshot_events=settings.journal.snapshot_events,
        progress=progress,
        stopped=stopped,
        user=user,
        teacher=_teacher(workspace, made.setup, folder, stopped, say) if request.learn else None,
        open_ensemble=served.opener_of(workspace, folder, sentiment),
    )
    return RunResult(end, report_run(end.folder), (*remarks, *said))


def _teacher(
    workspace: Workspace, setup: RunSetup, folder: Path, stopped: Callable[[], bool],
    say: Callable[[str], None],
) -> LearnerEvents:  # fmt: skip
    from ares.runtime.learner.learner import learner_of

    return learner_of(workspace, setup, folder, stopped=stopped, say=say)


def arms_of_run(workspace: Workspace, run: str | None) -> tuple[ArmReport, ...]:
    """Return how champions and challengers of a run (default: the newest) compare."""
    from ares.observe.arms_report import report_arms
    from ares.observe.run_report import run_folder

    return report_arms(run_folder(workspace.journal_dir, run))


def certify_run(workspace: Workspace, run: str | None) -> Certificate:
    """Recompute a run (default: the newest) by the backtest path and compare."""
    from ares.observe.run_report import run_folder
    from ares.runtime.engine import served_models as served
    from ares.runtime.replay.certify import certify
    from ares.runtime.replay.restep import open_run

    folder = run_folder(workspace.journal_dir, run)
    setup = open_run(folder)
    user = served.features_of_run(workspace, setup)
    return certify(
        folder,
        served.scorers_of(workspace, setup),
        user,
        served.opener_of(workspace, folder, setup.sentiment),
    )


def restep_run(workspace: Workspace, run: str | None) -> RestepResult:
    """Step a run's journal (default: the newest) again and compare."""
    from ares.observe.run_report import run_folder
    from ares.runtime.engine import served_models as served
    from ares.runtime.replay.restep import open_run, restep

    folder = run_folder(workspace.journal_dir, run)
    setup = open_run(folder)
    user = served.features_of_run(workspace, setup)
    own = None if user is None else user.step
    return restep(
        folder,
        served.scorers_of(workspace, setup),
        own,
        served.opener_of(workspace, folder, setup.sentiment),
    )


def why_run(
    workspace: Workspace, run: str | None, instrument: str, at_ms: int | None
) -> Explanation:
    """Explain one closing instant of a run (default: the newest run, its newest instant)."""
    from ares.observe.run_report import run_folder
    from ares.runtime.engine import served_models as served
    from ares.runtime.replay.explain import explain
    from ares.runtime.replay.restep import open_run

    folder = run_folder(workspace.journal_dir, run)
    setup = open_run(folder)
    user = served.features_of_run(workspace, setup)
    opener = served.opener_of(workspace, folder, setup.sentiment)
    return explain(folder, instrument, at_ms, served.scorers_of(workspace, setup), user, opener)


def backtest(
    workspace: Workspace,
    request: BacktestRequest,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> BacktestResult:
    """Backtest a model, an ensemble or a baseline over stored candles; nothing is written."""
    from ares.adapters.model_store import ModelStore
    from ares.research.backtest_request import BacktestRunner
    from ares.runtime.engine import served_models as served
    from ares.runtime.registry.model_journal import read_book
    from ares.runtime.training.news import sentiment_at
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    settings, book = workspace.settings, read_book(workspace.journal_dir)
    user = None if request.baseline else served.features_of_user(workspace)
    crowned: dict[str, str] = {}
    for environment in ("history", "paper", "live"):
        crowned |= book.champions(environment)
    database = open_database(workspace.db_url)
    try:
        desk = BacktestRunner(
            store=CandleStore(database, workspace.cache_dir),
            models=ModelStore(workspace.models_dir),
            champions=crowned,
            out_of_use=book.out_of_use,
            rules=rules_of(settings),
            cash_quote=settings.account.capital_quote,
            symbols=settings.symbols,
            venue=settings.venue,
            validation_discount=settings.continuous_learning.confidence.validation_discount,
            user=user,
            sentiment_of=lambda key, spec, close_ms: sentiment_at(
                workspace.db_url, spec, Instrument.parse(key), close_ms
            ),
            on_progress=on_progress,
        )
        return desk.run(request)
    finally:
        database.dispose()
