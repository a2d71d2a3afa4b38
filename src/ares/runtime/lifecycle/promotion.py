"""Promotion: an ensemble becomes champion of an environment, with a passing verdict of today."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ares.adapters.model_choice import choose_model
from ares.adapters.model_store import ModelStore
from ares.domain.errors import AresError, ExternalError, UserError
from ares.domain.model import Ensemble
from ares.domain.model_life import EnsemblePromoted
from ares.runtime.lifecycle.served_champions import served_champions
from ares.runtime.registry.model_journal import (
    LOCK_WAIT_S,
    read_registry,
    record_refusal,
    refusals_journaled,
    stamp,
    who,
    writing,
)
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.target import find, require_environment

if TYPE_CHECKING:
    from ares.runtime.validation.request import ValidationConfig

LINES_NAMED = 5
CHANGES = {
    "champion": "another ensemble is champion since",
    "rule": "promotion.rule has changed",
    "limits": "a limit of promotion.* has changed",
    "terms": "costs, sizes or capital have changed",
    "trials": "more recipes were tried since",
    "code": "the kernel or the features have changed",
}

Config = Callable[[], "ValidationConfig"]
"""Makes the values of a validation when a model is looked at: a user's features that cannot be
loaded then refuse that model.
"""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PromotionResult:
    """The outcome of a promotion, a rollback or an archiving.

    refused  : one line for each ensemble that was refused; nothing was changed for these.
    archived : hashes of the ensembles that were archived.
    """

    promoted: tuple[EnsemblePromoted, ...]
    refused: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()
    external: bool = False


def promote(
    paths: ModelPaths,
    config: Config,
    target: str | None,
    to: str,
    force: bool,
    reason: str | None,
    now: Callable[[], datetime] = utc_now,
    taken_out: Collection[str] = (),
) -> PromotionResult:
    """Make ensembles champions of ``to``, each with a passing verdict of today's evidence.

    target : an ensemble's hash (or its beginning), an instrument (key or symbol), a package's
             name, or None for the newest candidate of every instrument.
    force  : without a verdict; needs a reason, and is refused in live, and where the results are
             not plausible.
    taken_out : instruments whose champion the running engine took out by itself: that one may be
             promoted again.

    Raises UserError: an unknown target or environment, or no reason for a forced promotion.
    """
    given_reason = (reason or "").strip()
    models = ModelStore(paths.models)
    with refusals_journaled(paths.journals, "promote", target or "", to, now):
        require_environment(to)
        if force and not given_reason:
            raise UserError("a forced promotion needs a reason: --reason TEXT")
        registry = read_registry(paths.journals)
        ensembles = [find(models, target, registry.archived)] if target else _newest(paths)
    promoted: list[EnsemblePromoted] = []
    refused: list[str] = []
    external = False
    for ensemble in ensembles:
        registry = read_registry(paths.journals)
        try:
            problem = _problem(paths, config, registry, ensemble, to, force, taken_out)
        except ExternalError as error:  # another one may still be promoted
            problem, external = str(error), True
        promotion = EnsemblePromoted(
            to, ensemble.instrument, ensemble.hash, registry.champion(to, ensemble.instrument),
            stamp(now), who(), given_reason or "the verdict", force,
            "" if force else registry.passing_verdict(ensemble.hash, to),
        )  # fmt: skip
        if problem is None:
            models.save_ensemble(ensemble)
            problem = record_promotion(paths, promotion)
        if problem is None:
            promoted.append(promotion)
        else:
            refused.append(refuse(paths, "promote", ensemble, to, problem, now))
    return PromotionResult(tuple(promoted), tuple(refused), external=external)


def promotion_problem(
    paths: ModelPaths, config: Config, ensemble: Ensemble, to: str, force: bool
) -> str | None:
    """Return why ``promote`` would refuse an ensemble now; None: it would not."""
    try:
        return _problem(paths, config, read_registry(paths.journals), ensemble, to, force)
    except ExternalError as error:
        return str(error)


def works(config: Config, ensemble: Ensemble) -> str | None:
    """Return why an ensemble does not work; None: it was loaded, verified and scored."""
    from ares.runtime.validation.stored_models import require_working

    try:
        require_working(config(), ensemble)
    except AresError as error:
        return str(error)
    return None


def record_promotion(paths: ModelPaths, promotion: EnsemblePromoted) -> str | None:
    """Write a promotion; return what has changed since it was checked, where something has."""
    environment, ensemble_hash = promotion.environment, promotion.ensemble_hash
    short = ensemble_hash[:12]
    with writing(paths.journals, LOCK_WAIT_S) as append:
        registry = read_registry(paths.journals)
        champion = registry.champion(environment, promotion.instrument)
        if champion != promotion.previous_hash:
            last = registry.last_promotion(environment, promotion.instrument)
            by = f" (by {last.who}, {last.at})" if last is not None else ""
            return (
                f"{champion[:12] or 'no ensemble'} became champion in {environment} meanwhile{by}: "
                "look at it, then try again"
            )
        if ensemble_hash in registry.archived:
            return f"{short} was archived meanwhile"
        if not promotion.rolled_back and not promotion.forced:
            verdict = registry.verdict_on(ensemble_hash, environment)
            if verdict is None or verdict.verdict_hash != promotion.verdict_hash:
                return f"{short} was judged again meanwhile: try again"
        append(promotion)
    return None


def undo_promotion(
    paths: ModelPaths,
    failed: EnsemblePromoted,
    reason: str,
    now: Callable[[], datetime] = utc_now,
) -> tuple[str, ...]:
    """Make the previous champion (or none) champion again; return warnings.

    Nothing is archived: that a service did not start is no evidence against a model. The previous
    champion is not tried first, since it served until a moment ago and the other one does not.
    Where another process has promoted since, its ensemble stays.
    """
    with writing(paths.journals, LOCK_WAIT_S) as append:
        registry = read_registry(paths.journals)
        champion = registry.champion(failed.environment, failed.instrument)
        if champion != failed.ensemble_hash:
            return (f"{champion[:12] or 'no ensemble'} became champion meanwhile, and stays",)
        restored = EnsemblePromoted(
            failed.environment, failed.instrument, failed.previous_hash, failed.ensemble_hash,
            stamp(now), who(), reason, False,
            registry.passing_verdict(failed.previous_hash, failed.environment), reverted=True,
        )  # fmt: skip
        append(restored)
    return ()


def refuse(
    paths: ModelPaths,
    action: str,
    target: Ensemble | str,
    environment: str,
    reason: str,
    now: Callable[[], datetime],
) -> str:
    """Journal a refusal and return its line."""
    name = target.hash if isinstance(target, Ensemble) else target
    record_refusal(paths.journals, action, name, environment, reason, now)
    if isinstance(target, Ensemble):
        return f"{target.instrument} {name[:12]}: {reason}"
    return reason if name in reason else f"{name}: {reason}"


def _problem(
    paths: ModelPaths,
    config: Config,
    registry: RegistryState,
    ensemble: Ensemble,
    to: str,
    force: bool,
    taken_out: Collection[str] = (),
) -> str | None:
    """Return why an ensemble may not be promoted; None: it may.

    Raises ExternalError where disk, database or the ensemble's files fail.
    """
    short = ensemble.hash[:12]
    if force and to == "live":
        return "--force is refused in live: real money needs a passing verdict"
    is_champion = registry.champion(to, ensemble.instrument) == ensemble.hash
    if is_champion and ensemble.instrument not in taken_out:
        rows, _ = served_champions(paths.journals, registry, (to,))
        own = any(row.instrument == ensemble.instrument and not row.is_pending for row in rows)
        more = "; its run took it out by itself: promote it again while the engine runs"
        return f"it is champion in {to} already{more if own else ''}"
    if ensemble.hash in registry.archived:
        return f"{short} is archived: train again"
    problem = None if force else _verdict_problem(paths, config, registry, ensemble, to)
    if problem is not None:
        return problem
    from ares.runtime.lifecycle.plausibility import implausible
    from ares.runtime.validation.stored_models import require_working

    values = config()
    try:
        packages = require_working(values, ensemble)
    except UserError as error:
        return str(error)
    return implausible(registry, ensemble, packages, values.limits) if force else None


def _verdict_problem(
    paths: ModelPaths, config: Config, registry: RegistryState, ensemble: Ensemble, to: str
) -> str | None:
    """Return why the newest verdict on an ensemble does not let it pass today; None: it does."""
    option = "" if to == "history" else f" --env {to}"
    judge = f"`ares models validate {ensemble.hash[:12]}{option}`"
    verdict = registry.verdict_on(ensemble.hash, to)
    if verdict is None:
        return f"no passing verdict for {to}: {judge} judges it"
    if not verdict.passed:
        from ares.learn.gate.verdict_text import NAMES

        more = len(verdict.failed) - LINES_NAMED
        named = ", ".join(NAMES.get(line, line) for line in verdict.failed[:LINES_NAMED])
        named += f" and {more} more" if more > 0 else ""
        return f"no passing verdict for {to}: it was refused at {verdict.at} ({named})"
    from ares.runtime.validation.validate import current_basis
    from ares.runtime.validation.verdict_file import require_unchanged

    changed = verdict.basis.changed(current_basis(config(), registry, ensemble, to))
    if changed:
        reasons = "; ".join(CHANGES[name] for name in changed)
        return f"its verdict of {verdict.at} is not of today's evidence ({reasons}): {judge} again"
    try:
        require_unchanged(paths, verdict)
    except AresError as error:
        return str(error)
    return None


def _newest(paths: ModelPaths) -> list[Ensemble]:
    """Return the newest ensemble with enough rows of every instrument that is not archived."""
    models, archived = ModelStore(paths.models), read_registry(paths.journals).archived
    listed = models.listed()
    keys = sorted({ensemble.instrument for ensemble in listed.ensembles})
    newest = [choose_model(listed, key, without=archived) for key in keys]
    found = [choice.ensemble for choice in newest if choice is not None]
    if not found:
        raise UserError("there is no ensemble to promote: `ares train` makes some")
    return found
