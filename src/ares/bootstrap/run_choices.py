"""What a run is made of, chosen: its instruments, their ensembles, its reference, its name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from ares.adapters.model_store import ModelStore
from ares.config.settings import Settings
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, ExternalError, UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import PackageCard
from ares.domain.run import RunSetup
from ares.domain.series import SentimentSpec, SeriesSpec
from ares.journal.run import setup_of
from ares.kernel.features.columns import require_same_columns
from ares.kernel.features.observations import SeriesHistory
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.plan import SlotChoice, same_run
from ares.runtime.registry.model_journal import read_registry
from ares.store.candles import CandleStore
from ares.store.series import stored_series


def choices_of(
    workspace: Workspace, keys: Sequence[Instrument], user: UserFeatures | None
) -> tuple[list[SlotChoice], list[str]]:
    """Return each instrument with its champion, else its newest candidate as a challenger.

    Raises UserError where a model was made for other features than there are now.
    """
    models, book = ModelStore(workspace.models_dir), read_registry(workspace.journal_dir)
    crowned = book.champions("history")
    choices, remarks = [], []
    for key in keys:
        if key.key in crowned:
            back, remark = _before(models, book.previous_champion("history", key.key))
            remarks += remark
            choices.append(SlotChoice(key, models.ensemble(crowned[key.key]), True, back))
            continue
        candidate = models.newest_candidate(key.key, without=book.archived)
        choices.append(SlotChoice(key, candidate, False))
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
            require_same_columns(card.ref, card.features, card.features_hash, user, card.series)
    if all(choice.ensemble is None for choice in choices):
        raise UserError("there is no model for any of these symbols: `ares train` makes some")
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


def cards_of(workspace: Workspace, choices: Sequence[SlotChoice]) -> list[tuple[str, PackageCard]]:
    """Return the card of every model of a run, each with the key of its instrument."""
    models = ModelStore(workspace.models_dir)
    return [
        (choice.instrument.key, models.member(member).card)
        for choice in choices
        for member in (choice.ensemble.members if choice.ensemble else ())
    ]


def seen_before(cards: Sequence[tuple[str, PackageCard]], from_ms: int) -> list[str]:
    """Return a remark for each instrument whose models learned from candles of the window."""
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


def reference_of(
    settings: Settings, store: CandleStore, cards: Sequence[tuple[str, PackageCard]]
) -> Instrument | None:
    """Return the instrument that the models' cross features were trained on; None: on none.

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
            f"the models look at different reference instruments ({'; '.join(found.values())}):"
            " train them together, or run their symbols one by one with -s"
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
            what, how = "no news that count are", "ares news import PATH"
        remarks.append(
            f"{what} stored for the window: models trained with {spec.name} answer without it "
            f"(`{how}`)"
        )
    return remarks


def watched(instrument: Instrument) -> SlotChoice:
    """Return an instrument that has no model and is only looked at."""
    return SlotChoice(instrument, None, False)


def free_name(workspace: Workspace, setup: RunSetup) -> str:
    """Return the window's name; with a number behind it where another run has taken that."""

    def day(ts_ms: int) -> str:
        return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y%m%d")

    stem = f"{day(setup.from_ms)}-{day(setup.to_ms)}"
    for attempt in range(1, 1_000):
        name = stem if attempt == 1 else f"{stem}-{attempt}"
        folder: Path = workspace.journal_dir / "history" / name
        try:
            held = setup_of(folder) if folder.is_dir() else None
        except ExternalError:
            continue  # damaged: it is left alone, and named by whoever asks for it
        if held is None or same_run(held, setup):
            return name
    raise ExternalError(f"a thousand runs are called {stem}: give this one a --run NAME")
