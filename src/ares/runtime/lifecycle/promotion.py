"""Who is champion where: promoted with a verdict, taken back, archived; all of it journaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ares.adapters.model_store import ModelStore, StoredModels
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, UserError
from ares.domain.model import Ensemble
from ares.domain.model_life import ENVIRONMENTS, EnsembleArchived, EnsemblePromoted
from ares.runtime.registry.model_journal import (
    LOCK_WAIT_S,
    read_registry,
    record_refusal,
    refusals_journaled,
    stamp,
    who,
    writing,
)
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.from_workspace import paths_of, validation_config
from ares.runtime.validation.model_check import require_working
from ares.runtime.validation.validate import current_basis, find, require_environment
from ares.runtime.validation.verdict_file import require_unchanged

__all__ = ["ENVIRONMENTS", "EnsemblePromoted", "archive", "champions", "promote", "rollback"]

LINES_NAMED = 5
CHANGES = {
    "champion": "another ensemble is champion since",
    "rule": "promotion.rule has changed",
    "limits": "a limit of promotion.* has changed",
    "terms": "costs, sizes or capital have changed",
    "trials": "more recipes were tried since",
    "code": "the kernel or the features have changed",
}


@dataclass(frozen=True, slots=True)
class PromotionResult:
    """What came of a request: who is champion now, what was refused, and what must be said.

    refused  : one line for each refusal, nothing was changed for these.
    archived : hashes of what was taken out of use by it.
    """

    promoted: tuple[EnsemblePromoted, ...]
    refused: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()


def promote(
    workspace: Workspace,
    target: str | None,
    to: str,
    force: bool,
    reason: str | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> PromotionResult:
    """Make ensembles champions of ``to``, each with a passing verdict of today's evidence.

    target : an ensemble's hash (or its beginning), an instrument (key or symbol), a package's
             name, or None for the newest candidate of every instrument.
    force  : without a verdict; needs a reason, and is refused in live.

    Raises UserMistake: an unknown target or environment, or no reason for a forced promotion.
    """
    why = (reason or "").strip()
    with refusals_journaled(workspace.journal_dir, "promote", target or "", to, now):
        require_environment(to)
        if force and not why:
            raise UserError("a forced promotion needs a reason: --reason TEXT")
        models, book = ModelStore(workspace.models_dir), read_registry(workspace.journal_dir)
        chosen = [find(models, target, book.archived)] if target else _newest(models, book)
    promoted: list[EnsemblePromoted] = []
    refused: list[str] = []
    for ensemble in chosen:
        book = read_registry(workspace.journal_dir)
        before = book.champions(to).get(ensemble.instrument, "")
        doubt = _doubt(workspace, book, ensemble, to, force)
        verdict_hash = "" if force else book.passing_verdict(ensemble.hash, to)
        one = EnsemblePromoted(
            to, ensemble.instrument, ensemble.hash, before, stamp(now), who(),
            why or "the verdict", force, verdict_hash,
        )  # fmt: skip
        if doubt is None:
            models.save_ensemble(ensemble)
            doubt = _record_promotion(workspace, one)
        if doubt is not None:
            refused.append(_deny(workspace, "promote", ensemble, to, doubt, now))
            continue
        promoted.append(one)
    return PromotionResult(tuple(promoted), tuple(refused))


def rollback(
    workspace: Workspace,
    symbol: str | None,
    to: str | None,
    environment: str | None,
    reason: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> PromotionResult:
    """Make the champion before (or ``to``) champion again; the one that was champion is archived.

    The target is loaded, verified and asked before anything changes.

    symbol      : of the instrument; None: the only one that has a champion there.
    environment : None: the only one in which that instrument has a champion.
    Raises UserMistake where it is not clear what is meant.
    """
    models, book = ModelStore(workspace.models_dir), read_registry(workspace.journal_dir)
    meant = to or symbol or ""
    with refusals_journaled(workspace.journal_dir, "rollback", meant, environment or "", now):
        kind, instrument = _place(book, symbol, environment)
    present = book.champions(kind)[instrument]
    target: Ensemble | str = book.previous_champion(kind, instrument) if to is None else to
    if target:
        try:
            target = find(models, str(target))
        except AresError as error:
            target = str(error)
    else:
        target = f"{instrument} has no champion before in {kind} that may come back"
    if isinstance(target, Ensemble):
        doubt = _may_return(workspace, book, target, kind, instrument, present)
        named = target.hash
    else:
        doubt, named = target, to or instrument
    one = EnsemblePromoted(
        kind, instrument, named, present, stamp(now), who(),
        (reason or "").strip() or "rollback", False, book.passing_verdict(named, kind), True,
    )  # fmt: skip
    doubt = doubt or _record_promotion(workspace, one)
    if doubt is not None:
        whose = target if isinstance(target, Ensemble) else named
        return PromotionResult((), (_deny(workspace, "rollback", whose, kind, doubt, now),))
    return PromotionResult((one,), (), archived=(present,))


def archive(
    workspace: Workspace,
    target: str,
    reason: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> PromotionResult:
    """Take an ensemble out of use: it is not promoted, and not rolled back to, any more."""
    with refusals_journaled(workspace.journal_dir, "archive", target, "", now):
        models = ModelStore(workspace.models_dir)
        ensemble = find(models, target, read_registry(workspace.journal_dir).archived)
    why = (reason or "").strip() or "archived by hand"
    doubt = None
    with writing(workspace.journal_dir, LOCK_WAIT_S) as append:
        book = read_registry(workspace.journal_dir)
        places = book.champion_in(ensemble.hash)
        if places:
            doubt = (
                f"{ensemble.hash[:12]} is champion in {', '.join(places)}: promote another, or "
                "roll back, first"
            )
        elif ensemble.hash in book.archived:
            doubt = f"{ensemble.hash[:12]} is archived already"
        else:
            models.save_ensemble(ensemble)
            append(EnsembleArchived(ensemble.hash, stamp(now), who(), why))
    if doubt is not None:
        return PromotionResult((), (_deny(workspace, "archive", ensemble, "", doubt, now),))
    return PromotionResult((), (), archived=(ensemble.hash,))


def champions(journal_dir: Path, environment: str) -> dict[str, str]:
    """Return the champion's ensemble hash by instrument key."""
    return read_registry(journal_dir).champions(environment)


