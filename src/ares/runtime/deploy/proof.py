"""After a promotion: the service seen healthy with the new champion, or back with the previous."""

from __future__ import annotations

from ares.domain.model_life import EnsemblePromoted, InstallCompleted, InstallFailed, InstallStarted
from ares.runtime.deploy.plan import DeployReport, DeployResult
from ares.runtime.deploy.policy import DeployContext
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.lifecycle.promotion import undo_promotion
from ares.runtime.registry.model_journal import read_registry, record, stamp, who


def prove(context: DeployContext, service: Service, expected: ExpectedChampion) -> str | None:
    """Restart the service and journal that it serves the champion; else return the problem."""
    effects = context.effects
    problem = service.bring_up(expected)
    effects.checkpoint("restarted")
    if problem is None:
        end = InstallCompleted(
            expected.environment, expected.instrument, expected.ensemble_hash,
            context.policy.service.checks, stamp(effects.now), who(),
        )  # fmt: skip
        record(context.paths.journals, [end])
        effects.checkpoint("installed")
    return problem


def revert(
    context: DeployContext, failed: EnsemblePromoted, reason: str, service: Service
) -> DeployReport:
    """Undo a promotion, bring the service up with the previous champion, journal the outcome."""
    effects = context.effects
    effects.say(f"{reason}: going back to {failed.previous_hash[:12] or 'no champion'}")
    warnings = undo_promotion(context.paths, failed, reason, context.effects.now)
    effects.checkpoint("reverted")
    return restart_after_failure(context, failed, reason, service, warnings)


def restart_after_failure(
    context: DeployContext,
    failed: EnsemblePromoted | InstallStarted,
    reason: str,
    service: Service,
    warnings: tuple[str, ...] = (),
) -> DeployReport:
    """Bring the service up with the present champion, after ``failed`` did not come up."""
    environment, instrument = failed.environment, failed.instrument
    champion = read_registry(context.paths.journals).champion(environment, instrument)
    problem = service.bring_up(ExpectedChampion(environment, instrument, champion))
    context.effects.checkpoint("restarted with the previous champion")
    if problem is not None:
        reason = f"{reason}; with {champion[:12] or 'no champion'} it is not up either: {problem}"
    end = InstallFailed(
        environment, instrument, failed.ensemble_hash, champion, problem is None, reason,
        stamp(context.effects.now), who(),
    )  # fmt: skip
    record(context.paths.journals, [end])
    context.effects.checkpoint("failure recorded")
    result: DeployResult = "reverted" if problem is None else "down"
    return DeployReport(
        result, environment, instrument, failed.ensemble_hash, champion, problem is None, reason,
        warnings=warnings,
    )  # fmt: skip
