"""The composition root: reads the settings once, and hands values to those that do the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace
from ares.domain.errors import AresError, UserMistake, WorldTrouble
from ares.domain.instrument import Instrument
from ares.domain.run import Rollout, RunSetup
from ares.domain.timeframe import HOUR_MS

if TYPE_CHECKING:
    from ares.adapters.model_store import ModelStore
    from ares.config.settings import Settings
    from ares.core.state import Scorer, Scorers
    from ares.domain.model import Ensemble
    from ares.domain.package import Package, PackageCard
    from ares.domain.sentiment import SentimentSpec
    from ares.kernel.features.user import UserFeatures
    from ares.kernel.trade import Rules
    from ares.observe.arms_report import ArmReport
    from ares.observe.run_report import RunReport
    from ares.research.backtest import BacktestResult
    from ares.research.desk import BacktestRequest
    from ares.runtime.certify import Certificate
    from ares.runtime.history_run import RunEnd
    from ares.runtime.hot_swap import Opener
    from ares.runtime.plan import Choice
    from ares.runtime.restep import Restepped
    from ares.runtime.teacher import Teacher
    from ares.runtime.why import Why
    from ares.store.candles import CandleStore
    from ares.store.news import NewsStore

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
class Ran:
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
) -> Ran:
    """Run the engine over stored candles with virtual money, or take such a run up again."""
    from ares.observe.own_features import insist_no_leak
    from ares.observe.run_report import report_run
    from ares.runtime.history_run import run_history
    from ares.runtime.plan import default_window, named, plan_run
    from ares.runtime.run_news import NO_NEWS
    from ares.store.candles import CandleStore
    from ares.store.database import open_database
    from ares.store.news import NewsStore

    settings = workspace.settings
    database = open_database(workspace.db_url)
    store = CandleStore(database, workspace.cache_dir)
    keys, remarks = _instruments(store, settings, request.symbols)
    from_ms, to_ms = request.from_ms, request.to_ms
    if from_ms is None or to_ms is None:
        first_ms, last_ms = default_window(store, keys, DEFAULT_DAYS)
        to_ms = last_ms if to_ms is None else to_ms
        from_ms = min(first_ms, to_ms) if from_ms is None else from_ms
    user = features_of_user(workspace)
    choices, said = _choices(workspace, keys, user)
    cards = _cards(workspace, choices)
    reference = _reference(settings, store, cards)
    said += _seen_before(cards, from_ms)
    if reference is not None and reference not in keys:
        choices.append(_watched(reference))
    for choice in choices:
        if choice.instrument.quote != settings.account.currency:
            raise UserMistake(
                f"{choice.instrument.key} is not quoted in {settings.account.currency}, the"
                " account's currency: change account.currency or symbols"
            )
    insist_no_leak(user, store, keys, settings.weights, to_ms)
    sentiment = _sentiment(settings, NewsStore(database), cards, request.learn)
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
    name = request.name or _free_name(workspace, plan.setup)
    made = named(plan, f"history/{name}")
    folder = workspace.journal_dir / "history" / name
    end = run_history(
        made,
        scorers_of(workspace, made.setup),
        folder,
        database,
        sync_ms=settings.journal.sync_ms,
        snapshot_events=settings.journal.snapshot_events,
        progress=progress,
        stopped=stopped,
        user=user,
        teacher=_teacher(workspace, made.setup, folder) if request.learn else None,
        open_ensemble=opener_of(workspace, folder, sentiment),
    )
    return Ran(end, report_run(end.folder), (*remarks, *said))


def _teacher(workspace: Workspace, setup: RunSetup, folder: Path) -> Teacher:
    from ares.runtime.learner import learner_of

    return learner_of(workspace, setup, folder)


def features_of_user(workspace: Workspace) -> UserFeatures | None:
    """Return the features of the module that the settings name, if any; they are not tried yet."""
    from ares.observe.own_features import own_features

    return own_features(workspace.settings.features.module, workspace.root)


def features_of_run(workspace: Workspace, setup: RunSetup) -> UserFeatures | None:
    """Return the user's features that a run was made with, if any.

    Raises UserMistake where the settings name no module, or one that has changed since.
    """
    from ares.runtime.plan import USER_HASH

    if not setup.user_features:
        return None
    user = features_of_user(workspace)
    if user is None:
        names = ", ".join(setup.user_features)
        raise UserMistake(
            f"{setup.environment} was made with features of your own ({names}): set"
            " features.module to their module"
        )
    if user.hash != setup.hashes[USER_HASH]:
        raise UserMistake(
            f"{user.place} is not what {setup.environment} was made with: put that version back"
        )
    return user


def scorers_of(workspace: Workspace, setup: RunSetup) -> Scorers:
    """Return a scorer per package of a run, each loaded from our own disk and verified."""
    from ares.adapters.model_store import ModelStore

    models = ModelStore(workspace.models_dir)
    members = {
        member.package_hash: member
        for one in setup.instruments
        if one.ensemble is not None
        for member in one.ensemble.members
    }
    return {
        package_hash: _served(models.member(member), setup.sentiment)
        for package_hash, member in members.items()
    }


def _served(package: Package, sentiment: SentimentSpec | None) -> Scorer:
    """Return the scorer of a package for the rows of a run: one without sentiment is shown those
    columns of a row that are before it.

    sentiment : how the run's columns of sentiment are made; None: it has none.
    Raises UserMistake where the package was made with other ones.
    """
    from ares.adapters.onnx_model import open_model

    card = package.card
    n = len(card.features)
    if card.sentiment is not None and card.sentiment != sentiment:
        what = "no sentiment" if sentiment is None else "sentiment made in another way"
        raise UserMistake(f"{card.ref} was trained with sentiment, and the run has {what}")
    scorer = open_model(package.graph, n, card.ref)
    if sentiment is None or card.sentiment is not None:
        return scorer
    return lambda rows: scorer(rows[:, :n])


def _sentiment(
    settings: Settings, news: NewsStore, cards: Sequence[tuple[str, PackageCard]], learn: bool
) -> SentimentSpec | None:
    """Return how the columns of sentiment of a run are made: as its models were made with.

    Where none has any, a run that learns has them all the same, for the models that are to come.
    Raises UserMistake where models were made with different ones: a run has one kind.
    """
    found = {card.sentiment: card.ref for _, card in cards if card.sentiment is not None}
    if len(found) > 1:
        raise UserMistake(
            f"the models were trained with different settings of sentiment "
            f"({' and '.join(found.values())}): train them together, or run their symbols one by"
            " one with -s"
        )
    if not found and learn and settings.sentiment.enabled and news.any():
        return settings.sentiment.spec
    return next(iter(found), None)


def rollout_of(settings: Settings) -> Rollout:
    """Return how ensembles move while the engine runs, from the settings."""
    said = settings.rollout
    return Rollout(
        shadow_ms=round(said.shadow_hours * HOUR_MS),
        canary_ms=round(said.canary_hours * HOUR_MS),
        canary_share=said.canary_share,
        confidence_min=said.confidence_min,
        false_alarm_trades=said.false_alarm_trades,
        alpha_worse=said.alpha_worse,
    )


def opener_of(workspace: Workspace, folder: Path, sentiment: SentimentSpec | None = None) -> Opener:
    """Return what opens an ensemble that a run publishes: of its own folder, else of ours.

    sentiment : how the run's columns of sentiment are made; None: it has none.
    """
    from ares.adapters.model_shelves import FOLDER, ModelShelves
    from ares.kernel.features.columns import insist_same_columns

    models = ModelShelves(folder / FOLDER, workspace.models_dir)
    user = features_of_user(workspace)

    def open_ensemble(ensemble: Ensemble) -> Scorers:
        opened: Scorers = {}
        for member in ensemble.members:
            package = models.member(member)
            card = package.card
            insist_same_columns(card.ref, card.features, card.features_hash, user)
            if card.instruments and ensemble.instrument not in card.instruments:
                raise UserMistake(
                    f"{card.ref} was made for {', '.join(card.instruments)}, not for"
                    f" {ensemble.instrument}"
                )
            opened[member.package_hash] = _served(package, sentiment)
        return opened

    return open_ensemble


def arms_of_run(workspace: Workspace, run: str | None) -> tuple[ArmReport, ...]:
    """Return how champions and challengers of a run (default: the newest) compare."""
    from ares.observe.arms_report import report_arms
    from ares.observe.run_report import run_folder

    return report_arms(run_folder(workspace.journal_dir, run))


def certify_run(workspace: Workspace, run: str | None) -> Certificate:
    """Recompute a run (default: the newest) by the backtest path and compare."""
    from ares.observe.run_report import run_folder
    from ares.runtime.certify import certify
    from ares.runtime.restep import open_run

    folder = run_folder(workspace.journal_dir, run)
    setup = open_run(folder)
    user = features_of_run(workspace, setup)
    return certify(
        folder, scorers_of(workspace, setup), user, opener_of(workspace, folder, setup.sentiment)
    )


def restep_run(workspace: Workspace, run: str | None) -> Restepped:
    """Step a run's journal (default: the newest) again and compare."""
    from ares.observe.run_report import run_folder
    from ares.runtime.restep import open_run, restep

    folder = run_folder(workspace.journal_dir, run)
    setup = open_run(folder)
    user = features_of_run(workspace, setup)
    own = None if user is None else user.step
    return restep(
        folder, scorers_of(workspace, setup), own, opener_of(workspace, folder, setup.sentiment)
    )