def missing_champions(listed: StoredModels, book: RegistryState) -> list[str]:
    """Return a line for each champion whose ensemble is not stored here, or cannot be read."""
    stored = {ensemble.hash for ensemble in listed.ensembles}
    return [
        f"{one[:12]} is champion of {instrument} in {kind}, and is not stored here: bring it back "
        "from an export (`ares models import FILE.zip`)"
        for kind in ENVIRONMENTS
        for instrument, one in book.champions(kind).items()
        if one not in stored
    ]


def doubt_about(workspace: Workspace, ensemble: Ensemble, to: str, force: bool) -> str | None:
    """Return why ``promote`` would refuse an ensemble now; None: it would not."""
    return _doubt(workspace, read_registry(workspace.journal_dir), ensemble, to, force)


def rollback_target(
    workspace: Workspace, symbol: str | None, environment: str
) -> tuple[str, str, str]:
    """Return an instrument, its champion, and the one that a rollback goes to (empty: none)."""
    book = read_registry(workspace.journal_dir)
    kind, instrument = _place(book, symbol, environment)
    return instrument, book.champions(kind)[instrument], book.previous_champion(kind, instrument)


def _doubt(
    workspace: Workspace, book: RegistryState, ensemble: Ensemble, to: str, force: bool
) -> str | None:
    """Return why an ensemble may not be promoted; None: it may."""
    short = ensemble.hash[:12]
    if force and to == "live":
        return "--force is refused in live: real money needs a passing verdict"
    if book.champions(to).get(ensemble.instrument) == ensemble.hash:
        return f"{short} is champion in {to} already"
    if ensemble.hash in book.archived:
        return f"{short} is archived: train again"
    if not force:
        doubt = _verdict_doubt(workspace, book, ensemble, to)
        if doubt is not None:
            return doubt
    return _works(workspace, ensemble)


