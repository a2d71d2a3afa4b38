"""Chooses the parts of a run: ensembles, reference instrument, external series, name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from ares.adapters.model_choice import choose_model
from ares.adapters.model_store import ModelStore
from ares.adapters.strategy_file import columns_of_package
from ares.config.settings import Settings
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, ExternalError, UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.model_life import LIVE
from ares.domain.package import PackageCard
from ares.domain.run import RunSetup
from ares.domain.series import SentimentSpec, SeriesSpec
from ares.domain.utc import utc_day, utc_text
from ares.journal.run import setup_of
from ares.kernel.features.columns import require_same_columns
from ares.kernel.features.observations import SeriesHistory
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.plan import SlotChoice, same_run
from ares.runtime.engine.served_models import run_features
from ares.runtime.registry.model_journal import read_registry
from ares.store.candles import CandleStore
from ares.store.series import stored_series


def choices_of(
    workspace: Workspace, keys: Sequence[Instrument], user: UserFeatures | None, environment: str
) -> tuple[list[SlotChoice], list[str]]:
    """Return each instrument with its champion, else a candidate as a challenger.

    Raises UserError where a model was trained on other features than the present ones.
    """
    models, book = ModelStore(workspace.models_dir), read_registry(workspace.journal_dir)
    champions = book.champions(environment)
    choices, remarks = [], []
    for key in keys:
        if key.key in champions:
            back, remark = _previous(models, book.previous_champion(environment, key.key))
            remarks += remark
            choices.append(SlotChoice(key, models.ensemble(champions[key.key]), True, back))
            continue
        judged = {verdict.ensemble_hash for verdict in book.verdicts}
        chosen = choose_model(models.listed(), key.key, judged, book.archived)
        candidate = None if chosen is None else chosen.ensemble
        choices.append(SlotChoice(key, candidate, False))
        if chosen is None:
            remarks.append(
                f"{key.key} has no model, so it is not traded: train one with `ares train`"
            )
        else:
            remarks.append(
                f"{key.key} has no champion: {chosen.reason}, makes virtual trades only"
                f" (`ares models promote --env {environment}{_how(environment)}` lets it"
                " trade here)"
            )
    for choice in choices:
        for member in choice.ensemble.members if choice.ensemble else ():
            package = models.member(member)
            card, own = package.card, columns_of_package(package, user)
            require_same_columns(card.ref, card.features, card.features_hash, own, card.series)
    if all(choice.ensemble is None for choice in choices):
        raise UserError("there is no model for any of these symbols: train some with `ares train`")
    return choices, remarks


def _how(environment: str) -> str:
    return "" if environment == LIVE else " --force --reason rehearsal"


def _previous(models: ModelStore, ensemble_hash: str) -> tuple[Ensemble | None, list[str]]:
    """Return the previous champion, for a rollback during the run, and remarks on it."""
    if not ensemble_hash:
        return None, []
    try:
        ensemble = models.ensemble(ensemble_hash)
        for member in ensemble.members:
            models.member(member)
    except AresError as error:
        return None, [f"no rollback to the previous champion is possible: {error}"]
    return ensemble, []


def features_of(
    workspace: Workspace, choices: Sequence[SlotChoice], user: UserFeatures | None
) -> UserFeatures | None:
    """Return the user's columns of a run: those of the module, and the scores of strategies."""
    ensembles = [e for choice in choices for e in (choice.ensemble, choice.previous)]
    return run_features(ModelStore(workspace.models_dir), ensembles, user)


def cards_of(workspace: Workspace, choices: Sequence[SlotChoice]) -> list[tuple[str, PackageCard]]:
    """Return the card of every model of a run, each with the key of its instrument."""
    models = ModelStore(workspace.models_dir)
    return [
        (choice.instrument.key, models.member(member).card)
        for choice in choices
        for member in (choice.ensemble.members if choice.ensemble else ())
    ]


def in_sample(cards: Sequence[tuple[str, PackageCard]], from_ms: int) -> list[str]:
    """Return a remark for each instrument with training data inside the window."""
    newest: dict[str, int] = {}
    for key, card in cards:
        newest[key] = max(newest.get(key, 0), card.data_to_ms)
    return [
        f"{key}: its models were trained on candles up to {utc_text(until_ms)}:"
        " the results up to then are in-sample, not evidence"
        for key, until_ms in newest.items()
        if until_ms > from_ms
    ]


def reference_of(
    settings: Settings, store: CandleStore, cards: Sequence[tuple[str, PackageCard]]
) -> Instrument | None:
    """Return the reference instrument of the models' cross features; None if there is none.

    Raises UserError where they differ: a run has one reference.
    """
    found: dict[Instrument | None, str] = {}
    for _, card in cards:
        name = card.reference
        if name is not None and ":" not in name:
            name = f"{settings.venue}:{name}"
        found[None if name is None else store.resolve(name)] = f"{card.name} {name}"
    if len(found) > 1:
        raise UserError(
            f"the models have different reference instruments ({'; '.join(found.values())}):"
            " train them together, or run their symbols separately with -s"
        )
    return next(iter(found), None)


def series_of(
    settings: Settings,
    database: Engine,
    cards: Sequence[tuple[str, PackageCard]],
    learn: bool,
) -> tuple[SeriesSpec, ...]:
    """Return the external series of a run: those that its models were trained with.

    A run that learns has those of the settings as well, for the models that are to come.
    Raises UserError where models were trained with different settings of a series.
    """
    found: dict[str, tuple[SeriesSpec, str]] = {}
    for _, card in cards:
        for spec in card.series:
            other, ref = found.setdefault(spec.name, (spec, card.ref))
            if other != spec:
                raise UserError(
                    f"the models were trained with different settings of {spec.name} ({ref} and "
                    f"{card.ref}): train them together, or run their symbols separately with -s"
                )
    if learn:
        for spec in stored_series(database, settings.series):
            found.setdefault(spec.name, (spec, ""))
    specs = [spec for spec, _ in found.values()]
    return tuple(sorted(specs, key=lambda spec: not isinstance(spec, SentimentSpec)))


def missing_in_window(
    series: Sequence[SeriesSpec], history: SeriesHistory, from_ms: int
) -> list[str]:
    """Return a remark for each series that has no fresh value in the window."""
    remarks = []
    for spec, rows in zip(series, history, strict=True):
        if (rows.known_ms > from_ms - spec.stale_ms).any():
            continue
        what = f"no values of {spec.name} are"
        how = f"ares data import-series PATH --name {spec.name}"
        if isinstance(spec, SentimentSpec):
            what, how = "no usable news are", "ares news import PATH"
        remarks.append(
            f"{what} stored for the window: models trained with {spec.name} score without it "
            f"(`{how}`)"
        )
    return remarks


def without_model(instrument: Instrument) -> SlotChoice:
    """Return an instrument without a model, which the run only reads."""
    return SlotChoice(instrument, None, False)


def free_name(workspace: Workspace, setup: RunSetup) -> str:
    """Return a name made of the window, with a number appended if another run has it."""
    stem = "-".join(utc_day(ms).replace("-", "") for ms in (setup.from_ms, setup.to_ms))
    for attempt in range(1, 1_000):
        name = stem if attempt == 1 else f"{stem}-{attempt}"
        folder: Path = workspace.journal_dir / "history" / name
        try:
            held = setup_of(folder) if folder.is_dir() else None
        except ExternalError:
            continue  # damaged: the name is not reused
        if held is None or same_run(held, setup):
            return name
    raise ExternalError(f"a thousand runs are named {stem}: name this one with --run")
