"""Rollback: a former champion is promoted again, and the present one is archived."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ares.adapters.model_store import ModelStore
from ares.domain.errors import AresError, NothingToDo, UserError
from ares.domain.instrument import is_called
from ares.domain.model import Ensemble
from ares.domain.model_life import EnsemblePromoted
from ares.runtime.lifecycle.promotion import (
    Config,
    PromotionResult,
    record_promotion,
    refuse,
    utc_now,
    works,
)
from ares.runtime.registry.model_journal import read_registry, refusals_journaled, stamp, who
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.target import find, require_environment


def rollback(
    paths: ModelPaths,
    config: Config,
    symbol: str | None,
    to: str | None,
    environment: str | None,
    reason: str | None = None,
    now: Callable[[], datetime] = utc_now,
) -> PromotionResult:
    """Promote the previous champion (or ``to``) again; the present one is archived.

    The target is loaded, verified and scored before anything changes.

    symbol      : of the instrument; None: the only one that has a champion there.
    environment : None: the only one in which that instrument has a champion.
    Raises UserError where the request is ambiguous.
    """
    registry = read_registry(paths.journals)
    named = to or symbol or ""
    with refusals_journaled(paths.journals, "rollback", named, environment or "", now):
        environment, instrument = _champion_of(registry, symbol, environment)
    champion = registry.champion(environment, instrument)
    wanted = to or registry.previous_champion(environment, instrument)
    target, problem = _target(paths, wanted)
    if target is not None:
        problem = _problem(config, registry, target, environment, instrument, champion)
    elif problem is None:
        problem = f"{instrument} has no former champion in {environment} that can be restored"
    ensemble_hash = to or instrument if target is None else target.hash
    promotion = EnsemblePromoted(
        environment, instrument, ensemble_hash, champion, stamp(now), who(),
        (reason or "").strip() or "rollback", False,
        registry.passing_verdict(ensemble_hash, environment), True,
    )  # fmt: skip
    problem = problem or record_promotion(paths, promotion)
    if problem is not None:
        line = refuse(paths, "rollback", target or ensemble_hash, environment, problem, now)
        return PromotionResult((), (line,))
    return PromotionResult((promotion,), (), archived=(champion,))


def rollback_target(
    paths: ModelPaths, symbol: str | None, environment: str
) -> tuple[str, str, str]:
    """Return an instrument, its champion, and the hash a rollback goes to (empty: none)."""
    registry = read_registry(paths.journals)
    environment, instrument = _champion_of(registry, symbol, environment)
    return (
        instrument,
        registry.champion(environment, instrument),
        registry.previous_champion(environment, instrument),
    )


def _target(paths: ModelPaths, wanted: str) -> tuple[Ensemble | None, str | None]:
    """Return the ensemble that is wanted, or why it cannot be read; neither where none is."""
    if not wanted:
        return None, None
    try:
        return find(ModelStore(paths.models), wanted), None
    except AresError as error:
        return None, str(error)


def _problem(
    config: Config,
    registry: RegistryState,
    target: Ensemble,
    environment: str,
    instrument: str,
    champion: str,
) -> str | None:
    """Return why a former champion may not come back; None: it may, and it works."""
    short = target.hash[:12]
    if target.instrument != instrument:
        return f"{short} is for {target.instrument}, not for {instrument}"
    if target.hash == champion:
        return f"it is champion in {environment} already"
    if target.hash in registry.archived:
        return f"{short} is archived"
    if target.hash not in registry.passed(environment):
        return f"{short} was never validated: it has no passing verdict for {environment}"
    return works(config, target)


def _champion_of(
    registry: RegistryState, symbol: str | None, environment: str | None
) -> tuple[str, str]:
    """Return the environment and the instrument of the champion that a request is about."""
    if environment is not None:
        require_environment(environment)
    found = [
        (kind, key)
        for kind in ([environment] if environment else registry.environments)
        for key in registry.champions(kind)
        if symbol is None or is_called(key, symbol)
    ]
    if not found:
        where = f" in {environment}" if environment else ""
        subject = f"{symbol} has no champion" if symbol else "there is no champion"
        raise NothingToDo(f"{subject}{where}: nothing can be rolled back")
    if len(found) > 1:
        named = ", ".join(f"{key} in {kind}" for kind, key in found)
        raise UserError(f"there are several champions ({named}): name the symbol, and --env")
    return found[0]