def _verdict_doubt(
    workspace: Workspace, book: RegistryState, ensemble: Ensemble, to: str
) -> str | None:
    """Return what is wrong with the newest verdict on an ensemble; None: it passes today."""
    there = "" if to == "history" else f" --to {to}"
    judge = f"`ares models validate {ensemble.hash[:12]}{there}`"
    judged = book.verdict_on(ensemble.hash, to)
    if judged is None:
        return f"no passing verdict for {to}: {judge} judges it"
    if not judged.passed:
        more = len(judged.failed) - LINES_NAMED
        named = ", ".join(judged.failed[:LINES_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"no passing verdict for {to}: it was refused at {judged.at} ({named})"
    changed = judged.basis.changed(current_basis(validation_config(workspace), book, ensemble, to))
    if changed:
        reasons = "; ".join(CHANGES[name] for name in changed)
        return f"its verdict of {judged.at} is not of today's evidence ({reasons}): {judge} again"
    try:
        require_unchanged(paths_of(workspace), judged)
    except AresError as error:
        return str(error)
    return None


def _may_return(
    workspace: Workspace,
    book: RegistryState,
    target: Ensemble,
    kind: str,
    instrument: str,
    present: str,
) -> str | None:
    """Return why a former model may not come back; None: it may, and it works."""
    short = target.hash[:12]
    if target.instrument != instrument:
        return f"{short} is for {target.instrument}, not for {instrument}"
    if target.hash == present:
        return f"{short} is champion in {kind} already"
    if target.hash in book.archived:
        return f"{short} is archived"
    if target.hash not in book.passed(kind):
        return f"{short} was never validated: no verdict for {kind} has let it pass"
    return _works(workspace, target)


def _works(workspace: Workspace, ensemble: Ensemble) -> str | None:
    try:
        require_working(validation_config(workspace), ensemble)
    except AresError as error:
        return str(error)
    return None


def _record_promotion(workspace: Workspace, one: EnsemblePromoted) -> str | None:
    """Write a promotion unless what it rests on has changed since it was looked at; say so then."""
    with writing(workspace.journal_dir, LOCK_WAIT_S) as append:
        book = read_registry(workspace.journal_dir)
        present = book.champions(one.environment).get(one.instrument, "")
        if present != one.previous_hash:
            last = [p for p in book.promotions if p.ensemble_hash == present][-1]
            return (
                f"{present[:12]} became champion in {one.environment} meanwhile (by {last.who}, "
                f"{last.at}): look at it, then try again"
            )
        if one.ensemble_hash in book.archived:
            return f"{one.ensemble_hash[:12]} was archived meanwhile"
        if not one.rolled_back and not one.forced:
            judged = book.verdict_on(one.ensemble_hash, one.environment)
            if judged is None or judged.verdict_hash != one.verdict_hash:
                return f"{one.ensemble_hash[:12]} was judged again meanwhile: try again"
        append(one)
    return None


def _deny(
    workspace: Workspace,
    what: str,
    target: Ensemble | str,
    environment: str,
    reason: str,
    now: Callable[[], datetime],
) -> str:
    """Journal a refusal and return the line that says it."""
    named = target.hash if isinstance(target, Ensemble) else target
    record_refusal(workspace.journal_dir, what, named, environment, reason, now)
    if isinstance(target, Ensemble):
        return f"{target.instrument} {named[:12]}: {reason}"
    return reason if named in reason else f"{named}: {reason}"


def _newest(models: ModelStore, book: RegistryState) -> list[Ensemble]:
    """Return the newest ensemble of every instrument that is not out of use."""
    keys = sorted({ensemble.instrument for ensemble in models.listed().ensembles})
    newest = [models.newest_candidate(key, without=book.archived) for key in keys]
    found = [one for one in newest if one is not None]
    if not found:
        raise UserError("there is no ensemble to promote: `ares train` makes some")
    return found


def _place(book: RegistryState, symbol: str | None, environment: str | None) -> tuple[str, str]:
    """Return the environment and the instrument whose champion is meant."""
    if environment is not None:
        require_environment(environment)
    kinds = [environment] if environment else list(ENVIRONMENTS)
    found = [
        (kind, key)
        for kind in kinds
        for key in book.champions(kind)
        if symbol is None or symbol in (key, key.partition(":")[2])
    ]
    if not found:
        where = f" in {environment}" if environment else ""
        whose = f"{symbol} has no champion" if symbol else "there is no champion"
        raise UserError(f"{whose}{where}: nothing can be taken back")
    if len(found) > 1:
        named = ", ".join(f"{key} in {kind}" for kind, key in found)
        raise UserError(f"there are several champions ({named}): name the symbol, and --env")
    return found[0]
