"""Models arrive from another workspace: stored, with the recipes that were tried there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePosixPath

from ares.adapters.durable import write_file
from ares.adapters.model_bundle import Bundle, install
from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.manifest import VERDICTS
from ares.domain.model_life import ModelsImported, Record, VerdictRecorded
from ares.observe.user_features_check import load_features
from ares.runtime.registry.model_journal import read_registry, stamp, who, writing
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.model_check import require_it_fits
from ares.runtime.validation.verdict_file import FOLDER

LOCK_WAIT_S = 10.0


def import_models(
    workspace: Workspace,
    bundle: Bundle,
    source: str,
    *,
    verdicts: bool,
    at: Callable[[str], None] = lambda _point: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Store a bundle's models and what is known of them; what is here already stays as it is.

    The trials come along, so that no recipe tried is forgotten on the way. The verdicts do only
    where ``verdicts`` is true: a model that is imported is judged here.

    source : the name of the file or folder that held them, for the journal.
    at     : called between two writes, with the name of the point.

    Raises UserMistake, and stores nothing, where one of them was made for other features than this
    workspace has, or for another instrument than its ensemble.
    """
    user = load_features(workspace.settings.features.module, workspace.root)
    for package in bundle.packages:
        own = package.card.instruments[0] if package.card.instruments else ""
        whose = own if bundle.ensemble is None else bundle.ensemble.instrument
        require_it_fits(package, whose, user)
    install(ModelStore(workspace.models_dir), bundle)
    at("models stored")
    for one in bundle.history.verdicts if verdicts else ():
        _write_verdict(workspace, bundle, one)
        at("verdict stored")
    with writing(workspace.journal_dir, LOCK_WAIT_S) as append:
        book = read_registry(workspace.journal_dir)
        held = set(book.trials)
        new: list[Record] = [trial for trial in bundle.history.trials if trial not in held]
        new += _wanted(book, bundle) if verdicts else ()
        new += _arrival(book, bundle, source, now)
        for record in new:
            append(record)
    at("past recorded")


def _arrival(
    registry: RegistryState, bundle: Bundle, source: str, now: Callable[[], datetime]
) -> list[Record]:
    """Return the record of models that are stored here now; none where there is one already."""
    ensemble_hash = "" if bundle.ensemble is None else bundle.ensemble.hash
    refs = tuple(package.card.ref for package in bundle.packages)
    known = any(
        isinstance(record, ModelsImported)
        and (record.packages, record.ensemble_hash) == (refs, ensemble_hash)
        for record in registry.records
    )
    arrival = ModelsImported(refs, ensemble_hash, source, stamp(now), who())
    return [] if known else [arrival]


def _wanted(book: RegistryState, bundle: Bundle) -> tuple[VerdictRecorded, ...]:
    """Return the verdicts that are news here: there is none on it yet, or only older ones."""
    wanted = []
    for one in bundle.history.verdicts:
        mine = book.verdict_on(one.ensemble_hash, one.environment)
        if mine is None or mine.at < one.at:
            wanted.append(one)
    return tuple(wanted)


def _write_verdict(workspace: Workspace, bundle: Bundle, judged: VerdictRecorded) -> None:
    folder = workspace.models_dir / FOLDER
    picture = PurePosixPath(judged.file).with_suffix(".png").name
    for name in (judged.file, picture):
        content = bundle.others.get(f"{VERDICTS}/{name}")
        if content is None:
            continue
        path = folder / name
        if path.exists() and path.read_bytes() != content:
            raise UserError(
                f"{path}: is another verdict than the one of this name in the package: move it away"
            )
        write_file(path, content)