def why_run(workspace: Workspace, run: str | None, instrument: str, at_ms: int | None) -> Why:
    """Explain one closing instant of a run (default: the newest run, its newest instant)."""
    from ares.observe.run_report import run_folder
    from ares.runtime.restep import open_run
    from ares.runtime.why import explain

    folder = run_folder(workspace.journal_dir, run)
    setup = open_run(folder)
    user = features_of_run(workspace, setup)
    opener = opener_of(workspace, folder, setup.sentiment)
    return explain(folder, instrument, at_ms, scorers_of(workspace, setup), user, opener)


def _instruments(
    store: CandleStore, settings: Settings, symbols: Sequence[str] | None
) -> tuple[list[Instrument], list[str]]:
    """Return the instruments asked for; of the configured ones, those that have candles."""
    if symbols:
        return list(dict.fromkeys(store.resolve(symbol) for symbol in symbols)), []
    keys, remarks = [], []
    for symbol in settings.symbols:
        try:
            keys.append(store.resolve(f"{settings.venue}:{symbol}"))
        except UserMistake as mistake:
            remarks.append(f"{symbol} is left out: {mistake}")
    if not keys:
        raise UserMistake(
            f"none of the configured symbols has candles ({', '.join(settings.symbols)}):"
            " `ares data import PATH`"
        )
    return keys, remarks


