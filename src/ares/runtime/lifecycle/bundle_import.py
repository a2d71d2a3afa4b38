"""Import of an export: its models stored, with the recipes that were tried where they were made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import PurePosixPath

from ares.adapters.durable import write_file
from ares.adapters.model_bundle import Bundle, install
from ares.adapters.model_store import ModelStore
from ares.domain.errors import UserError
from ares.domain.manifest import VERDICTS
from ares.domain.model_life import ModelsImported, Record, VerdictRecorded
from ares.runtime.lifecycle.promotion import utc_now
from ares.runtime.registry.model_check import require_fitting
from ares.runtime.registry.model_journal import LOCK_WAIT_S, read_registry, stamp, who, writing
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.request import ValidationConfig


def import_models(
    paths: ModelPaths,
    config: ValidationConfig,
    bundle: Bundle,
    source: str,
    *,
    verdicts: bool,
    checkpoint: Callable[[str], None] = lambda _point: None,
    now: Callable[[], datetime] = utc_now,
) -> None:
    """Store a bundle's models and their history; what is stored already stays as it is.

    The trials are imported too, so that every recipe tried counts here. The verdicts are only where
    ``verdicts`` is true: an imported model is judged here.

    source     : the name of the file or folder that held them, for the journal.
    checkpoint : called between two writes, with the name of the point.

    Raises UserError, and stores nothing, where a package was made for other features than this
    workspace has, or for another instrument than its ensemble.
    """
    user = config.user_features()
    for package in bundle.packages:
        own = package.card.instruments[0] if package.card.instruments else ""
        instrument = own if bundle.ensemble is None else bundle.ensemble.instrument
        require_fitting(package, instrument, user)
    install(ModelStore(paths.models), bundle)
    checkpoint("models stored")
    for verdict in bundle.history.verdicts if verdicts else ():
        _write_verdict(paths, bundle, verdict)
        checkpoint("verdict stored")
    with writing(paths.journals, LOCK_WAIT_S) as append:
        registry = read_registry(paths.journals)
        known = set(registry.trials)
        records: list[Record] = [t for t in bundle.history.trials if t not in known]
        records += _newer_verdicts(registry, bundle) if verdicts else ()
        records += _import_record(registry, bundle, source, now)
        for record in records:
            append(record)
    checkpoint("history recorded")


def _import_record(
    registry: RegistryState, bundle: Bundle, source: str, now: Callable[[], datetime]
) -> list[Record]:
    """Return the record of the import; none where the journal has it already."""
    ensemble_hash = "" if bundle.ensemble is None else bundle.ensemble.hash
    refs = tuple(package.card.ref for package in bundle.packages)
    known = any(
        isinstance(record, ModelsImported)
        and (record.packages, record.ensemble_hash) == (refs, ensemble_hash)
        for record in registry.records
    )
    return [] if known else [ModelsImported(refs, ensemble_hash, source, stamp(now), who())]


def _newer_verdicts(registry: RegistryState, bundle: Bundle) -> list[VerdictRecorded]:
    """Return the verdicts that the journal has none of, or only older ones."""
    found = []
    for verdict in bundle.history.verdicts:
        local = registry.verdict_on(verdict.ensemble_hash, verdict.environment)
        if local is None or local.at < verdict.at:
            found.append(verdict)
    return found


def _write_verdict(paths: ModelPaths, bundle: Bundle, verdict: VerdictRecorded) -> None:
    picture = PurePosixPath(verdict.file).with_suffix(".png").name
    for name in (verdict.file, picture):
        content = bundle.others.get(f"{VERDICTS}/{name}")
        if content is None:
            continue
        path = paths.verdicts / name
        if path.exists() and path.read_bytes() != content:
            raise UserError(
                f"{path}: is another verdict than the one of this name in the package: move it away"
            )
        write_file(path, content)
