"""What was promoted in the registry reaches the engine that runs in its environment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError
from ares.domain.model_life import is_environment, slots_of

if TYPE_CHECKING:
    from ares.domain.model_life import EnsemblePromoted
    from ares.runtime.lifecycle.promotion import PromotionResult
    from ares.store.commands import CommandAnswer

LOAD_S = 60.0
"""How long an answer is waited for while an engine loads and tries models."""


def rolled_back_in_engine(
    workspace: Workspace, symbol: str | None, environment: str | None, reason: str
) -> CommandAnswer | None:
    """Roll the champion of a running engine back that the engine itself promoted, of which the
    registry knows nothing; None: there is none, or no environment was named.
    """
    from ares.bootstrap.control import give

    if environment is None:
        return None
    own = [
        (key, champion)
        for key, champion in engines_own(workspace, environment).items()
        if champion and (symbol is None or symbol in (key, key.partition(":")[2]))
    ]
    if len(own) != 1:
        return None
    [(key, champion)] = own
    return give(
        workspace, environment, "rollback", champion, wait_s=LOAD_S, instrument=key, reason=reason
    )


def engines_own(workspace: Workspace, environment: str) -> dict[str, str]:
    """Return what a running engine serves otherwise than the registry has it: the champion's hash
    by instrument key, empty where it has none; nothing where no engine runs.
    """
    from ares.bootstrap.control import engine_runs, running_engine
    from ares.runtime.registry.model_journal import read_registry

    if slots_of(environment) == "history" or not is_environment(environment):
        return {}
    if not engine_runs(workspace, environment):
        return {}
    try:
        rows = running_engine(workspace, environment).status.instruments
    except ExternalError:  # it ended just now
        return {}
    known = read_registry(workspace.journal_dir).champions(environment)
    return {
        row.instrument: row.champion
        for row in rows
        if row.champion != known.get(row.instrument, "")
    }


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one promotion: ``refused`` by the engine, or a remark; empty: it serves it."""

    refused: str = ""
    remark: str = ""


def handed_over(workspace: Workspace, result: PromotionResult, undo: bool) -> PromotionResult:
    """Give every promotion of a result to the engine that runs in its environment.

    Where none runs, or it does not trade the instrument, the registry alone has changed. Where the
    engine refuses an ensemble the promotion is undone.

    undo : False: the registry keeps it all the same; what was champion before is archived.

    Raises ExternalError where the engine does not answer.
    """
    from ares.bootstrap.values import model_paths
    from ares.runtime.lifecycle.promotion import undo_promotion

    kept, refused, warnings = [], list(result.refused), list(result.warnings)
    for promotion in result.promoted:
        outcome = _handed_over(workspace, promotion)
        if outcome.remark:
            warnings.append(outcome.remark)
        if not outcome.refused:
            kept.append(promotion)
            continue
        short, environment = promotion.ensemble_hash[:12], promotion.environment
        line = f"{promotion.instrument} {short}: the engine in {environment} refused it: "
        if not undo:
            kept.append(promotion)
            refused.append(f"{line}{outcome.refused}; the registry has it, the engine has not")
            continue
        refused.append(line + outcome.refused)
        if promotion.previous_hash != promotion.ensemble_hash:  # it was not promoted again
            warnings += undo_promotion(model_paths(workspace), promotion, outcome.refused)
    return replace(result, promoted=tuple(kept), refused=tuple(refused), warnings=tuple(warnings))


def _handed_over(workspace: Workspace, promotion: EnsemblePromoted) -> _Outcome:
    from ares.bootstrap.control import engine_runs, give, running_engine

    environment, key = promotion.environment, promotion.instrument
    if environment == "history":
        return _Outcome()
    if not engine_runs(workspace, environment):
        return _not_running(workspace, environment)
    try:
        status = running_engine(workspace, environment).status
        if key not in [row.instrument for row in status.instruments]:
            return _Outcome(remark=f"{key}: the engine in {environment} does not trade it")
        answer: CommandAnswer = give(
            workspace, environment, "promote", wait_s=LOAD_S, instrument=key,
            ensemble=promotion.ensemble_hash, reason=promotion.reason,
        )  # fmt: skip
    except ExternalError as error:
        raise ExternalError(
            f"{key}: {promotion.ensemble_hash[:12]} is champion in the registry, and the running"
            f" engine takes it over at its next start at the latest: {error}"
        ) from None
    return _Outcome(refused=answer.detail if answer.outcome == "refused" else "")


def _not_running(workspace: Workspace, environment: str) -> _Outcome:
    """Say when a run takes it over, where there is one."""
    if not list((workspace.journal_dir / environment).glob("*.journal")):
        return _Outcome()
    return _Outcome(remark=f"no engine runs in {environment}: its next start takes it over")