def _choices(
    workspace: Workspace, keys: Sequence[Instrument], user: UserFeatures | None
) -> tuple[list[Choice], list[str]]:
    """Return each instrument with its champion, else its newest candidate as a challenger.

    Raises UserMistake where a model was made for other features than there are now.
    """
    from ares.adapters.model_store import ModelStore
    from ares.kernel.features.columns import insist_same_columns
    from ares.runtime.model_journal import read_book
    from ares.runtime.plan import Choice
    from ares.runtime.promotion import former

    models, book = ModelStore(workspace.models_dir), read_book(workspace.journal_dir)
    crowned = book.champions("history")
    choices, remarks = [], []
    for key in keys:
        if key.key in crowned:
            back, remark = _before(models, former(book, "history", key.key))
            remarks += remark
            choices.append(Choice(key, models.ensemble(crowned[key.key]), True, back))
            continue
        candidate = models.newest_candidate(key.key, without=book.out_of_use)
        choices.append(Choice(key, candidate, False))
        if candidate is None:
            remarks.append(f"{key.key} has no model and is only watched: `ares train` makes one")
        else:
            remarks.append(
                f"{key.key} has no champion: its newest candidate makes virtual trades only"
                " (`ares models promote --force --reason rehearsal` lets it trade here)"
            )
    for choice in choices:
        for member in choice.ensemble.members if choice.ensemble else ():
            card = models.member(member).card
            insist_same_columns(card.ref, card.features, card.features_hash, user)
    if all(choice.ensemble is None for choice in choices):
        raise UserMistake("there is no model for any of these symbols: `ares train` makes some")
    return choices, remarks


