"""Archiving: an ensemble is not promoted, and not rolled back to, any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ares.adapters.model_store import ModelStore
from ares.domain.model_life import EnsembleArchived
from ares.runtime.lifecycle.promotion import PromotionResult, refuse, utc_now
from ares.runtime.registry.model_journal import (
    LOCK_WAIT_S,
    read_registry,
    refusals_journaled,
    stamp,
    who,
    writing,
)
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.validation.target import find


def archive(
    paths: ModelPaths,
    target: str,
    reason: str | None = None,
    now: Callable[[], datetime] = utc_now,
) -> PromotionResult:
    """Archive an ensemble for good; a champion is refused.

    target : as in ``promote``. Raises UserError where there is no such model.
    """
    models = ModelStore(paths.models)
    with refusals_journaled(paths.journals, "archive", target, "", now):
        ensemble = find(models, target, read_registry(paths.journals).archived)
    short, problem = ensemble.hash[:12], None
    with writing(paths.journals, LOCK_WAIT_S) as append:
        registry = read_registry(paths.journals)
        environments = registry.champion_in(ensemble.hash)
        if environments:
            problem = (
                f"{short} is champion in {', '.join(environments)}: promote another one, or roll "
                "back, first"
            )
        elif ensemble.hash in registry.archived:
            problem = f"{short} is archived already"
        else:
            models.save_ensemble(ensemble)
            given_reason = (reason or "").strip() or "archived by hand"
            append(EnsembleArchived(ensemble.hash, stamp(now), who(), given_reason))
    if problem is not None:
        return PromotionResult((), (refuse(paths, "archive", ensemble, "", problem, now),))
    return PromotionResult((), (), archived=(ensemble.hash,))