def _before(models: ModelStore, ensemble_hash: str) -> tuple[Ensemble | None, list[str]]:
    """Return the champion before, to which a run may go back, and what is wrong with it."""
    if not ensemble_hash:
        return None, []
    try:
        ensemble = models.ensemble(ensemble_hash)
        for member in ensemble.members:
            models.member(member)
    except AresError as error:
        return None, [f"the champion before could not come back: {error}"]
    return ensemble, []


def _cards(workspace: Workspace, choices: Sequence[Choice]) -> list[tuple[str, PackageCard]]:
    """Return the card of every model of a run, each with the key of its instrument."""
    from ares.adapters.model_store import ModelStore

    models = ModelStore(workspace.models_dir)
    return [
        (choice.instrument.key, models.member(member).card)
        for choice in choices
        for member in (choice.ensemble.members if choice.ensemble else ())
    ]


def _seen_before(cards: Sequence[tuple[str, PackageCard]], from_ms: int) -> list[str]:
    """Return a remark for each instrument whose models learned from candles of the window."""
    from datetime import UTC, datetime

    newest: dict[str, int] = {}
    for key, card in cards:
        newest[key] = max(newest.get(key, 0), card.data_to_ms)
    return [
        f"{key}: its models learned from candles up to"
        f" {datetime.fromtimestamp(until_ms / 1000, UTC):%Y-%m-%d %H:%M}: until then they are asked"
        " what they were told, which proves nothing"
        for key, until_ms in newest.items()
        if until_ms > from_ms
    ]


def _reference(
    settings: Settings, store: CandleStore, cards: Sequence[tuple[str, PackageCard]]
) -> Instrument | None:
    """Return the instrument that the models' cross features were trained on; None: on none.

    Raises UserMistake where they differ: a run has one reference.
    """
    found: dict[Instrument | None, str] = {}
    for _, card in cards:
        name = card.reference
        if name is not None and ":" not in name:
            name = f"{settings.venue}:{name}"
        found[None if name is None else store.resolve(name)] = f"{card.name} {name}"
    if len(found) > 1:
        raise UserMistake(
            f"the models look at different reference instruments ({'; '.join(found.values())}):"
            " train them together, or run their symbols one by one with -s"
        )
    return next(iter(found), None)


def _watched(instrument: Instrument) -> Choice:
    from ares.runtime.plan import Choice

    return Choice(instrument, None, False)


def _free_name(workspace: Workspace, setup: RunSetup) -> str:
    """Return the window's name; with a number behind it where another run has taken that."""
    from datetime import UTC, datetime

    from ares.journal.run import setup_of
    from ares.runtime.plan import same_run

    def day(ts_ms: int) -> str:
        return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y%m%d")

    stem = f"{day(setup.from_ms)}-{day(setup.to_ms)}"
    for attempt in range(1, 1_000):
        name = stem if attempt == 1 else f"{stem}-{attempt}"
        folder: Path = workspace.journal_dir / "history" / name
        try:
            held = setup_of(folder) if folder.is_dir() else None
        except WorldTrouble:
            continue  # damaged: it is left alone, and named by whoever asks for it
        if held is None or same_run(held, setup):
            return name
    raise WorldTrouble(f"a thousand runs are called {stem}: give this one a --run NAME")


def backtest(
    workspace: Workspace,
    request: BacktestRequest,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> BacktestResult:
    """Backtest a model, an ensemble or a baseline over stored candles; nothing is written."""
    from ares.adapters.model_store import ModelStore
    from ares.research.desk import Desk
    from ares.runtime.model_journal import read_book
    from ares.runtime.training_news import sentiment_at
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    settings, book = workspace.settings, read_book(workspace.journal_dir)
    user = None if request.baseline else features_of_user(workspace)
    crowned: dict[str, str] = {}
    for environment in ("history", "paper", "live"):
        crowned |= book.champions(environment)
    database = open_database(workspace.db_url)
    try:
        desk = Desk(
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
